"""Sounds as compressed as browsers play them: FLAC without loss, or Opus."""

import io
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
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
    """

    content: bytes
    codec: Codec
    gain: float


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
    if signal.shape[0] > 1 and all(torch.equal(signal[0], other) for other in signal[1:]):
        signal = signal[:1]
    loudest = signal.abs().max().item() if signal.numel() else 0.0
    gain = loudest / PEAK if loudest > 0 else 1.0
    frames = (signal / gain).T.contiguous().numpy()
    file = io.BytesIO()
    if kbps is None:
        soundfile.write(file, frames, sample_rate, format="FLAC", subtype="PCM_16")
        return Encoded(file.getvalue(), "flac", gain)
    if sample_rate != OPUS_RATE:
        import soxr

        frames = soxr.resample(frames, sample_rate, OPUS_RATE)
    level = 1 - (kbps / 2 - LEAST_KBPS) / (MOST_KBPS - LEAST_KBPS)
    soundfile.write(file, frames, OPUS_RATE, format="OGG", subtype="OPUS", compression_level=min(max(level, 0.0), 1.0))
    content = with_serial(file.getvalue(), SERIAL)
    return Encoded(content, "opus", gain * _level_lost(frames, content))


def _level_lost(frames: np.ndarray, content: bytes) -> float:
    """By how much Opus has made a sound softer, which it does to what it has few bits for."""
    import soundfile

    decoded, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    before, after = (loudness(torch.from_numpy(x.T.copy()), OPUS_RATE) for x in (frames, decoded))
    lost = before - after
    return 10 ** (lost / 20) if abs(lost) < MOST_LOST else 1.0


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
