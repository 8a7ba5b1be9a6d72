"""Sounds of a folder of audio files."""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ...audio import audio_suffixes, conform, open_audio, read_excerpt
from ...errors import AudioError, EstimateError
from ...text import Notice, printable
from ..prior.randomness import Draws
from .base import DrySounds, digest_of, leveled

ALSO_READ = {"mp3", "mp4", "m4a", "aac", "webm", "mka"}
MOST_NAMED = 20
SILENT = 1e-3  # peak, −60 dB
EXCERPTS = 4  # of a sound, until another is drawn
SOUNDS = 25
MARGIN = 64  # samples read around an excerpt that is converted to another rate


@dataclass(frozen=True)
class _File:
    path: Path
    frames: int
    sample_rate: int


class FolderSounds(DrySounds):
    """The audio files of a folder and of the folders in it, in any format that :func:`.read_audio` takes.

    Files longer than what is asked for give a random excerpt, shorter ones are followed by silence. Where an excerpt is
    silent, another is drawn. Other sample rates are converted. Of files with the same bytes only the first counts, so
    that no sound has two names.

    Args:
        folder: The folder.
        sample_rate: In Hz.
        notice: Called with a sentence that names the files that cannot be used; by default this is a warning.

    Raises:
        EstimateError: There is no such folder, or no audio file in it that can be used.
    """

    def __init__(self, folder: str | os.PathLike, sample_rate: int = 44100, notice: Notice | None = None) -> None:
        self.folder, self.sample_rate = Path(folder), sample_rate
        self._files: dict[str, _File] = {}
        self._told: set[str] = set()
        faults = {}
        for path in _without_copies(_audio_files(self.folder)):
            name = path.relative_to(self.folder).as_posix()
            try:
                self._files[name] = _checked(path)
            except AudioError as error:
                faults[name] = str(error)
        if not self._files:
            raise EstimateError(_nothing(self.folder, faults))
        self.names = list(self._files)
        if faults:
            (notice or _warn)(_skipped(self.folder, faults, len(self._files) + len(faults)))

    def draw_all(self, seeds: Sequence[int], seconds: float, channels: int = 2) -> list[tuple[str, Tensor]]:
        return [self._draw(seed, max(1, round(seconds * self.sample_rate)), channels) for seed in seeds]

    @property
    def description(self) -> dict[str, Any]:
        known = (f"{name} {self._files[name].frames} {self._files[name].sample_rate}" for name in self.names)
        return {"folder": self.folder.name, "sounds": len(self.names), "digest": digest_of(known)}

    def only(self, names: Iterable[str]) -> Self:
        kept, wanted = copy(self), set(names)
        kept.names = [name for name in self.names if name in wanted]
        return kept

    def _draw(self, seed: int, num_samples: int, channels: int) -> tuple[str, Tensor]:
        draws = Draws("sound", seed)
        for _ in range(SOUNDS):
            name = draws.one_of(self.names)
            try:
                signal = self._excerpt(self._files[name], draws, num_samples)
            except AudioError as error:  # a fault within the file, or one that came since
                if name not in self._told:
                    self._told.add(name)
                    _warn(f"{printable(name)} is skipped: {error}")
                continue
            if signal is not None:
                signal = signal[:channels] if channels > 1 else signal.mean(0, keepdim=True)
                return name, leveled(signal)
        raise EstimateError(
            f"{printable(self.folder)}: the sounds that were drawn are all silent or damaged, {printable(name)} among"
            " them: give a folder of others."
        )

    def _excerpt(self, file: _File, draws: Draws, num_samples: int) -> Tensor | None:
        """A stereo excerpt that can be heard, if one is found."""
        length = -(-num_samples * file.sample_rate // self.sample_rate) + MARGIN * (
            file.sample_rate != self.sample_rate
        )
        last = max(0, file.frames - length)
        for _ in range(EXCERPTS if last else 1):
            signal = read_excerpt(file.path, draws.whole(0, last), length)
            if signal.abs().max() < SILENT:
                continue
            signal = conform(signal, file.sample_rate, self.sample_rate, "", lambda _: None)[:, :num_samples]
            return torch.nn.functional.pad(signal, (0, num_samples - signal.shape[1]))
        return None


def _audio_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise EstimateError(f"{printable(folder)} is no folder: give one with audio files.")
    suffixes = audio_suffixes() | ALSO_READ
    found = (path for path in folder.rglob("*") if path.suffix[1:].lower() in suffixes and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def _without_copies(paths: Sequence[Path]) -> list[Path]:
    """Leave out files whose bytes another one has already; those of the same size are compared."""
    sizes = Counter(path.stat().st_size for path in paths)
    known, kept = set(), []
    for path in paths:
        if sizes[path.stat().st_size] > 1:
            digest = _digest(path)
            if digest in known:
                continue
            known.add(digest)
        kept.append(path)
    return kept


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return str(path)  # told when it is opened


def _checked(path: Path) -> _File:
    """Open a file, and read its end, which damaged ones do not have."""
    with open_audio(path) as file:
        known = _File(path, file.frames, file.samplerate)
    read_excerpt(path, max(0, known.frames - MARGIN), MARGIN)
    return known


def _nothing(folder: Path, faults: dict[str, str]) -> str:
    if not faults:
        return f"{printable(folder)} has no audio files: give a folder with sounds, such as .wav or .flac."
    return f"{printable(folder)} has no audio file that can be used. {_listed(faults)}"


def _skipped(folder: Path, faults: dict[str, str], total: int) -> str:
    return f"{len(faults)} of {total} files in {printable(folder)} cannot be used. {_listed(faults)}"


def _listed(faults: dict[str, str]) -> str:
    shown = list(faults.values())[:MOST_NAMED]
    rest = len(faults) - len(shown)
    return " ".join(shown) + (f" And {rest} more." if rest else "")


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)
