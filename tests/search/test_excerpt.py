import math

import pytest
import torch

from grafx.search.mixing.excerpt import evaluated_excerpts, random_excerpt

RATE = 1000


def numbered(length, num_stems=2):
    """Signals whose samples say where they are."""
    time = torch.arange(length, dtype=torch.float32)
    return time.expand(num_stems, 2, length), time.expand(2, length)


def check(excerpt, length, own=4000, lead=1500):
    scored, heard = excerpt.mix[0], excerpt.stems[0, 0]
    assert excerpt.mix.shape == (2, own) and excerpt.stems.shape[:2] == (2, 2)
    assert torch.equal(scored.diff(), torch.ones(own - 1)) and torch.equal(heard.diff(), torch.ones(len(heard) - 1))
    assert torch.equal(heard[-own:], scored)
    assert len(heard) - own == min(lead, scored[0])
    assert excerpt.start == scored[0] and scored[-1] < length


@pytest.mark.parametrize("length", [1, 4000, 6999, 7000])
def test_short_audio_is_taken_whole(length):
    stems, mix = numbered(length)
    (excerpt,) = evaluated_excerpts(stems, mix, RATE)
    assert torch.equal(excerpt.stems, stems) and torch.equal(excerpt.mix, mix)


@pytest.mark.parametrize("length", [1, 2000, 4000])
def test_steps_take_short_audio_whole(length):
    stems, mix = numbered(length)
    excerpt = random_excerpt(stems, mix, RATE, seed=3)
    assert torch.equal(excerpt.stems, stems) and torch.equal(excerpt.mix, mix)


@pytest.mark.parametrize("length, count", [(7001, 2), (8000, 2), (8001, 3), (16000, 4), (20001, 6), (600000, 6)])
def test_long_audio_is_judged_from_its_first_to_its_last_sample(length, count):
    excerpts = evaluated_excerpts(*numbered(length), RATE)
    assert len(excerpts) == count
    for excerpt in excerpts:
        check(excerpt, length)
    starts = torch.stack([excerpt.mix[0, 0] for excerpt in excerpts])
    assert torch.equal(starts, starts.sort(descending=True).values), "the loudest, here the last, comes first"
    starts = starts.flip(0)
    assert starts[0] == 0 and excerpts[0].mix[0, -1] == length - 1
    gaps = starts.diff()
    assert gaps.max() - gaps.min() <= 1
    if length <= 20001:
        assert gaps.max() <= 4000


@pytest.mark.parametrize("length", [4001, 7000, 9000, 12345])
def test_gradient_steps_listen_everywhere_on_an_even_grid(length):
    """What is prepared for one serves again."""
    stems, mix = numbered(length)
    excerpts = [random_excerpt(stems, mix, RATE, seed) for seed in range(300)]
    for excerpt in excerpts:
        check(excerpt, length, own=2000, lead=1000)
    last = length - 2000
    places = math.ceil(last / 250)
    assert {excerpt.start for excerpt in excerpts} == {round(last * place / places) for place in range(places + 1)}


def test_the_excerpt_follows_from_the_seed_and_nothing_else():
    stems, mix = numbered(20000)
    first = random_excerpt(stems, mix, RATE, 7)
    torch.rand(1)
    again = random_excerpt(stems, mix, RATE, 7)
    assert torch.equal(first.mix, again.mix) and torch.equal(first.stems, again.stems)
    state = torch.get_rng_state()
    random_excerpt(stems, mix, RATE, 8)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("sounding", [slice(0, 4000), slice(9000, 9500), slice(39_999, 40_000)])
def test_where_the_mix_is_silent_there_is_nothing_to_judge(sounding):
    stems, mix = torch.ones(2, 2, 40_000), torch.zeros(2, 40_000)
    mix[:, sounding] = 1
    evaluated = evaluated_excerpts(stems, mix, RATE)
    drawn = [random_excerpt(stems, mix, RATE, seed) for seed in range(20)]
    assert all(excerpt.mix.any() for excerpt in evaluated + drawn)
    assert {excerpt.mix.shape for excerpt in evaluated} == {(2, 4000)}
    assert {excerpt.mix.shape for excerpt in drawn} == {(2, 2000)}
