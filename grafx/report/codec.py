"""Sounds as compressed as browsers play them: FLAC without loss, or Opus."""

import io
import math
import zlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..search.loudness import loudness

Codec = Literal["flac", "opus"]

MIME = {"flac": "audio/flac", "opus": "audio/ogg", "wav": "audio/wav"}
OPUS_RATE = 48000  # Hz, at which Opus works
LEAST_KBPS, MOST_KBPS = 6, 256  # of a channel, as libsndfile maps its compression level
MOST_LOST = 6.0  # dB of level that are given back
PEAK = 0.89  # −1 dB, as what Opus decodes to may overshoot
SERIAL = 0x67726678  # of the only stream in a file
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Encoded:
    """An encoded sound.

    Attributes:
        content: A file.
        codec: ``"flac"`` or ``"opus"``.
        gain: Factor by which a player multiplies what it decodes.
        lufs: How loud the sound is, as :func:`heard_loudness` measures it.
    """

    content: bytes
    codec: Codec
    gain: float
    lufs: float


def encode(signal: Tensor, sample_rate: int, kbps: float | None = None) -> Encoded:
    """Encode ``(C, L)``, mono where all channels are alike; the same signal gives the same bytes.

    A signal is brought to a peak of −1 dB, so that none clips and soft ones keep as many digits as loud ones. Without a
    bit rate it becomes FLAC of 16 bits at its own rate, whose error is at most half a step; else Opus at 48 kHz, with
    the loudness that it had.

    Args:
        signal: ``(C, L)``.
        sample_rate: In Hz.
        kbps: Thousands of bits a second of two channels, for Opus; those of one are half.
    """
    import soundfile

    signal = signal.detach().float()
    lufs = heard_loudness(signal, sample_rate)
    if signal.shape[0] > 1 and all(torch.equal(signal[0], other) for other in signal[1:]):
        signal = signal[:1]
    loudest = signal.abs().max().item() if signal.numel() else 0.0
    gain = loudest / PEAK if loudest > 0 else 1.0
    frames = (signal / gain).T.contiguous().numpy()
    file = io.BytesIO()
    if kbps is None:
        soundfile.write(file, frames, sample_rate, format="FLAC", subtype="PCM_16")
        return Encoded(file.getvalue(), "flac", gain, lufs)
    if sample_rate != OPUS_RATE:
        import soxr

        frames = soxr.resample(frames, sample_rate, OPUS_RATE)
    level = 1 - (kbps / 2 - LEAST_KBPS) / (MOST_KBPS - LEAST_KBPS)
    soundfile.write(file, frames, OPUS_RATE, format="OGG", subtype="OPUS", compression_level=min(max(level, 0.0), 1.0))
    content = with_serial(file.getvalue(), SERIAL)
    decoded, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    lost = lufs - 20 * math.log10(gain) - heard_loudness(torch.from_numpy(decoded.T.copy()), OPUS_RATE)
    # Opus makes softer what it has few bits for, or what is above 20 kHz.
    given_back = 10 ** (lost / 20) if abs(lost) < MOST_LOST else 1.0
    return Encoded(content, "opus", gain * given_back, lufs)


def heard_loudness(signal: Tensor, sample_rate: float) -> float:
    """The loudness in LUFS of a sound ``(C, L)`` as players play it: a mono one on both channels."""
    return loudness(signal.expand(2, -1) if signal.shape[0] == 1 else signal, sample_rate)


def with_serial(content: bytes, serial: int) -> bytes:
    """Give the pages of an Ogg file another serial number, which libsndfile draws at random, and their checksums.

    References:
        RFC 3533, "The Ogg encapsulation format version 0", 2003.
    """
    pages = []
    start = 0
    while start < len(content):
        segments = content[start + 26]
        end = start + 27 + segments + sum(content[start + 27 : start + 27 + segments])
        page = bytearray(content[start:end])
        page[14:18] = serial.to_bytes(4, "little")
        page[22:26] = bytes(4)
        page[22:26] = ogg_checksum(page).to_bytes(4, "little")
        pages.append(page)
        start = end
    return b"".join(pages)


def ogg_checksum(page: bytes | bytearray) -> int:
    """The CRC-32 of Ogg: that of zlib with bits in the other order, and without inversions at both ends."""
    reflected = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)
