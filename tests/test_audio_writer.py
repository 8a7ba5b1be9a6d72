"""Files of every kind, long and short, loud and quiet, on disks that are full."""

import os
import struct
import subprocess
import sys
import time
import warnings

import pytest
import soundfile
import torch

from grafx.audio import audio_writer, read_audio, write_audio
from grafx.audio_writer import KINDS, audio_suffixes
from grafx.cli.outputs import check_audio_file
from grafx.errors import AudioError

RATE = 48000
SUFFIXES = ["wav", "flac", "ogg", "opus", "mp3", "aiff", "w64", "rf64", "caf", "au", *KINDS]
FLOATS = {"wav", "wave", "aiff", "aif", "aifc", "w64", "rf64", "caf", "au", "snd"}


def noise(channels=2, length=1001):
    return 0.1 * torch.randn(channels, length, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("suffix", ["ogg", "opus", "mp3"])
@pytest.mark.slow
def test_minutes_at_once(tmp_path, suffix):
    """In a process of its own, since it is the process that ended."""
    code = f"""
import torch
from grafx.audio import read_audio, write_audio
torch.manual_seed(0)
signal = (0.1 * torch.randn(1, 16000 * 30)).repeat(1, 5)
write_audio("a.{suffix}", signal, 16000)
assert read_audio("a.{suffix}")[0].shape == signal.shape
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, (result.returncode, result.stderr)
    assert os.listdir(tmp_path) == [f"a.{suffix}"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_is_read_again(tmp_path, suffix, channels):
    signal, path = noise(channels, 70001), tmp_path / f"a.{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_audio(path, signal, RATE)
        back, rate = read_audio(path)
    assert rate == RATE and back.shape == signal.shape and os.listdir(tmp_path) == [path.name]
    if suffix in FLOATS:
        assert torch.equal(back, signal)
    elif suffix == "flac":
        assert (back - signal).abs().max() <= 2**-23
    else:
        lag = torch.fft.irfft(torch.fft.rfft(back[0], 2**18) * torch.fft.rfft(signal[0], 2**18).conj()).argmax()
        assert lag == 0


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("channels, rate", [(3, 44100), (9, 1), (256, 44100), (1, 384000)])
def test_channels_and_rates_are_taken_or_refused(tmp_path, suffix, channels, rate):
    path = tmp_path / f"a.{suffix}"
    try:
        write_audio(path, noise(channels, 99), rate)
    except AudioError as error:
        assert suffix not in FLOATS and f"a.{suffix} cannot be written as" in str(error)
        assert "channels at" in str(error) and "Use .wav" in str(error) and os.listdir(tmp_path) == []
    else:
        info = soundfile.info(path)
        assert (info.channels, info.samplerate, info.frames) == (channels, rate, 99)


@pytest.mark.parametrize("suffix", sorted(set(soundfile.available_formats()) - {"RAW", "SD2"}))
def test_every_other_kind_keeps_what_it_takes(tmp_path, suffix):
    path = tmp_path / f"a.{suffix.lower()}"
    for channels, rate in ((1, 44100), (2, 48000)):
        try:
            write_audio(path, noise(channels, 1003), rate)
        except AudioError as error:
            assert "cannot be written as" in str(error)
        else:
            info = soundfile.info(path)
            assert (info.channels, info.samplerate, info.frames) == (channels, rate, 1003)


@pytest.mark.parametrize("suffix", ["raw", "sd2", "SD2", "txt", ""])
def test_kinds_without_a_header_of_their_own_are_refused(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioError, match=r"has no known audio suffix: use \.wav or \.flac"):
        write_audio(tmp_path / f"a.{suffix}", noise(1, 99), RATE)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", ["wav", "opus", "aif", "oga", "sd2", "raw"])
def test_commands_write_what_can_be_written(tmp_path, suffix):
    if suffix in audio_suffixes():
        check_audio_file(tmp_path / f"a.{suffix}")
    else:
        with pytest.raises(AudioError, match="has no known audio suffix"):
            check_audio_file(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_samples(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix in FLOATS:
        write_audio(path, torch.zeros(2, 0), RATE)
        assert soundfile.info(path).frames == 0
    else:
        with pytest.raises(AudioError, match="there are no samples"):
            write_audio(path, torch.zeros(2, 0), RATE)
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("rate", [0, -1, 44100.5, float("nan"), "44100", None])
def test_sample_rates_that_are_none(tmp_path, rate):
    with pytest.raises(AudioError, match="sample rates are whole and positive"):
        write_audio(tmp_path / "a.wav", noise(), rate)


@pytest.mark.parametrize(
    "signal", [torch.zeros(5), torch.zeros(1, 2, 3), torch.zeros(2, 9, dtype=torch.int16), torch.zeros(2, 9).cfloat()]
)
def test_signals_that_are_none(tmp_path, signal):
    with pytest.raises(AudioError, match=r"a\.wav.*(has the shape|takes floats)"):
        write_audio(tmp_path / "a.wav", signal, RATE)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_other_widths(tmp_path, dtype):
    write_audio(tmp_path / "a.wav", noise().to(dtype), RATE)
    assert torch.equal(read_audio(tmp_path / "a.wav")[0], noise().to(dtype).float())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("peak", [1.0, 1.8, float("nan")])
def test_clipping_is_said(tmp_path, suffix, peak):
    signal, notices = noise(2, 5000), []
    signal[1, 4000] = -peak
    path = tmp_path / f"a.{suffix}"
    if peak != peak and suffix not in FLOATS:
        with pytest.raises(AudioError, match="holds NaN or infinity"):
            write_audio(path, signal, RATE)
        return
    with audio_writer(path, 2, RATE, 5000, notices.append) as write:
        for block in signal.split(999, 1):
            write(block)
    if suffix in FLOATS or peak == 1:
        assert notices == []
    else:
        assert len(notices) == 1
        for words in (f"a.{suffix} is clipped", "+5.1 dB", ".wav", "lower the level by 5.2 dB"):
            assert words in notices[0]
        with pytest.warns(UserWarning, match=r"is clipped: the sound peaks at \+5\.1 dB"):
            write_audio(path, signal, RATE)


@pytest.mark.parametrize(
    "suffix, kind", [("wav", "RF64"), ("aiff", None), ("au", None), ("w64", "W64"), ("flac", "FLAC")]
)
def test_more_than_four_gigabytes(tmp_path, suffix, kind):
    path = tmp_path / f"a.{suffix}"
    try:
        with audio_writer(path, 2, RATE, 2**30) as write:
            write(noise())
    except AudioError as error:
        assert kind is None and "more than 4 GB" in str(error) and ".wav" in str(error)
    else:
        assert soundfile.info(path).format == kind


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no disk that is always full")
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3", "aiff", "caf"])
@pytest.mark.parametrize("length", [10, 300000])
def test_a_full_disk_is_called_that(tmp_path, monkeypatch, suffix, length):
    write_audio(tmp_path / f"a.{suffix}", noise(), RATE)
    before = (tmp_path / f"a.{suffix}").read_bytes()

    def full(path, mode, **options):
        os.symlink("/dev/full", path)
        return open(path, mode, **options)

    monkeypatch.setattr("grafx.audio_writer.open", full, raising=False)
    with pytest.raises(AudioError, match=rf"a\.{suffix} cannot be written: the disk is full\."):
        write_audio(tmp_path / f"a.{suffix}", noise(2, length), RATE)
    assert os.listdir(tmp_path) == [f"a.{suffix}"] and (tmp_path / f"a.{suffix}").read_bytes() == before


@pytest.mark.parametrize("suffix, room", [("wav", 1000), ("ogg", 30000)])
@pytest.mark.slow
def test_a_disk_that_becomes_full(tmp_path, suffix, room):
    """No file may have more than so many bytes, which is how a quota ends, too."""
    code = f"""
import resource, signal, torch
from grafx.audio import write_audio
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
write_audio("a.{suffix}", 0.1 * torch.randn(2, 100000), 44100)
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert f"AudioError: a.{suffix} cannot be written: File too large." in result.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", sorted(audio_suffixes()))
def test_no_header_carries_the_time(tmp_path, suffix):
    """libsndfile puts it in little or big endian, or in words; anything of this year would be the present."""
    path = tmp_path / f"a.{suffix}"
    before = int(time.time())
    try:
        write_audio(path, 0.1 * torch.ones(1, 100), 8000)
    except AudioError:
        pytest.skip("does not take this signal")
    head = path.read_bytes()[:200]
    for now in range(before, int(time.time()) + 1):
        assert struct.pack("<I", now) not in head and struct.pack(">I", now) not in head
    assert time.strftime("%Y").encode() not in head
    torch.testing.assert_close(read_audio(path)[0][:, :100].mean().item(), 0.1, rtol=0, atol=0.02)
