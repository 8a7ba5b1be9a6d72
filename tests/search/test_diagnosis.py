"""Faults of stems and a mix are reported with their values, and only where there are any."""

import json
import math
from pathlib import Path

import pytest
import torch
from grafx.processors import Compressor

from grafx.audio import read_audio, read_stems
from grafx.search import Options, Search, diagnose

RATE = 16000
NAMES = ["drums", "bass", "keys"]


def make_stems(seconds=5.0):
    """Strokes of noise, a line of low notes with overtones, and chords that fade."""
    generator = torch.Generator().manual_seed(1)
    time = torch.arange(round(seconds * RATE)) / RATE
    strokes = torch.exp(-30 * (time % 0.23)) * torch.randn(len(time), generator=generator)
    notes, chords = torch.zeros(2, len(time))
    for index in range(math.ceil(seconds / 0.4)):
        inside = (time >= 0.4 * index) & (time < 0.4 * (index + 1))
        hertz = 55 * 2 ** (torch.randint(0, 12, (), generator=generator).item() / 12)
        since = time - 0.4 * index
        for overtone in range(1, 12):
            notes += inside * torch.sin(2 * torch.pi * hertz * overtone * since) / overtone * torch.exp(-2 * since)
        for ratio in (4.02, 4.97, 6.05):
            phase = 2 * torch.pi * (hertz * ratio * since + torch.rand((), generator=generator))
            chords += inside * (torch.sin(phase) + 0.3 * torch.sin(3 * phase)) * torch.exp(-4 * since)
    hiss = 0.003 * torch.randn(2, len(time), generator=generator)
    mono = torch.stack([0.5 * strokes, 0.2 * notes + hiss[0], 0.1 * chords + hiss[1]])
    return mono.unsqueeze(1).repeat(1, 2, 1)


@pytest.fixture(scope="module")
def stems():
    return make_stems()


def mixed(stems):
    gains = torch.tensor([[0.8, 0.5], [0.6, 0.6], [0.3, 0.9]])[: len(stems), :, None]
    return (gains * stems).sum(0)


def late(signal, samples):
    shifted = signal.roll(samples, -1)
    shifted[..., : max(samples, 0)] = 0
    if samples < 0:
        shifted[..., samples:] = 0
    return shifted


