"""Audio files in and out, as ``(channels, samples)`` tensors."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from .errors import AudioError

Notice = Callable[[str], None]


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
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path} is not a file: check the path.")
    try:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError) as error:  # TypeError for .raw
        raise AudioError(f"{path} cannot be read as audio ({error}): convert it to WAV or FLAC.") from None
    signal = torch.from_numpy(samples.T.copy())
    if signal.shape[1] == 0:
        raise AudioError(f"{path} is empty: it holds no samples.")
    if signal.shape[0] > 2:
        raise AudioError(f"{path} has {signal.shape[0]} channels: mix it down to stereo or mono first.")
    if not signal.isfinite().all():
        first = int((~signal.isfinite()).any(0).nonzero()[0])
        raise AudioError(
            f"{path} holds NaN or infinity, first at {first / sample_rate:.3f} s: repair or export it again."
        )
    return signal, sample_rate


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
    import soundfile

    path = Path(path)
    kind = path.suffix.lstrip(".").upper()
    if kind not in soundfile.available_formats() or kind == "RAW":
        raise AudioError(f"{path} has no known audio suffix: use .wav or .flac.")
    subtypes = soundfile.available_subtypes(kind)
    preferred = next((s for s in ("FLOAT", "PCM_24") if s in subtypes), soundfile.default_subtype(kind))
    partial = path.with_name(f".partial-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            soundfile.write(partial, signal.detach().cpu().numpy().T, sample_rate, subtype=preferred, format=kind)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
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
        signal = torch.from_numpy(soxr.resample(signal.T.numpy(), rate, sample_rate).T.copy())
    if signal.shape[0] == 1:
        notice(f"{name} is mono: it is put on both channels.")
        signal = signal.expand(2, -1).clone()
    return signal
