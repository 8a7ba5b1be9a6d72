"""Audio file output, in blocks and atomic."""

import math
import operator
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from errno import EDQUOT, ENOSPC
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from .errors import AudioError
from .files import replacing
from .text import Notice, printable

LARGEST = 2**32 - 2**16
PIECE = 2**16
KINDS = {
    "aif": ("AIFF", "FLOAT"),
    "aifc": ("AIFF", "FLOAT"),
    "oga": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "snd": ("AU", "FLOAT"),
    "wave": ("WAV", "FLOAT"),
}
# Raw files have no header, and SD2 has it in a second file that is not where the sound is written.
HEADLESS = {"raw", "sd2"}
UNLIMITED = {"RF64", "W64", "CAF", "FLAC", "OGG", "MP3"}
# When a file was written, which libsndfile notes in some headers; the same sound is to be the same bytes.
TIMES = {
    "WAV": rb"PEAK.{4}\x01\0\0\0(.{4})",
    "WAVEX": rb"PEAK.{4}\x01\0\0\0(.{4})",
    "AIFF": rb"PEAK.{4}\0\0\0\x01(.{4})",
    "MAT5": rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)",
}
HEAD = 2**12
TAKES = {
    "FLAC": "up to 8 channels at up to 65535 Hz, and at multiples of 10 Hz up to 655350 Hz",
    "MP3": "1 or 2 channels at 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 or 48000 Hz",
    "OPUS": "up to 255 channels at 8000, 12000, 16000, 24000 or 48000 Hz",
    "VORBIS": "up to 255 channels at up to 200000 Hz",
}


def write_audio(path: str | os.PathLike, signal: Tensor, sample_rate: int, notice: Notice | None = None) -> None:
    """Write an audio file in the format of its suffix.

    WAV, AIFF, CAF, AU, W64 and RF64 files get 32-bit floats without loss; other formats their best integer format or
    their usual encoding. If such a format clips, this is reported. The same signal gives the same bytes, except in OGG
    files, whose streams are numbered by chance.

    Args:
        path: The file; its folder is created if needed.
        signal: ``(channels, samples)``, floats.
        sample_rate: In Hz.
        notice: Called with a sentence if the sound is clipped; by default this is a warning.

    Raises:
        AudioError: The format is unknown or does not support such a signal, or the file cannot be written.
    """
    if signal.ndim != 2:
        raise AudioError(
            f"{printable(path)} cannot be written: a signal has the shape (channels, samples), not {(*signal.shape,)}."
        )
    with audio_writer(path, signal.shape[0], sample_rate, signal.shape[1], notice) as write:
        write(signal)


@contextmanager
def audio_writer(
    path: str | os.PathLike, channels: int, sample_rate: int, num_samples: int, notice: Notice | None = None
) -> Iterator[Callable[[Tensor], None]]:
    """Open an audio file for writing in blocks; it appears when it is complete. See :func:`write_audio`.

    WAV files of more than 4 GB are written as RF64.

    Args:
        path: The file; its folder is created if needed.
        channels: Number of channels.
        sample_rate: In Hz.
        num_samples: Upper limit of the length.
        notice: Called with a sentence if the sound is clipped; by default this is a warning.

    Yields:
        A function that takes blocks ``(channels, samples)``.

    Raises:
        AudioError: As in :func:`write_audio`.
    """
    import soundfile

    name = printable(path)
    kind, subtype = _kind(Path(path).suffix[1:].lower(), name)
    codec = subtype if subtype in TAKES else kind
    _check(name, kind, subtype, codec, channels, sample_rate)
    kind = _large_enough(kind, 4 * channels * num_samples, name)
    peak, count = 0.0, 0

    def write(block: Tensor) -> None:
        nonlocal peak, count
        if block.ndim != 2 or block.shape[0] != channels or not block.is_floating_point():
            raise AudioError(f"{name} takes floats of {channels} channel(s), not {block.dtype} of {(*block.shape,)}.")
        for piece in _pieces(block):
            largest = piece.abs().amax().item()
            if subtype != "FLOAT" and not math.isfinite(largest):
                raise AudioError(f"{name} cannot be written: the signal holds NaN or infinity, which {codec} cannot.")
            with _writable(name, disk):
                file.write(piece.numpy().T)
            peak, count = max(peak, largest), count + piece.shape[1]

    with ExitStack() as stack:
        disk: Any = _open(path, name, stack)
        with _writable(name, disk):
            file = soundfile.SoundFile(disk, "w", int(sample_rate), channels, subtype, format=kind)
        try:
            yield write
        except BaseException:
            with suppress(soundfile.SoundFileError):
                file.close()
            raise
        with _writable(name, disk):
            file.close()
            _forget_time(disk, kind)
            disk.close()
        if not count and kind in ("FLAC", "MP3", "OGG"):
            raise AudioError(f"{name} cannot be written: there are no samples, and {codec} files hold at least one.")
        with _writable(name):
            stack.close()
    if subtype != "FLOAT" and peak > 1:
        (notice or _warn)(_clipping(name, codec, peak))


