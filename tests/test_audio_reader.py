"""Files as other programs write them: whole, in blocks, and as FFmpeg counts them."""

import os
import shutil
import struct
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch

from grafx.audio import StemStream, audio_blocks, read_audio, read_header, read_stems
from grafx.errors import AudioError

RATE, LENGTH = 44100, 90001


@pytest.fixture(scope="module")
def sound():
    """Silence, a click and noise: what encoders of variable bit rate take for very different things."""
    generator = np.random.default_rng(0)
    noise = 0.3 * generator.standard_normal((2, LENGTH)) * (np.arange(LENGTH) > LENGTH // 2)
    noise[:, 1000] = 0.8
    return noise.clip(-1, 1).astype(np.float32)


class Pipe:
    """A file that is only written to, from beginning to end."""

    def __init__(self, path):
        self.file = open(path, "wb")  # noqa: SIM115
        self.write = self.file.write


def encode(path, sound, codec, kind, options=None, bit_rate=None, pipe=False):
    av = pytest.importorskip("av")
    target = Pipe(path) if pipe else str(path)
    with av.open(target, "w", format=kind, options=options or {}) as container:
        stream = container.add_stream(codec, rate=RATE, layout="stereo")
        if bit_rate:
            stream.bit_rate = bit_rate
        else:
            stream.options = {"q": "4", "b": "0"} if codec == "libmp3lame" else {}
        kind = "fltp" if codec != "flac" else "s16"
        samples = sound if kind == "fltp" else (32767 * sound.T).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=kind, layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for part in [frame, None]:
            container.mux(stream.encode(part))
    if pipe:
        target.file.close()
    return path


CASES = {
    "tagged.mp3": ("libmp3lame", "mp3", {}, None, False),
    "bare.mp3": ("libmp3lame", "mp3", {"write_xing": "0", "id3v2_version": "0"}, None, False),
    "constant.mp3": ("libmp3lame", "mp3", {"write_xing": "0"}, 128000, False),
    "piped.mp3": ("libmp3lame", "mp3", {}, None, True),
    "a.flac": ("flac", "flac", {}, None, False),
    "piped.flac": ("flac", "flac", {}, None, True),
    "a.m4a": ("aac", "ipod", {}, 128000, False),
    "a.aac": ("aac", "adts", {}, 128000, False),
    "a.mka": ("flac", "matroska", {}, None, False),
}
EXACT = {"tagged.mp3", "a.flac", "piped.flac", "a.mka"}


@pytest.mark.parametrize("name", CASES)
def test_whole_and_blocks_agree_with_ffmpeg(tmp_path, sound, name):
    path = encode(tmp_path / name, sound, *CASES[name])
    notices, said = [], []
    whole, rate = read_audio(path, notices.append)
    blocks = torch.cat(list(audio_blocks(path, 7777)), 1)
    assert rate == RATE and torch.equal(blocks, whole)
    stems, _ = read_stems([path], RATE, notice=notices.append)
    stream = StemStream([path], RATE, said.append)
    assert stream.num_samples == whole.shape[1] and torch.equal(torch.cat(list(stream.blocks(9999)), -1), stems)
    assert 0 <= whole.shape[1] - LENGTH < 4000 and (name not in EXACT or whole.shape[1] == LENGTH)
    late = name in ("bare.mp3", "constant.mp3", "piped.mp3", "a.aac")
    assert [("late" in text) for text in notices] == [True] * 2 * late and len(said) == late
    spectra = [torch.fft.rfft(x, 2**18) for x in (whole[0], torch.from_numpy(sound[0]))]
    lag = int(torch.fft.irfft(spectra[0] * spectra[1].conj()).argmax())
    assert lag == 0 or (late and 0 < lag < 2500)
    if shutil.which("ffmpeg"):
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"]
        expected = subprocess.run(command, capture_output=True, check=True).stdout
        expected = torch.from_numpy(np.frombuffer(expected, "<f4").reshape(-1, 2).T.copy())
        torch.testing.assert_close(whole, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_headers_tell_what_is_read(tmp_path, sound, name, monkeypatch):
    path = encode(tmp_path / name, sound, *CASES[name])
    whole, rate = read_audio(path, str)
    monkeypatch.setattr("grafx.audio_reader._Av.pieces", None)  # nothing is decoded
    header = read_header(path)
    assert (header.samplerate, header.channels) == (rate, 2)
    if name in ("bare.mp3", "constant.mp3", "piped.mp3", "piped.flac", "a.aac"):
        assert header.seconds == float("inf")
    else:
        assert abs(header.seconds - whole.shape[1] / rate) < (0.1 if name == "a.m4a" else 1e-3)


@pytest.mark.parametrize("name", ["bare.mp3", "piped.flac"])
def test_what_is_not_counted_is_refused_without_pyav(tmp_path, sound, monkeypatch, name):
    path = encode(tmp_path / name, sound, *CASES[name])
    monkeypatch.setitem(sys.modules, "av", None)
    for read in (read_audio, lambda path: StemStream([path], RATE)):
        with pytest.raises(AudioError, match=rf"{name} cannot be read.*does not declare its length.*extra 'demo'"):
            read(path)


@pytest.mark.parametrize("name", ["a.m4a", "a.aac"])
def test_what_is_not_known_is_refused_without_pyav(tmp_path, sound, monkeypatch, name):
    path = encode(tmp_path / name, sound, *CASES[name])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=rf"{name} cannot be read as audio.*convert it to WAV.*extra 'demo'"):
        read_audio(path)


@pytest.mark.parametrize("part", [0.0005, 0.4, 0.999])
@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "aiff", "tagged.mp3", "m4a", "w64", "au"])
def test_what_is_cut_short_is_said_or_refused(tmp_path, sound, kind, part):
    path = tmp_path / f"whole.{kind}"
    if kind in ("tagged.mp3", "m4a"):
        encode(path, sound, *CASES[kind if "." in kind else "a.m4a"])
    else:
        soundfile.write(path, sound[:, : LENGTH - 1].T, RATE, format=kind.upper())
    data = path.read_bytes()
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(data[: int(len(data) * part)])
    if part == 0.999 and kind == "m4a":
        return  # what is missing is not sound
    try:
        assert read_header(cut).faults  # the end is all that is missing
    except AudioError as error:
        assert f"cut.{kind}" in str(error)
    notices = []
    try:
        whole, _ = read_audio(cut, notices.append)
        blocks = torch.cat(list(audio_blocks(cut, 5000)), 1)
        assert torch.equal(whole, blocks) and whole.shape[1] < LENGTH
        assert any("cut short" in text for text in notices), (whole.shape, notices)
    except AudioError as error:
        assert f"cut.{kind}" in str(error)
        if kind == "flac":
            assert "FLAC" not in str(error) and "cut short" in str(error)


