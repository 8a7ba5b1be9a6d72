import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from grafx.audio import StemStream, audio_writer, conform, read_audio, read_stems, write_audio
from grafx.errors import AudioError

LENGTH = 3001


def noise(channels=2, length=LENGTH, seed=0):
    return 0.2 * torch.randn(channels, length, generator=torch.Generator().manual_seed(seed))


def sine(frequency, rate, seconds=1.0, channels=2):
    time = torch.arange(round(rate * seconds)) / rate
    return (0.5 * torch.sin(2 * torch.pi * frequency * time)).expand(channels, -1).clone()


class Notices(list):
    def __call__(self, text):
        self.append(text)


@pytest.fixture
def notices():
    return Notices()


@pytest.fixture
def store(tmp_path):
    """Writes a file without our help."""

    def write(name, signal, rate=44100, **options):
        path = tmp_path / name
        soundfile.write(path, signal.T.numpy(), rate, **{"subtype": "FLOAT", **options})
        return path

    return write


# Round trips


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_wav_keeps_every_value(tmp_path, channels, rate):
    signal = 30 * noise(channels)  # far over full scale
    signal[0, :3] = torch.tensor([1e-30, -1.5, 1e30])
    write_audio(tmp_path / "a.wav", signal, rate)
    back, back_rate = read_audio(tmp_path / "a.wav")
    assert torch.equal(back, signal) and back_rate == rate and back.dtype == torch.float32
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("suffix, tolerance", [(".flac", 2**-22), (".aiff", 0), (".WAV", 0), (".ogg", 0.2)])
def test_other_kinds(tmp_path, suffix, tolerance):
    signal = sine(440, 44100)
    path = tmp_path / f"a{suffix}"
    write_audio(path, signal, 44100)
    back, rate = read_audio(path)
    assert rate == 44100 and back.shape == signal.shape
    assert (back - signal).abs().max() <= tolerance


def test_flac_clips_over_full_scale(tmp_path):
    write_audio(tmp_path / "a.flac", torch.tensor([[2.0, -2.0, 0.5]]), 44100)
    assert torch.allclose(read_audio(tmp_path / "a.flac")[0], torch.tensor([[1.0, -1.0, 0.5]]), atol=1e-6)


@pytest.mark.parametrize(
    "subtype, step", [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("PCM_U8", 2**-7)]
)
def test_integers_become_fractions_of_full_scale(store, subtype, step):
    signal = noise().clamp(-0.9, 0.9)
    back, _ = read_audio(store("a.wav", signal, subtype=subtype))
    assert (back - signal).abs().max() <= step


def test_doubles_are_read(store):
    back, _ = read_audio(store("a.wav", noise().double(), subtype="DOUBLE"))
    assert torch.equal(back, noise())


def test_what_is_written_may_require_gradients(tmp_path):
    write_audio(tmp_path / "a.wav", noise().requires_grad_(), 44100)
    write_audio(tmp_path / "b.wav", noise().double(), 44100)
    assert torch.equal(read_audio(tmp_path / "a.wav")[0], read_audio(tmp_path / "b.wav")[0])


def test_folders_are_made(tmp_path):
    write_audio(tmp_path / "x" / "y" / "a.wav", noise(), 44100)
    assert read_audio(tmp_path / "x" / "y" / "a.wav")[0].shape == (2, LENGTH)


def test_paths_may_be_strings_with_anything_in_them(tmp_path):
    path = f"{tmp_path}/ä [take 2] (1)%d.wav"
    write_audio(path, noise(), 44100)
    assert torch.equal(read_audio(path)[0], noise())


# Files that cannot be used


def test_a_missing_file(tmp_path):
    with pytest.raises(AudioError, match=r"nothing\.wav is not a file"):
        read_audio(tmp_path / "nothing.wav")


def test_a_folder(tmp_path):
    with pytest.raises(AudioError, match="is not a file"):
        read_audio(tmp_path)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "txt", "raw", ""])
@pytest.mark.parametrize("content", [b"", b"Dear diary,\n", b"RIFF\0\0\0\0WAVEfmt ", bytes(range(256)) * 8])
def test_a_file_that_is_no_audio(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"a\.\w*.*(convert it to WAV|holds no samples|NaN)"):
        read_audio(path)


def test_headers_alone_are_empty(store):
    with pytest.raises(AudioError, match="is empty"):
        read_audio(store("a.wav", torch.zeros(2, 0)))


def test_an_ogg_file_that_is_cut_before_its_first_sample(tmp_path, store):
    whole = store("whole.ogg", noise(2), subtype="VORBIS").read_bytes()
    first_of_sound = whole.rindex(b"OggS")
    (tmp_path / "a.ogg").write_bytes(whole[: first_of_sound + 100])
    with pytest.raises(AudioError, match="cut short"):
        read_audio(tmp_path / "a.ogg")