def _pieces(block: Tensor) -> Iterator[Tensor]:
    """A block in pieces, since encoders put as much on the stack as they are given at once."""
    for piece in block.detach().split(PIECE, -1) if block.shape[1] else ():
        yield piece.to("cpu", torch.float64 if piece.dtype == torch.float64 else torch.float32)


def _large_enough(kind: str, size: int, name: str) -> str:
    """The kind of file for so many bytes."""
    if size <= LARGEST or kind in UNLIMITED:
        return kind
    if kind != "WAV":
        raise AudioError(f"{name} would have more than 4 GB, which {kind} files cannot have: use .wav or .w64.")
    return "RF64"


def _open(path: str | os.PathLike, name: str, stack: ExitStack) -> "_Disk":
    """A file that takes the place of another when the stack is closed."""
    with _writable(name):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        partial = stack.enter_context(replacing(path))
    with _writable(name):
        return _Disk(stack.enter_context(open(partial, "w+b", buffering=0)))


def _forget_time(disk: "_Disk", kind: str) -> None:
    """Clear the time in the header of a file."""
    disk.seek(0)
    head = re.split(rb"data|SSND", disk.read(HEAD))[0]
    if kind in TIMES and (time := re.search(TIMES[kind], head, re.DOTALL)):
        disk.seek(time.start(1))
        disk.write(bytes(4) if len(time[1]) == 4 else b" " * len(time[1]))


def _clipping(name: str, codec: str, peak: float) -> str:
    decibels = 20 * math.log10(peak)
    return (
        f"{name} is clipped: the sound peaks at {decibels:+.1f} dB, and {codec} holds no more than 0 dB. Write"
        f" .wav, which keeps every value, or lower the level by {math.ceil(10 * decibels) / 10:.1f} dB."
    )


def audio_suffixes() -> set[str]:
    """The suffixes of files that can be written, in small letters and without the point."""
    import soundfile

    return {*KINDS, *map(str.lower, soundfile.available_formats())} - HEADLESS


def _kind(suffix: str, name: str) -> tuple[str, str]:
    """Return the format and its encoding."""
    import soundfile

    if suffix in KINDS:
        return KINDS[suffix]
    if suffix not in audio_suffixes():
        raise AudioError(f"{name} has no known audio suffix: use .wav or .flac.")
    subtypes = soundfile.available_subtypes(suffix.upper())
    best = (subtype for subtype in ("FLOAT", "PCM_24") if subtype in subtypes)
    return suffix.upper(), next(best, None) or str(soundfile.default_subtype(suffix.upper()))


def _check(name: str, kind: str, subtype: str, codec: str, channels: int, sample_rate: int) -> None:
    """Refuse signals that a format does not support or would not restore."""
    import soundfile

    try:
        fits = int(sample_rate) == sample_rate > 0 and operator.index(channels) > 0
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise AudioError(
            f"{name} cannot be written: sample rates are whole and positive, and there is at least one channel, but"
            f" here are {sample_rate} Hz and {channels} channel(s)."
        )
    scratch, shape = BytesIO(), (17, channels)
    try:
        # The Vorbis encoder crashes beyond this limit.
        if codec == "VORBIS" and (channels > 255 or sample_rate > 200000):
            raise ValueError
        with soundfile.SoundFile(scratch, "w", int(sample_rate), channels, subtype, format=kind) as file:
            file.write(torch.zeros(shape).numpy())
        scratch.seek(0)
        if codec not in TAKES:
            with soundfile.SoundFile(scratch) as file:
                if (file.frames, file.channels, file.samplerate) != (*shape, sample_rate):
                    raise ValueError
    except (soundfile.SoundFileError, RuntimeError, OSError, ValueError, AssertionError, OverflowError):
        takes = f" {codec} takes {TAKES[codec]}." if codec in TAKES else ""
        raise AudioError(
            f"{name} cannot be written as {codec} with {channels} channel(s) at {sample_rate} Hz.{takes} Use .wav,"
            " which takes all."
        ) from None


class _Disk:
    """A file for writing that remembers its error, which libsndfile does not report."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.fault = stream, None
        self.read, self.seek, self.tell = stream.read, stream.seek, stream.tell

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.stream.write(rest) :]
        except OSError as error:
            self.fault = self.fault or error
        return len(data) - len(rest)

    def close(self) -> None:
        self.stream.close()
        if self.fault:
            raise self.fault


@contextmanager
def _writable(name: str, disk: _Disk | None = None) -> Iterator[None]:
    import soundfile

    try:
        yield
    except (soundfile.SoundFileError, RuntimeError, OSError, AssertionError) as error:
        fault = (disk and disk.fault) or error
        full = getattr(fault, "errno", None) in (ENOSPC, EDQUOT)
        reason = "the disk is full" if full else getattr(fault, "strerror", None) or fault
        raise AudioError(f"{name} cannot be written: {printable(reason).rstrip('.')}.") from None


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=5)
