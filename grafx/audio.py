"""Audio files in and out, as ``(channels, samples)`` tensors."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .errors import AudioError

if TYPE_CHECKING:
    from soundfile import SoundFile

Notice = Callable[[str], None]
LARGEST_WAV = 2**32 - 2**16
PIECE = 2**16


def read_audio(path: str | os.PathLike) -> tuple[Tensor, int]:
    """Read an audio file of any kind that libsndfile knows (WAV, FLAC, OGG, MP3, AIFF, …).

    Args:
        path: The file.

    Returns:
        ``(signal, sample_rate)`` with a float32 signal of shape ``(channels, samples)``.

    Raises:
        AudioError: The file is missing, cannot be read, is empty, has more than two channels, or holds values that
            are not finite.
    """
    with open_audio(path) as file:
        signal = _read(file, path, -1)
        sample_rate = file.samplerate
    if signal.shape[1] == 0:
        raise AudioError(f"{path} is empty: it holds no samples.")
    return signal, sample_rate


@contextmanager
def open_audio(path: str | os.PathLike) -> "Iterator[SoundFile]":
    """An audio file to read from, mono or stereo.

    Raises:
        AudioError: The file is missing, cannot be read, is empty, or has more than two channels.
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path} is not a file: check the path.")
    with _readable(path):
        file = soundfile.SoundFile(path)
    with file:
        if file.frames == 0:
            raise AudioError(f"{path} is empty: it holds no samples.")
        if file.channels > 2:
            raise AudioError(f"{path} has {file.channels} channels: mix it down to stereo or mono first.")
        yield file


def audio_blocks(path: str | os.PathLike, size: int) -> Iterator[Tensor]:
    """The signal of an audio file in blocks of ``(channels, size)``, the last of which may be shorter.

    Raises:
        AudioError: As :func:`read_audio`.
    """
    with open_audio(path) as file:
        while (block := _read(file, path, size)).shape[1]:
            yield block


def _read(file: "SoundFile", path: str | os.PathLike, num_samples: int) -> Tensor:
    start = file.tell()
    with _readable(path):
        samples = file.read(num_samples, dtype="float32", always_2d=True)
    signal = torch.from_numpy(samples.T.copy())
    if not signal.isfinite().all():
        first = start + int((~signal.isfinite()).any(0).nonzero()[0])
        raise AudioError(
            f"{path} holds NaN or infinity, first at {first / file.samplerate:.3f} s: repair or export it again."
        )
    return signal


@contextmanager
def _readable(path: str | os.PathLike) -> Iterator[None]:
    import soundfile

    try:
        yield
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError) as error:  # TypeError for .raw
        raise AudioError(f"{path} cannot be read as audio ({error}): convert it to WAV or FLAC.") from None


def write_audio(path: str | os.PathLike, signal: Tensor, sample_rate: int) -> None:
    """Write an audio file; its suffix says which kind.

    WAV files get 32-bit floats, which keep every value as it is; other kinds their best integer format, in which
    peaks over full scale are clipped.

    Args:
        path: Where to; its folder is made where it is missing.
        signal: ``(channels, samples)``.
        sample_rate: In Hz.

    Raises:
        AudioError: The kind of file is unknown or it cannot be written.
    """
    with audio_writer(path, signal.shape[0], sample_rate, signal.shape[1]) as write:
        write(signal)


@contextmanager
def audio_writer(
    path: str | os.PathLike, channels: int, sample_rate: int, num_samples: int
) -> Iterator[Callable[[Tensor], None]]:
    """An audio file to write to, block by block; it is there when all is written. See :func:`write_audio`.

    WAV files of more than 4 GB are written as RF64, their large kind.

    Args:
        path: Where to; its folder is made where it is missing.
        channels: How many.
        sample_rate: In Hz.
        num_samples: How many there will be at most.

    Yields:
        A function that takes blocks ``(channels, samples)``.

    Raises:
        AudioError: The kind of file is unknown or it cannot be written.
    """
    import soundfile

    path = Path(path)
    kind = path.suffix.lstrip(".").upper()
    if kind not in soundfile.available_formats() or kind == "RAW":
        raise AudioError(f"{path} has no known audio suffix: use .wav or .flac.")
    subtypes = soundfile.available_subtypes(kind)
    subtype = next((s for s in ("FLOAT", "PCM_24") if s in subtypes), soundfile.default_subtype(kind))
    if kind == "WAV" and 4 * channels * num_samples > LARGEST_WAV:
        kind = "RF64"
    partial = path.with_name(f".partial-{path.name}")
    try:
        with _writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = soundfile.SoundFile(partial, "w", sample_rate, channels, subtype, format=kind)

        def write(block: Tensor) -> None:
            with _writable(path):
                file.write(block.detach().cpu().numpy().T)

        with file:
            yield write
        with _writable(path):
            os.replace(partial, path)
    finally:
        if partial.is_file():
            partial.unlink()


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    import soundfile

    try:
        yield
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise AudioError(f"{path} cannot be written: {error}.") from None


def audio_digest(signal: Tensor) -> str:
    """A short text that differs for audio that differs."""
    return hashlib.sha256(signal.contiguous().cpu().numpy().tobytes()).hexdigest()[:32]


