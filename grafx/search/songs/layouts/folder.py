"""What a layout is given and returns, and what several of them need."""

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import count, takewhile
from pathlib import Path

from ....text import printable
from ..names import folder_key

LOSSLESS = (".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".rf64", ".tta", ".w64", ".wav", ".wv")
AUDIO = (*LOSSLESS, ".aac", ".m4a", ".mp3", ".oga", ".ogg", ".opus")


@dataclass(frozen=True)
class Folder:
    """A folder with its audio files and folders, in the order of their names, and the one that it was reached from."""

    path: Path
    audio: tuple[Path, ...]
    folders: tuple[Path, ...]
    above: "Folder | None" = None

    @classmethod
    def at(cls, path: Path, above: "Folder | None" = None) -> "Folder":
        """Read a folder, without what is hidden in it."""
        audio, folders = [], []
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                if entry.name.lower().endswith(AUDIO) and entry.is_file():
                    audio.append(path / entry.name)
                elif entry.is_dir():
                    folders.append(path / entry.name)
        return cls(path, tuple(audio), tuple(folders), above)

    @cached_property
    def sounds(self) -> tuple[Path, ...]:
        """The audio files, one of those that differ in their format only."""
        best: dict[str, Path] = {}
        for path in sorted(self.audio, key=lambda path: path.suffix.lower() not in LOSSLESS):
            best.setdefault(folder_key(path.stem), path)
        kept = set(best.values())
        return tuple(path for path in self.audio if path in kept)

    def beginning(self, text: str) -> list[Path]:
        """The audio files whose names begin with a text in small letters, found fast among many."""
        places = range(bisect_left(self._ordered, (text,)), len(self._ordered))
        return [self._ordered[i][1] for i in takewhile(lambda i: self._ordered[i][0].startswith(text), places)]

    @cached_property
    def _ordered(self) -> list[tuple[str, Path]]:
        return sorted((path.stem.lower(), path) for path in self.sounds)


@dataclass(frozen=True)
class Multitrack:
    """What a layout has found: a mix, and its stems by their names."""

    mix: Path
    stems: dict[str, Path]


FindSong = Callable[[Folder], Multitrack | None]
"""Finds a song in a folder, or that there is none."""


def named(stems: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Stems by names that differ: those that are there already get numbers."""
    found: dict[str, Path] = {}
    for name, path in stems:
        name = printable(name.strip()) or printable(path.stem)
        numbered = (f"{name} {number}" for number in count(2))
        found[name if name not in found else next(n for n in numbered if n not in found)] = path
    return found