@pytest.mark.parametrize("channels", [3, 6])
def test_surround(store, channels):
    with pytest.raises(AudioError, match=f"{channels} channels.*mix it down"):
        read_audio(store("a.wav", noise(channels)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(store, value):
    signal = noise()
    signal[1, 2205] = value
    with pytest.raises(AudioError, match=r"NaN or infinity, first at 0\.050 s"):
        read_audio(store("a.wav", signal))


def test_a_double_beyond_float32_is_not_finite(store):
    signal = noise().double()
    signal[0, 0] = 1e300
    with pytest.raises(AudioError, match="infinity"):
        read_audio(store("a.wav", signal, subtype="DOUBLE"))


# Targets that cannot be written


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.", ".wav.txt", "a.raw"])
def test_an_unknown_suffix(tmp_path, name):
    with pytest.raises(AudioError, match=r"suffix.*\.wav or \.flac"):
        write_audio(tmp_path / name, noise(), 44100)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(AudioError, match=r"a\.wav cannot be written"):
        write_audio(tmp_path / "file" / "a.wav", noise(), 44100)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_target_that_is_a_folder(tmp_path):
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(AudioError, match=r"a\.wav cannot be written"):
        write_audio(tmp_path / "a.wav", noise(), 44100)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(AudioError, match="cannot be written"):
        write_audio(tmp_path / "a.wav", noise(), 44100)
    tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    "fault", [soundfile.SoundFileRuntimeError("disk full"), OSError("disk full"), KeyboardInterrupt()]
)
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, fault):
    write_audio(tmp_path / "a.wav", noise(), 44100)
    before = (tmp_path / "a.wav").read_bytes()

    def fail(file, samples):
        raise fault

    monkeypatch.setattr(soundfile.SoundFile, "write", fail)
    with pytest.raises((AudioError, KeyboardInterrupt)):
        write_audio(tmp_path / "a.wav", 2 * noise(), 44100)
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


# Conforming


