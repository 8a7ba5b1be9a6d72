"""Loudness by the cases of EBU Tech 3341, and what does not depend on it: distances, searches, inversions."""

import math

import numpy as np
import pytest
import torch
from grafx.processors import KickSynth, Tremolo
from grafx.processors.dynamics.base import RAW_FLOOR

from grafx.search import Effort, Level, MatchLoss, Mixer, invert, invert_effect, render_mix
from grafx.search.loudness import REFERENCE_LUFS, loudness, reference_gain
from grafx.search.mixing.mixer import WEIGHT

RATE = 48000
LEVELS_DB = [-20.0, -60.0, 12.0]


def sine(decibels, seconds=3.0, hertz=1000.0, rate=RATE):
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    tone = 10 ** (decibels / 20) * torch.sin(2 * torch.pi * hertz * time)
    return torch.stack([tone, tone]).float()


def amplitude(decibels):
    return 10 ** (decibels / 20)


# Loudness


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
@pytest.mark.parametrize("decibels", [-23.0, -33.0])
def test_a_sine_on_both_channels_is_as_loud_as_its_peak(decibels, rate):
    assert loudness(sine(decibels, rate=rate), rate) == pytest.approx(decibels, abs=0.1)


def test_a_sine_of_full_scale_on_one_channel_is_the_one_of_the_recommendation():
    one_channel = sine(0.0, hertz=997.0) * torch.tensor([[1.0], [0.0]])
    assert loudness(one_channel, RATE) == pytest.approx(-3.01, abs=0.01)


def test_the_weighting_at_48_khz_is_the_table_of_the_recommendation():
    from grafx.search.loudness import _weighting

    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585]
    highpass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(_weighting(48000), [shelf, highpass], atol=1e-7)


@pytest.mark.parametrize(
    "parts",
    [
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ],
)
def test_soft_parts_are_gated(parts):
    """Cases 3 to 5 of EBU Tech 3341, at a lower rate for speed."""
    signal = torch.cat([sine(decibels, seconds, rate=8000) for decibels, seconds in parts], -1)
    assert loudness(signal, 8000) == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("decibels", LEVELS_DB)
def test_loudness_follows_the_level_even_far_below_the_absolute_gate(decibels):
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(2, 30000, generator=generator) * torch.linspace(0, 0.3, 30000)
    there = loudness(amplitude(decibels) * signal, RATE)
    assert there == pytest.approx(loudness(signal, RATE) + decibels, abs=1e-4)
    assert loudness(reference_gain(signal, RATE) * signal, RATE) == pytest.approx(REFERENCE_LUFS, abs=1e-4)


def test_silence_short_and_mono_signals():
    assert loudness(torch.zeros(2, 30000), RATE) == loudness(torch.zeros(2, 0), RATE) == -math.inf
    assert reference_gain(torch.zeros(2, 30000), RATE) == 1
    assert loudness(sine(-23.0, 0.1), RATE) == pytest.approx(-23, abs=0.3)
    assert loudness(sine(-23.0)[:1], RATE) == pytest.approx(-26.01, abs=0.1)
    assert math.isfinite(loudness(torch.ones(2, 1), RATE))


# Distances


def noisy(decibels=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mix = 0.2 * torch.randn(2, 20000, generator=generator) * torch.linspace(1, 0.01, 20000)
    return amplitude(decibels) * mix, amplitude(decibels) * (mix + 0.004 * torch.randn(2, 20000, generator=generator))


@pytest.mark.parametrize("decibels", [*LEVELS_DB, -100.0])
def test_the_match_loss_does_not_depend_on_level(decibels):
    match_loss = MatchLoss(44100)
    expected = match_loss(*noisy()[::-1])
    target, estimate = noisy(decibels)
    estimate.requires_grad_()
    loss = match_loss(estimate, target)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)
    # Twice the target's loudness at a constant gain means what it says: the gain is a factor, whoever computes it.
    gain = reference_gain(target, 44100)
    assert match_loss(estimate, target, gain).item() == pytest.approx(loss.item(), rel=1e-6)
    assert estimate.grad.isfinite().all() and estimate.grad.any()


def test_at_the_usual_level_it_is_the_distance_as_it_comes():
    target, estimate = noisy()
    gain = reference_gain(target, 44100)
    match_loss = MatchLoss(44100)
    assert match_loss(gain * estimate, gain * target, 1.0).item() == pytest.approx(match_loss(estimate, target).item())


# Searches


