import io

import numpy as np
import pytest
import soundfile
import torch

from grafx.report.codec import encode, heard_loudness, ogg_checksum, with_serial

RATE = 44100


def decoded(file):
    signal, rate = soundfile.read(io.BytesIO(file.content), dtype="float64", always_2d=True)
    return file.gain * signal.T, rate


def music(channels=2, seconds=1.0, level=0.2):
    times = torch.arange(int(seconds * RATE)) / RATE
    tones = [torch.sin(6.283 * f * times) * torch.exp(-3 * times) for f in (220.0, 331.0, 1400.0, 5200.0)]
    noise = torch.randn(channels, len(times), generator=torch.Generator().manual_seed(0))
    return level * (sum(tones) + 0.05 * noise)


@pytest.mark.parametrize("level", [1e-5, 0.2, 40.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_flac_is_within_half_a_step(channels, level):
    signal = music(channels, level=level)
    file = encode(signal, RATE)
    own, rate = decoded(file)
    assert (file.codec, rate, own.shape) == ("flac", RATE, tuple(signal.shape))
    assert np.abs(own - signal.numpy()).max() <= file.gain * 0.51 / 32768
    assert file.gain == pytest.approx(signal.abs().max().item() / 0.89, rel=1e-3)


@pytest.mark.parametrize("level", [1e-4, 0.2, 40.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_opus_keeps_the_sound_and_its_level(level, channels):
    import soxr

    signal = music(channels, level=level)
    file = encode(signal, RATE, 128)
    own, rate = decoded(file)
    expected = soxr.resample(signal.T.numpy(), RATE, 48000).T
    assert (file.codec, rate, own.shape) == ("opus", 48000, expected.shape)
    error = np.square(own - expected).mean() / np.square(expected).mean()
    assert 10 * np.log10(error) < -15
    assert heard_loudness(torch.from_numpy(own), 48000) == pytest.approx(heard_loudness(signal, RATE), abs=0.1)
    assert np.abs(own / file.gain).max() < 1


@pytest.mark.parametrize("kbps", [128, 64, 32])
def test_opus_has_about_the_bit_rate_asked_for(kbps):
    size = {channels: 8 * len(encode(music(channels, 3.0), RATE, kbps).content) / 3000 for channels in (1, 2)}
    assert size[2] == pytest.approx(kbps, rel=0.25) and size[1] == pytest.approx(kbps / 2, rel=0.25)


@pytest.mark.parametrize("kbps", [None, 64])
def test_the_same_audio_gives_the_same_bytes(kbps):
    assert encode(music(), RATE, kbps).content == encode(music().clone(), RATE, kbps).content


@pytest.mark.parametrize("kbps", [None, 64])
def test_channels_that_are_alike_are_one(kbps):
    signal = music(1).expand(2, -1)
    assert encode(signal, RATE, kbps).content == encode(music(1), RATE, kbps).content


@pytest.mark.parametrize("kbps", [None, 64])
@pytest.mark.parametrize("signal", [torch.zeros(2, 500), torch.zeros(1, 1), 1e-30 * torch.ones(1, 100)])
def test_silence_and_short_sounds_are_encoded(signal, kbps):
    own, _ = decoded(encode(signal, RATE, kbps))
    assert np.abs(own).max() < 1e-6


def test_pages_of_ogg_have_the_checksums_that_libsndfile_writes():
    file = io.BytesIO()
    soundfile.write(file, music(1, 2.0)[0].numpy(), 48000, format="OGG", subtype="OPUS")
    content = file.getvalue()
    serial = int.from_bytes(content[14:18], "little")
    assert with_serial(content, serial) == content
    other = with_serial(content, serial ^ 1)
    assert len(other) == len(content) and other != content
    own, expected = (soundfile.read(io.BytesIO(c))[0] for c in (other, content))
    assert np.array_equal(own, expected)


def test_the_checksum_is_that_of_the_polynomial():
    def bit_by_bit(data):
        register = 0
        for byte in data:
            register ^= byte << 24
            for _ in range(8):
                register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
            register &= 0xFFFFFFFF
        return register

    for data in (b"", b"OggS", bytes(range(256))):
        assert ogg_checksum(data) == bit_by_bit(data)
