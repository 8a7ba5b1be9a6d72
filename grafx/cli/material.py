"""What a search is given: stems, their names and groups, and the mix."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..audio import audio_digest, conform, read_audio, read_stems
from ..errors import AudioError, SearchError
from ..text import printable
from .stems import parse_groups as parse_groups
from .stems import stem_names
from .terminal import notice

ROUNDED = 0.01  # seconds that the end of an excerpt may be after that of the mix


@dataclass(frozen=True)
class Material:
    """Input of a search: ``(K, 2, L)`` stems with their names, and their ``(2, L)`` mix."""

    stems: Tensor
    mix: Tensor
    sample_rate: int
    names: list[str]


def read_material(
    stem_paths: Sequence[Path],
    mix_path: Path,
    names: Sequence[str] | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Material:
    """Read stems and mix at the sample rate and length of the mix, or an excerpt of them.

    Args:
        stem_paths: Audio files.
        mix_path: The mix of them.
        names: Those of the stems; by default those of their files.
        start: Where the excerpt begins, in seconds.
        end: Where it ends.
    """
    signal, sample_rate = read_audio(mix_path, notice)
    mix = conform(signal, sample_rate, sample_rate, printable(mix_path), notice)
    stems, _ = read_stems(stem_paths, sample_rate, mix.shape[1], notice)
    stems, mix = (excerpt(each, sample_rate, start, end, mix_path) for each in (stems, mix))
    _check_repeated(stems, mix, stem_paths, mix_path)
    return Material(stems, mix, sample_rate, list(names or stem_names(stem_paths)))


def excerpt(signal: Tensor, sample_rate: int, start: float | None, end: float | None, path: Path) -> Tensor:
    """Cut ``(..., L)`` signals from one second to another.

    Raises:
        AudioError: They do not last so long; the message names the file.
    """
    length = signal.shape[-1]
    first, last = round((start or 0) * sample_rate), length if end is None else round(end * sample_rate)
    if first >= length or last > length + ROUNDED * sample_rate:
        asked = span_text(start, end)
        raise AudioError(f"The excerpt {asked} is not in {path}, which lasts {length / sample_rate:.2f} s.")
    return signal[..., first:last]


def _check_repeated(stems: Tensor, mix: Tensor, stem_paths: Sequence[Path], mix_path: Path) -> None:
    """Report identical stems, and refuse the mix among the stems."""
    known: dict[str, Path] = {}
    for path, stem in zip(stem_paths, stems, strict=True):
        if len(stems) > 1 and torch.equal(stem, mix):
            raise SearchError(
                f"{path} is among the stems, but is the same as the mix {mix_path}: leave it out of the stems."
            )
        first = known.setdefault(audio_digest(stem), path)
        if first is not path and stem.any():
            what = "is given twice" if first == path else f"holds the same as {first}"
            notice(f"{path} {what}: their contributions cannot be separated.")


def span_text(start: float | None, end: float | None) -> str:
    """An excerpt in words, such as ``"from 10 s to 40 s"``."""
    return f"from {start or 0:g} s" + ("" if end is None else f" to {end:g} s")