def header(size, data):
    """A WAV file whose header says how many bytes there are, rightly or not."""
    return (
        b"RIFF"
        + struct.pack("<I", size + 36)[:4]
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 2, RATE, 4 * RATE, 4, 16)
        + b"data"
        + struct.pack("<I", size)
        + data
    )


@pytest.mark.parametrize("size", [0, 2**31 - 1, 2**31, 2**32 - 40])
def test_headers_that_do_not_know_the_length(tmp_path, sound, size):
    if size == 0:
        pytest.importorskip("av")
    path = tmp_path / "a.wav"
    samples = (32767 * sound.T[:1001]).astype("<i2")
    path.write_bytes(header(size, samples.tobytes()))
    notices = []
    assert read_audio(path, notices.append)[0].shape == (2, 1001) and notices == []
    assert sum(block.shape[1] for block in audio_blocks(path, 100)) == 1001


@pytest.mark.parametrize("rate", [1, 8000, 384000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "DOUBLE"])
def test_rates_and_widths(tmp_path, sound, rate, subtype):
    path = tmp_path / "a.wav"
    soundfile.write(path, sound[:, :1200].T, rate, subtype=subtype)
    signal, found = read_audio(path)
    assert found == rate and (signal - torch.from_numpy(sound[:, :1200])).abs().max() <= 2**-7


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_with_a_name(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="is not a file"):
        read_audio(tmp_path / "a.wav")


def test_a_playlist_reads_no_other_files(tmp_path, sound):
    soundfile.write(tmp_path / "secret.wav", sound.T, RATE)
    (tmp_path / "a.m4a").write_text(f"#EXTM3U\n#EXTINF:2,\n{tmp_path / 'secret.wav'}\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioError, match=r"a\.m4a cannot be read as audio"):
        read_audio(tmp_path / "a.m4a")


def test_warnings_are_the_default(tmp_path, sound):
    path = tmp_path / "a.wav"
    soundfile.write(path, sound.T, RATE)
    path.write_bytes(path.read_bytes()[:100000])
    with pytest.warns(UserWarning, match=r"a\.wav is cut short: 0\.\d+ s are there of the 2\.041 s"):
        read_audio(path)
