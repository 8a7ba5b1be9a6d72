"""Audio file input and output, as ``(channels, samples)`` tensors."""

import hashlib
import os
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .audio_reader import PIECE, AudioHeader, audio_blocks, open_audio, read_audio, read_excerpt, read_header
from .audio_writer import audio_suffixes, audio_writer, write_audio
from .errors import AudioError
from .text import Notice, printable

__all__ = [
    "AudioHeader",
    "StemStream",
    "audio_blocks",
    "audio_digest",
    "audio_suffixes",
    "audio_writer",
    "conform",
    "open_audio",
    "read_audio",
    "read_excerpt",
    "read_header",
    "read_stems",
    "write_audio",
]


def audio_digest(signal: Tensor) -> str:
    """Digest that identifies the content of a signal."""
    return hashlib.sha256(signal.contiguous().cpu().numpy().data).hexdigest()[:32]


def read_stems(
    paths: Sequence[str | os.PathLike],
    sample_rate: int | None = None,
    num_samples: int | None = None,
    notice: Notice = print,
) -> tuple[Tensor, int]:
    """Read stems into one stereo tensor.

    Other sample rates are converted, mono is copied to both channels, and shorter stems are padded with silence at the
    end. Each such change is reported.

    Args:
        paths: One file for each stem.
        sample_rate: In Hz; by default that of the first stem.
        num_samples: Length; by default that of the longest stem. Longer stems are cut.
        notice: Called with a sentence for each change.

    Returns:
        ``(stems, sample_rate)`` with stems of shape ``(K, 2, L)``.

    Raises:
        AudioError: As in :func:`read_audio`, or all stems are silent.
    """
    signals = []
    for path in paths:
        signal, rate = read_audio(path, notice)
        sample_rate = rate if sample_rate is None else sample_rate
        signals.append(conform(signal, rate, sample_rate, printable(path), notice))
    if sample_rate is None:
        raise AudioError("There are no stems: give at least one file.")
    length = max(signal.shape[1] for signal in signals) if num_samples is None else num_samples
    stems = torch.zeros(len(signals), 2, length)
    for stem, path in zip(stems, paths, strict=True):
        signal = signals.pop(0)  # one by one, as songs are long
        extra = length - signal.shape[1]
        if extra:
            change = (
                f"padded with {extra / sample_rate:.3f} s of silence"
                if extra > 0
                else f"cut by {-extra / sample_rate:.3f} s"
            )
            notice(f"{printable(path)} is {change} at its end, to {length / sample_rate:.3f} s.")
        stem[:, : signal.shape[1]] = signal[:, :length]
        if not stem.any():
            notice(f"{printable(path)} is silent: nothing can be learned about it.")
    if not stems.any():
        raise AudioError("All stems are silent: check that the right files were given.")
    return stems, sample_rate


def conform(signal: Tensor, rate: int, sample_rate: int, name: str, notice: Notice = print) -> Tensor:
    """Convert a mono or stereo signal to stereo at another sample rate, and report the change."""
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
    """Return the number of samples at another sample rate: the nearest to the same duration, halves rounded up."""
    return (2 * num_samples * sample_rate + rate) // (2 * rate)


class StemStream:
    """Stems in blocks ``(K, 2, L)``, converted as in :func:`read_stems`, in constant memory.

    Args:
        paths: One file for each stem.
        sample_rate: In Hz.
        notice: Called with a sentence for each change.

    Attributes:
        num_samples: Length of the longest stem.

    Raises:
        AudioError: As in :func:`read_audio`; also while reading.
    """

    def __init__(self, paths: Sequence[str | os.PathLike], sample_rate: int, notice: Notice = print) -> None:
        self.paths, self.sample_rate = paths, sample_rate
        lengths = []
        for path in paths:
            with open_audio(path) as file:
                lengths.append(converted_length(file.frames, file.samplerate, sample_rate))
                for fault in file.faults:
                    notice(fault)
                if file.samplerate != sample_rate:
                    notice(f"{file.name} is converted from {file.samplerate} to {sample_rate} Hz.")
                if file.channels == 1:
                    notice(f"{file.name} is mono: it is put on both channels.")
        self.num_samples = max(lengths)
        for path, length in zip(paths, lengths, strict=True):
            if length < self.num_samples:
                extra, total = ((n / sample_rate) for n in (self.num_samples - length, self.num_samples))
                notice(f"{printable(path)} is padded with {extra:.3f} s of silence at its end, to {total:.3f} s.")

    def blocks(self, size: int) -> Iterator[Tensor]:
        """Yield all samples in blocks of a size, the last of which may be shorter."""
        stems = [_cut(_converted(path, self.sample_rate), size) for path in self.paths]
        for start in range(0, self.num_samples, size):
            length = min(size, self.num_samples - start)
            yield torch.stack([_of_length(next(stem, torch.zeros(2, 0)), length) for stem in stems])


def _converted(path: str | os.PathLike, sample_rate: int) -> Iterator[Tensor]:
    """Yield a stereo signal at a sample rate, in pieces."""
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
    """Regroup pieces of any sizes into blocks of one size, and a shorter last one."""
    kept = torch.zeros(2, 0)
    for piece in pieces:
        *blocks, kept = torch.cat([kept, piece], -1).split(size, -1)
        yield from blocks
    yield kept


def _of_length(block: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(block[:, :length], (0, max(0, length - block.shape[1])))