@pytest.mark.parametrize(
    "rate, target", [(48000, 44100), (22050, 44100), (96000, 44100), (44100, 48000), (8000, 44100)]
)
def test_a_sine_keeps_its_frequency_level_and_time(notices, rate, target):
    found = conform(sine(1000, rate), rate, target, "tone.wav", notices)
    expected = sine(1000, target)
    assert abs(found.shape[1] - expected.shape[1]) <= 1
    middle = slice(target // 10, -target // 10)
    length = min(found.shape[1], expected.shape[1])
    assert torch.allclose(found[:, :length][:, middle], expected[:, :length][:, middle], atol=2e-3)
    assert notices == [f"tone.wav is converted from {rate} to {target} Hz."]


def test_what_conforms_is_not_touched(notices):
    signal = noise()
    assert torch.equal(conform(signal, 44100, 44100, "a", notices), signal) and notices == []


def test_mono_is_put_on_both_channels(notices):
    signal = noise(1)
    found = conform(signal, 44100, 44100, "a.wav", notices)
    assert torch.equal(found, signal.expand(2, -1)) and found.is_contiguous()
    assert len(notices) == 1 and "a.wav is mono" in notices[0]


def test_stems_of_all_kinds(store, notices):
    paths = [
        store("stereo.wav", noise(length=4410)),
        store("mono.wav", noise(1, length=4410)),
        store("other.wav", sine(500, 22050, 0.1), 22050),
        store("short.wav", noise(length=4000)),
        store("int.flac", noise(length=4410), subtype="PCM_16"),
    ]
    stems, rate = read_stems(paths, notice=notices)
    assert stems.shape == (5, 2, 4410) and rate == 44100
    assert torch.equal(stems[0], noise(length=4410))
    assert torch.equal(stems[1, 0], stems[1, 1])
    assert torch.equal(stems[3], torch.nn.functional.pad(noise(length=4000), (0, 410)))
    about = {name: [text for text in notices if name in text] for name in ("stereo", "mono", "other", "short", "int")}
    assert {name: len(texts) for name, texts in about.items()} == {
        "stereo": 0,
        "mono": 1,
        "other": 1,
        "short": 1,
        "int": 0,
    }
    assert "padded with 0.009 s of silence at its end, to 0.100 s" in about["short"][0]


def test_stems_are_cut_to_a_length_that_is_given(store, notices):
    stems, _ = read_stems([store("a.wav", noise(length=5000))], num_samples=4410, notice=notices)
    assert torch.equal(stems[0], noise(length=5000)[:, :4410])
    assert len(notices) == 1 and "cut by 0.013 s at its end, to 0.100 s" in notices[0]


def test_stems_take_the_sample_rate_that_is_given(store, notices):
    paths = [store("a.wav", sine(300, 44100, 0.2)), store("b.wav", sine(300, 48000, 0.2), 48000)]
    stems, rate = read_stems(paths, sample_rate=48000, notice=notices)
    assert rate == 48000 and stems.shape == (2, 2, 9600)
    assert torch.allclose(stems[0][:, 1000:-1000], stems[1][:, 1000:-1000], atol=2e-3)
    assert len(notices) == 1 and "a.wav is converted from 44100 to 48000 Hz" in notices[0]


def test_a_silent_stem_is_mentioned(store, notices):
    stems, _ = read_stems([store("a.wav", noise()), store("b.wav", torch.zeros(2, LENGTH))], notice=notices)
    assert not stems[1].any() and len(notices) == 1 and "b.wav is silent" in notices[0]


def test_stems_that_are_all_silent_are_refused(store, notices):
    with pytest.raises(AudioError, match="All stems are silent"):
        read_stems([store("a.wav", torch.zeros(2, 100)), store("b.wav", torch.zeros(1, 100))], notice=notices)


def test_a_bad_stem_among_good_ones_is_named(store, tmp_path, notices):
    with pytest.raises(AudioError, match=r"lost\.wav"):
        read_stems([store("a.wav", noise()), tmp_path / "lost.wav"], notice=notices)


def test_notices_are_printed_by_default(store, capsys):
    read_stems([store("a.wav", noise(1))])
    assert "mono" in capsys.readouterr().out


@pytest.mark.slow
def test_importing_does_not_need_soundfile():
    code = "import sys; sys.modules['soundfile'] = sys.modules['soxr'] = None; import grafx.audio"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("size", [1, 777, 10**6])
def test_stems_in_blocks_are_those_that_are_read_on_the_whole(store, notices, size):
    long, short = sine(440, 48000, 0.05), noise(channels=1, length=1000)
    paths = [store("long.wav", long, 48000), store("short.wav", short, 44100)]
    whole, _ = read_stems(paths, 44100, notice=notices)
    said = list(notices)
    notices.clear()
    stream = StemStream(paths, 44100, notices)
    blocks = list(stream.blocks(size))
    assert sorted(notices) == sorted(said)
    assert all(block.shape == (2, 2, size) for block in blocks[:-1])
    assert stream.num_samples == whole.shape[-1]
    torch.testing.assert_close(torch.cat(blocks, -1), whole, rtol=0, atol=1e-6)


def test_a_bad_sample_is_found_in_its_block(store):
    bad = noise(length=100000)
    bad[0, 90000] = torch.nan
    stream = StemStream([store("bad.wav", bad)], 44100)
    with pytest.raises(AudioError, match=r"bad.wav holds NaN or infinity, first at 2.041 s"):
        list(stream.blocks(1000))


def test_what_is_written_in_blocks_is_there_when_all_is_written(tmp_path):
    signal = noise(length=1000)
    with audio_writer(tmp_path / "a.wav", 2, 44100, 1000) as write:
        for block in signal.split(300, -1):
            write(block)
        assert not (tmp_path / "a.wav").exists()
    assert torch.equal(read_audio(tmp_path / "a.wav")[0], signal)


def test_errors_while_blocks_are_made_are_not_those_of_the_file(tmp_path):
    with pytest.raises(RuntimeError, match="mine"), audio_writer(tmp_path / "a.wav", 2, 44100, 1000):
        raise RuntimeError("mine")
    assert not list(tmp_path.iterdir())


def test_very_long_files_are_of_the_large_kind(tmp_path):
    with audio_writer(tmp_path / "a.wav", 2, 44100, 2**30) as write:
        write(noise(length=10))
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    assert read_audio(tmp_path / "a.wav")[0].shape == (2, 10)


@pytest.mark.parametrize(
    "rate, sample_rate", [(32000, 48000), (44100, 48000), (48000, 44100), (8000, 11025), (96000, 22050)]
)
def test_stems_are_as_long_in_blocks_as_on_the_whole(store, notices, rate, sample_rate):
    import soxr

    for length in (*range(200, 206), 1001, 4410):
        path = store(f"{length}.wav", noise(2, length), rate)
        whole, _ = read_stems([path], sample_rate, notice=notices)
        stream = StemStream([path], sample_rate, notices)
        blocks = torch.cat(list(stream.blocks(100)), -1)
        assert stream.num_samples == whole.shape[-1] == blocks.shape[-1]
        assert whole.shape[-1] == len(soxr.resample(np.zeros(length), rate, sample_rate))
        torch.testing.assert_close(blocks, whole, rtol=0, atol=1e-5)