def kinds(G):
    return sorted((d["node_type"], d.get("owner")) for _, d in G.nodes(data=True) if WEIGHT in d)


@pytest.fixture(scope="module")
def at_full_level(new_search):
    search = new_search(tolerance=0.05)
    list(search.run())
    return search


@pytest.mark.parametrize("decibels", LEVELS_DB)
@pytest.mark.slow
def test_a_song_of_any_level_gives_the_same_graph(new_search, at_full_level, stems, mix, decibels):
    factor = amplitude(decibels)
    search = new_search(stems=factor * stems, mix=factor * mix, tolerance=0.05)
    list(search.run())
    expected = at_full_level
    assert search.plain_loss == pytest.approx(expected.plain_loss, rel=1e-3)
    assert search.console.loss == pytest.approx(expected.console.loss, rel=1e-2)
    assert search.best.loss == pytest.approx(expected.best.loss, rel=1e-2)
    assert kinds(search.best.G) == kinds(expected.best.G)
    # All settings are the same but thresholds, which move with the level.
    mine, theirs = (sorted(s.console.G.nodes(data=True)) for s in (search, expected))
    for (_, data), (_, other) in zip(mine, theirs, strict=True):
        for name, value in (data["parameters"] or {}).items():
            moved = 2 * math.log(factor) if name == "log_threshold" else 0.0
            # On the whole: where a value does hardly anything, the optimizer follows the rounding.
            assert (value - other["parameters"][name] - moved).abs().mean() < 5e-3, name
    # And it sounds so at its own level.
    mixed = render_mix(search.best.G, factor * stems)
    assert search.match_loss(mixed, factor * mix).item() == pytest.approx(search.best.loss, rel=1e-3)
    torch.testing.assert_close(mixed / factor, render_mix(expected.best.G, stems), atol=0.02, rtol=0)


def test_a_mixer_mixes_the_same_at_any_level_inside(at_full_level, stems):
    G = at_full_level.console.G
    with torch.no_grad():
        plain, inside = (Mixer(G, gain=gain)(stems)[0] for gain in (1.0, 30.0))
    torch.testing.assert_close(inside, plain, atol=1e-5, rtol=1e-4)


def test_dynamics_work_below_the_floor_of_gates_and_compressors_that_are_not_in_a_console(at_full_level, stems):
    G = at_full_level.console.G.copy()
    for _, data in G.nodes(data=True):
        if data["node_type"] == "compressor":
            data["parameters"]["log_threshold"] = data["parameters"]["log_threshold"] + math.log(RAW_FLOOR)
    soft = 1e-3 * stems
    threshold = -6 + math.log(RAW_FLOOR)
    assert soft.square().mean().log() < math.log(RAW_FLOOR) and threshold < math.log(RAW_FLOOR)
    loud, quiet = render_mix(G, soft), render_mix(G, 0.1 * soft)
    assert not torch.allclose(loud, 10 * quiet, atol=1e-6)


# Inversions


@pytest.mark.slow
def test_a_sound_that_is_far_softer_or_louder_than_the_synthesizer_is_inverted_alike():
    with torch.no_grad():
        target = KickSynth()(num_samples=2000, dsp_params={"f_start": 300.0, "decay_time": 0.05})[0]
    effort = Effort(64, 8, 1, 2, 2, 2, 1, 0, 0)
    softer, soft, loud = (
        invert(KickSynth(), amplitude(decibels) * target, 44100, effort=effort) for decibels in (-80.0, -50.0, 40.0)
    )
    for found in (softer, loud):
        torch.testing.assert_close(found.norm, soft.norm, atol=0.03, rtol=0)
        assert found.loss == pytest.approx(soft.loss, rel=0.01)
        assert found.starting_loss == pytest.approx(soft.starting_loss, rel=1e-3)


@pytest.mark.parametrize("decibels", LEVELS_DB)
def test_an_effect_is_inverted_alike_at_any_level(decibels):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 8000, generator=generator)
    y = Tremolo(sample_rate=8000)(x[None], dsp_params={"rate_hz": 3.0, "depth_db": 9.0})[0]
    levels = [Level(250.0, 0.5, 16, 10, 0.02)]
    found, expected = (
        invert_effect(Tremolo, a * x, a * y, 8000, candidates=128, levels=levels, attempts=1)
        for a in (amplitude(decibels), 1.0)
    )
    assert found.settings == pytest.approx(expected.settings, rel=0.01, abs=0.01)
    assert found.error == pytest.approx(expected.error, rel=0.01, abs=1e-5)
