"""Dry sounds: generated, and of folders with whatever people have in them."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import fftconvolve

from grafx.errors import EstimateError
from grafx.estimate.sounds import FolderSounds, GeneratedSounds, sounds_named
from grafx.estimate.sounds.base import PEAK, DrySounds
from grafx.estimate.sounds.varied import VariedSounds

KINDS = ["drums", "tones", "mix"]
RATE = 16000
ONESHOTS = Path("/work/shared/audio/oneshots")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        soundfile.write(tmp_path / f"{name}.wav", rng.uniform(-0.1, 0.1, RATE // 4), RATE)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [8000, 44100])
def test_generated_sounds_are_heard(kind, rate):
    sounds = GeneratedSounds(kind, rate)
    for name, signal in sounds.draw_all(range(12), 0.1):
        assert name in sounds.names
        assert signal.shape == (2, rate // 10)
        assert signal.isfinite().all()
        assert signal.abs().max().item() == pytest.approx(PEAK)


@pytest.mark.parametrize("kind", KINDS)
def test_generated_sounds_are_known_by_name_and_seed(kind):
    sounds = pickle.loads(pickle.dumps(GeneratedSounds(kind, RATE)))
    together = GeneratedSounds(kind, RATE).draw_all(range(8), 0.2, 1)
    for seed, (name, signal) in enumerate(together):
        alone = sounds.draw(seed, 0.2, 1)
        assert alone[0] == name
        torch.testing.assert_close(alone[1], signal, rtol=0, atol=1e-6)
    by_name = {name: signal for name, signal in together}
    assert len({signal.numpy().tobytes() for signal in by_name.values()}) == len(by_name)


def test_names_can_be_restricted(folder):
    for sounds in (GeneratedSounds("tones", RATE, count=20), FolderSounds(folder, RATE)):
        few = sounds.only(sounds.names[:2])
        assert list(few.names) == list(sounds.names[:2])
        assert len(sounds) > len(few)
        assert {name for name, _ in few.draw_all(range(20), 0.05)} == set(few.names)


def test_unknown_generators_are_refused():
    with pytest.raises(EstimateError, match="drums, tones, mix"):
        GeneratedSounds("flutes")
    with pytest.raises(EstimateError, match="at least 1"):
        GeneratedSounds("drums", count=0)


def test_short_sounds_are_followed_by_silence(folder):
    soundfile.write(folder / "one.wav", [0.1], RATE)
    _, signal = FolderSounds(folder, RATE).only(["one.wav"]).draw(0, 0.5)
    assert signal.shape == (2, RATE // 2)
    assert signal[:, 0].tolist() == pytest.approx([PEAK, PEAK])
    assert not signal[:, 1:].any()


def test_long_sounds_give_excerpts(tmp_path):
    ramp = np.linspace(0.1, 0.9, RATE)
    soundfile.write(tmp_path / "ramp.flac", ramp, RATE, "PCM_24")
    sounds = FolderSounds(tmp_path, RATE)
    excerpts = [sounds.draw(seed, 0.25, 1)[1][0] for seed in range(4)]
    assert len({excerpt[0].item() for excerpt in excerpts}) == 4
    for excerpt in excerpts:  # a part of the ramp at another level
        steps = excerpt.diff() * ramp[-1]
        assert steps.std() < 1e-6 < steps.mean()


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates_are_converted(tmp_path, rate):
    time = np.arange(rate) / rate
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(2 * np.pi * 440 * time), rate, "FLOAT")
    _, signal = FolderSounds(tmp_path, RATE).draw(1, 0.5, 1)
    spectrum = torch.fft.rfft(signal[0] * torch.hann_window(signal.shape[1])).abs()
    assert spectrum.argmax().item() * 2 == 440
    assert signal.abs().max().item() == pytest.approx(PEAK)


def test_silence_is_drawn_again(folder):
    soundfile.write(folder / "silent.wav", np.zeros(RATE * 4), RATE)
    sparse = np.zeros(RATE * 4)
    sparse[2 * RATE :] = np.sin(np.arange(2 * RATE))
    soundfile.write(folder / "sparse.wav", sparse, RATE)
    sounds = FolderSounds(folder, RATE)
    drawn = sounds.draw_all(range(40), 0.2)
    assert all(signal.abs().max() > 0.4 for _, signal in drawn)
    assert {name for name, _ in drawn} == {"a.wav", "b.wav", "c.wav", "sparse.wav"}
    with pytest.raises(EstimateError, match=r"silent\.wav"):
        sounds.only(["silent.wav"]).draw(0, 0.2)


def test_broken_files_are_skipped_and_named_once(folder):
    whole = folder / "whole.flac"
    soundfile.write(whole, np.random.default_rng(1).uniform(-0.5, 0.5, RATE), RATE)
    (folder / "cut.flac").write_bytes(whole.read_bytes()[:9000])
    (folder / "text.wav").write_text("no sound")
    (folder / "empty.wav").write_bytes(b"")
    soundfile.write(folder / "many.wav", np.ones((9, 4)), RATE)
    (folder / "notes.txt").write_text("no sound either")
    told = []
    sounds = FolderSounds(folder, RATE, told.append)
    assert sounds.names == ["a.wav", "b.wav", "c.wav", "whole.flac"]
    (text,) = told
    assert all(name in text for name in ("cut.flac", "text.wav", "empty.wav", "many.wav", "4 of 8"))
    with pytest.warns(UserWarning, match=r"cut\.flac"):
        FolderSounds(folder, RATE)


def test_files_that_break_later_are_skipped(folder):
    sounds = FolderSounds(folder, RATE)
    soundfile.write(folder / "a.wav", np.full(RATE // 4, np.nan), RATE, "FLOAT")
    (folder / "b.wav").unlink()
    with pytest.warns(UserWarning) as warned:
        names = {name for name, _ in sounds.draw_all(range(20), 0.1)}
    assert names == {"c.wav"}
    assert len(warned) == 2


def test_copies_count_once(folder):
    (folder / "sub").mkdir()
    shutil.copy(folder / "a.wav", folder / "sub" / "copy.wav")
    assert FolderSounds(folder, RATE).names == ["a.wav", "b.wav", "c.wav"]


def test_folders_without_sounds_are_refused(tmp_path):
    with pytest.raises(EstimateError, match="no audio files"):
        FolderSounds(tmp_path)
    with pytest.raises(EstimateError, match="no folder"):
        FolderSounds(tmp_path / "missing")
    (tmp_path / "x.wav").write_text("no sound")
    with pytest.raises(EstimateError, match=r"x\.wav"):
        FolderSounds(tmp_path)


def test_sounds_by_name(folder):
    assert isinstance(sounds_named("mix", RATE), GeneratedSounds)
    assert len(sounds_named(folder, RATE)) == 3
    assert len(sounds_named(str(folder), RATE)) == 3


@pytest.mark.skipif(not ONESHOTS.is_dir(), reason="needs real sounds")
def test_real_sounds_are_read():
    sounds = FolderSounds(ONESHOTS)
    assert len(sounds) > 50
    assert all(signal.abs().max() > 0.4 for _, signal in sounds.draw_all(range(10), 1.0))


class Given(DrySounds):
    """One sound under many names."""

    def __init__(self, signal, sample_rate=RATE):
        self.signal, self.sample_rate, self.names = signal, sample_rate, ["one", "two"]

    @property
    def description(self):
        return {"given": True}

    def only(self, names):
        return self

    def draw_all(self, seeds, seconds, channels=2):
        length = round(seconds * self.sample_rate)
        return [("one", self.signal[:length].expand(channels, -1)) for _ in seeds]


def test_sounds_are_varied_as_by_a_filter():
    noise = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    impulse = torch.zeros(4000)
    impulse[0] = 1
    seeds = range(24)
    responses = VariedSounds(Given(impulse), 1.0).draw_all(seeds, 0.25)
    varied = VariedSounds(Given(noise), 1.0).draw_all(seeds, 0.25)
    for (_, response), (_, signal) in zip(responses, varied, strict=True):
        expected = fftconvolve(noise.expand(2, -1).double(), response.double(), axes=1)[:, :4000]
        expected *= PEAK / np.abs(expected).max()
        np.testing.assert_allclose(signal, expected, atol=1e-4)
    widths = [float((signal[0] - signal[1]).abs().max()) for _, signal in varied]
    assert sum(width > 0.01 for width in widths) > 5 < sum(width == 0 for width in widths)


def test_a_share_of_the_sounds_is_varied():
    plain = GeneratedSounds("drums", RATE)
    drawn = plain.draw_all(range(30), 0.1)
    changed = {}
    for share in (0.0, 0.5, 1.0):
        varied = VariedSounds(plain, share).draw_all(range(30), 0.1)
        assert [name for name, _ in varied] == [name for name, _ in drawn]
        assert all(signal.abs().max().item() == pytest.approx(PEAK) for _, signal in varied)
        changed[share] = sum(
            not torch.equal(*pair) for pair in zip(dict(varied).values(), dict(drawn).values(), strict=True)
        )
    assert changed[0.0] == 0
    assert 5 < changed[0.5] < changed[1.0]


def test_varied_sounds_are_known_by_name_and_seed(folder):
    varied = VariedSounds(FolderSounds(folder, RATE), 0.7)
    again = pickle.loads(pickle.dumps(varied))
    for seed in range(4):
        for channels in (1, 2):
            first, second = varied.draw(seed, 0.2, channels), again.draw_all([9, seed], 0.2, channels)[1]
            assert first[0] == second[0]
            torch.testing.assert_close(first[1], second[1], rtol=0, atol=1e-6)
    few = varied.only(["a.wav"])
    assert list(few.names) == ["a.wav"]
    assert few.description == {"varied": 0.7, **FolderSounds(folder, RATE).only(["a.wav"]).description}
    assert few.description != VariedSounds(few.sounds, 0.6).description