@torch.no_grad()
def processed(stems):
    """Compressed, with a reverb on the chords."""
    compressor = Compressor(style="desk", sample_rate=RATE)
    squeezed = compressor(stems[:2], dsp_params={"threshold_db": -30.0, "ratio": 4.0, "makeup_db": 6.0})
    generator = torch.Generator().manual_seed(2)
    decay = torch.exp(-6 * torch.arange(RATE // 2) / RATE)
    tail = 0.05 * decay * torch.randn(2, RATE // 2, generator=generator)
    length = stems.shape[-1]
    wet = torch.fft.irfft(torch.fft.rfft(stems[2], 2 * length) * torch.fft.rfft(tail, 2 * length))[..., :length]
    return squeezed.sum(0) + 0.5 * stems[2] + 0.5 * wet


def test_nothing_is_said_where_all_is_well(stems):
    for mix in (mixed(stems), processed(stems), stems.sum(0), 1e-3 * mixed(stems)):
        found = diagnose(stems, mix, RATE, NAMES)
        assert found.notes == []
        assert all(stem.in_mix and not stem.inverted and abs(stem.delay_ms) < 1 for stem in found.stems)
        assert found.unexplained < 0.1


def test_levels_are_those_of_the_mix(stems):
    levels = [stem.gain_db for stem in diagnose(stems, mixed(stems), RATE, NAMES).stems]
    expected = [10 * math.log10((left**2 + right**2) / 2) for left, right in ((0.8, 0.5), (0.6, 0.6), (0.3, 0.9))]
    assert levels == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize("milliseconds", [10.0, -10.0, 150.0, -190.0])
@pytest.mark.parametrize("mix_of", [mixed, processed])
def test_a_late_mix(stems, milliseconds, mix_of):
    mix = late(mix_of(stems), round(milliseconds * RATE / 1000))
    (note,) = diagnose(stems, mix, RATE, NAMES).notes
    word = "later" if milliseconds > 0 else "earlier"
    assert f"The mix is {abs(milliseconds):.1f} ms {word} than all stems" in note


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_late_stem_is_named(stems, index):
    moved = stems.clone()
    moved[index] = late(moved[index], -round(0.025 * RATE))
    found = diagnose(stems, processed(moved), RATE, NAMES)
    (note,) = found.notes
    assert note.startswith(f"{NAMES[index]} is heard 25.0 ms earlier")
    assert found.stems[index].delay_ms == pytest.approx(-25, abs=0.3)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_an_inverted_stem_is_named(stems, index):
    signs = torch.ones(3, 1, 1)
    signs[index] = -1
    (note,) = diagnose(signs * stems, processed(stems), RATE, NAMES).notes
    assert note.startswith(f"{NAMES[index]} has the opposite polarity")


def test_an_inverted_mix_is_that_of_all_stems(stems):
    assert [stem.inverted for stem in diagnose(stems, -mixed(stems), RATE, NAMES).stems] == [True] * 3


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_stem_that_is_not_in_the_mix_is_named(stems, index):
    others = [other for other in range(3) if other != index]
    (note,) = diagnose(stems, mixed(stems[others]), RATE, NAMES).notes
    assert note.startswith(f"{NAMES[index]} is not found")


@pytest.mark.parametrize("index", [0, 1, 2])
def test_what_is_in_no_stem_is_told(stems, index):
    others = [other for other in range(3) if other != index]
    mix = processed(stems)
    found = diagnose(stems[others], mix, RATE, [NAMES[other] for other in others])
    (note,) = found.notes
    assert "in none of the stems" in note and found.unexplained > 0.1


def test_as_much_as_there_is_of_it(stems):
    """Half of the energy is a noise of its own."""
    mix = mixed(stems)
    noise = torch.randn(mix.shape, generator=torch.Generator().manual_seed(3))
    found = diagnose(stems, mix + noise * mix.norm() / noise.norm(), RATE, NAMES)
    assert found.unexplained == pytest.approx(0.5, abs=0.1)


def test_pure_tones_are_found(stems):
    """Their cross-correlation has no peak that stands out."""
    time = torch.arange(stems.shape[-1]) / RATE
    tones = torch.stack([torch.sin(2 * torch.pi * hertz * time) for hertz in (110, 330)])
    tones = 0.3 * tones.unsqueeze(1).expand(-1, 2, -1)
    found = diagnose(tones, 0.5 * tones.sum(0), RATE, ["a", "b"])
    assert [stem.in_mix for stem in found.stems] == [True, True] and found.notes == []


def test_the_side_of_a_stem_counts_where_it_has_no_mid(stems):
    wide = stems * torch.tensor([[1.0], [-1.0]])
    found = diagnose(wide, mixed(wide), RATE, NAMES)
    assert [stem.in_mix for stem in found.stems] == [True] * 3


def test_the_same_stem_twice_and_a_silent_one(stems):
    doubled = torch.cat([stems[:1], stems[:1], 0 * stems[:1]])
    found = diagnose(doubled, stems[0], RATE, NAMES)
    assert found.notes == [] and found.stems[2].in_mix is None
    assert all(math.isfinite(stem.gain_db) for stem in found.stems[:2])


def test_short_audio_is_left_alone():
    short = torch.randn(2, 2, RATE - 1)
    found = diagnose(short, -short[0], RATE, ["a", "b"])
    assert found.notes == [] and found.unexplained is None and found.stems[0].in_mix is None
    diagnose(torch.randn(2, 2, RATE), torch.randn(2, RATE), RATE, ["a", "b"])


@pytest.mark.parametrize("rate", [1000, 8000, 192000])
def test_any_sample_rate_silence_and_what_is_too_low_to_compare(rate):
    stems = torch.randn(2, 2, 2 * rate, generator=torch.Generator().manual_seed(0))
    assert diagnose(stems, stems.sum(0), rate, ["a", "b"]).notes == []
    silence, constant = torch.zeros(2, 2 * rate), torch.ones(2, 2 * rate)
    assert diagnose(stems, silence, rate, ["a", "b"]).notes == []
    assert diagnose(0 * stems, stems[0], rate, ["a", "b"]).unexplained is None
    assert math.isfinite(diagnose(stems, constant, rate, ["a", "b"]).unexplained)


def test_long_audio_is_heard_in_pieces(stems):
    whole = stems.repeat(1, 1, 8)
    mix = late(mixed(whole), round(0.02 * RATE))
    (note,) = diagnose(whole, mix, RATE, NAMES).notes
    assert "The mix is 20.0 ms later" in note


@pytest.mark.slow
def test_a_search_holds_it_and_results_tell_it(stems, tmp_path):
    from grafx.search.mixing.report import write_results

    stems = stems[:2, :, : round(1.2 * RATE)]
    search = Search(stems, -stems.sum(0), RATE, NAMES[:2], options=Options(fit_steps=0, rounds=0))
    list(search.run())
    write_results(search, tmp_path)
    told = json.loads((tmp_path / "metrics.json").read_text())["diagnosis"]
    assert told["notes"] == search.diagnosis.notes != []
    assert [(stem["name"], stem["inverted"]) for stem in told["stems"]] == [("drums", True), ("bass", True)]


def test_songs_give_no_alarm(shared_song):
    mix, stems, rate, names = shared_song
    found = diagnose(stems, mix, rate, names)
    assert found.notes == []
    assert all(stem.in_mix for stem in found.stems)


SHARED = Path(__file__).parents[3] / "shared" / "audio"
SONGS = [("falcon69", "mix"), ("falcon69", "remix"), ("songs/disco", "bus"), ("songs/rock", "bus")]


@pytest.fixture(params=SONGS, ids="/".join)
def shared_song(request):
    folder, name = SHARED / request.param[0], request.param[1]
    paths = sorted((folder / "stems").glob("*.flac")) or [
        folder / f"{n}.flac" for n in ("bass", "drums", "other", "vocals")
    ]
    if not (folder / f"{name}.flac").exists():
        pytest.skip("needs recordings")
    mix, rate = read_audio(folder / f"{name}.flac")
    stems, _ = read_stems(paths, rate, mix.shape[1], lambda text: None)
    return mix, stems, rate, [path.stem for path in paths]