def read_stems(
    paths: Sequence[str | os.PathLike],
    sample_rate: int | None = None,
    num_samples: int | None = None,
    notice: Notice = print,
) -> tuple[Tensor, int]:
    """Read stems into one stereo tensor.

    Other sample rates are converted, mono is put on both channels, and shorter stems are padded with silence at the
    end. Each such change is said aloud.

    Args:
        paths: One file for each stem.
        sample_rate: In Hz; by default that of the first stem.
        num_samples: Length; by default that of the longest stem. Longer stems are cut.
        notice: Called with a sentence for each change.

    Returns:
        ``(stems, sample_rate)`` with stems of shape ``(K, 2, L)``.

    Raises:
        AudioError: As :func:`read_audio`, or all stems are silent.
    """
    signals = []
    for path in paths:
        signal, rate = read_audio(path)
        sample_rate = rate if sample_rate is None else sample_rate
        signals.append(conform(signal, rate, sample_rate, str(path), notice))
    length = max(signal.shape[1] for signal in signals) if num_samples is None else num_samples
    for index, (path, signal) in enumerate(zip(paths, signals, strict=True)):
        extra = length - signal.shape[1]
        if extra:
            change = (
                f"padded with {extra / sample_rate:.3f} s of silence"
                if extra > 0
                else f"cut by {-extra / sample_rate:.3f} s"
            )
            notice(f"{path} is {change} at its end, to {length / sample_rate:.3f} s.")
            signals[index] = torch.nn.functional.pad(signal, (0, extra))
        if not signals[index].any():
            notice(f"{path} is silent: nothing can be learned about it.")
    stems = torch.stack(signals)
    if not stems.any():
        raise AudioError("All stems are silent: check that the right files were given.")
    return stems, sample_rate


def conform(signal: Tensor, rate: int, sample_rate: int, name: str, notice: Notice = print) -> Tensor:
    """Convert a mono or stereo signal to stereo at another sample rate, and say so."""
    if rate != sample_rate:
        import soxr

        notice(f"{name} is converted from {rate} to {sample_rate} Hz.")
        length = converted_length(signal.shape[1], rate, sample_rate)
        signal = _of_length(torch.from_numpy(soxr.resample(signal.T.numpy(), rate, sample_rate).T.copy()), length)
    if signal.shape[0] == 1:
        notice(f"{name} is mono: it is put on both channels.")
        signal = signal.expand(2, -1).clone()
    return signal


def converted_length(num_samples: int, rate: int, sample_rate: int) -> int:
    """How many samples there are at another sample rate: the nearest number to the same time, the larger of two."""
    return (2 * num_samples * sample_rate + rate) // (2 * rate)


class StemStream:
    """Stems in blocks ``(K, 2, L)``, changed as :func:`read_stems` changes them, in constant memory.

    Args:
        paths: One file for each stem.
        sample_rate: In Hz.
        notice: Called with a sentence for each change.

    Attributes:
        num_samples: How many there are: those of the longest stem.

    Raises:
        AudioError: As :func:`read_audio`; while reading, too.
    """

    def __init__(self, paths: Sequence[str | os.PathLike], sample_rate: int, notice: Notice = print) -> None:
        self.paths, self.sample_rate = paths, sample_rate
        lengths = []
        for path in paths:
            with open_audio(path) as file:
                lengths.append(converted_length(file.frames, file.samplerate, sample_rate))
                if file.samplerate != sample_rate:
                    notice(f"{path} is converted from {file.samplerate} to {sample_rate} Hz.")
                if file.channels == 1:
                    notice(f"{path} is mono: it is put on both channels.")
        self.num_samples = max(lengths)
        for path, length in zip(paths, lengths, strict=True):
            if length < self.num_samples:
                extra, total = ((n / sample_rate) for n in (self.num_samples - length, self.num_samples))
                notice(f"{path} is padded with {extra:.3f} s of silence at its end, to {total:.3f} s.")

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All samples in blocks of a size, the last of which may be shorter."""
        stems = [_cut(_converted(path, self.sample_rate), size) for path in self.paths]
        for start in range(0, self.num_samples, size):
            length = min(size, self.num_samples - start)
            yield torch.stack([_of_length(next(stem, torch.zeros(2, 0)), length) for stem in stems])


def _converted(path: str | os.PathLike, sample_rate: int) -> Iterator[Tensor]:
    """A stereo signal at a sample rate, in pieces."""
    with open_audio(path) as file:
        rate = file.samplerate
    pieces = (piece.expand(2, -1) for piece in audio_blocks(path, PIECE))
    if rate == sample_rate:
        yield from pieces
        return
    import soxr

    converter = soxr.ResampleStream(rate, sample_rate, 2, dtype="float32")
    for piece in pieces:
        yield torch.from_numpy(converter.resample_chunk(piece.T.contiguous().numpy()).T.copy())
    rest = converter.resample_chunk(torch.zeros(0, 2).numpy(), last=True)
    yield torch.from_numpy(rest.T.copy())


def _cut(pieces: Iterator[Tensor], size: int) -> Iterator[Tensor]:
    """Pieces of any sizes as blocks of one size, and what is left."""
    kept = torch.zeros(2, 0)
    for piece in pieces:
        *blocks, kept = torch.cat([kept, piece], -1).split(size, -1)
        yield from blocks
    yield kept


def _of_length(block: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(block[:, :length], (0, max(0, length - block.shape[1])))
