"""Find songs in folders."""

import itertools
import os
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from ...text import Notice, printable
from ...words import count
from .layouts import LAYOUTS, Folder
from .layouts.folder import Multitrack
from .manifest import Song
from .names import folder_key, folder_name

IN_ONE_FILE = ".stem.mp4"


def scan_songs(folder: str | os.PathLike, notice: Notice = print) -> list[Song]:
    """Find the songs in a folder, and in the folders in it, by their names alone.

    A song is a folder in one of the layouts of :mod:`.layouts`: a file ``mix`` or ``mixture`` with stems beside it or
    in ``stems``; and those of MUSDB18-HQ, MedleyDB, and the "Mixing Secrets" library. Its name is that of its folder,
    with those above it where there are several of that name.

    Args:
        folder: Where to look. Links are followed.
        notice: Called with a sentence for each folder with audio that is no song.

    Returns:
        Songs, in the order of their paths.

    Raises:
        OSError: The folder cannot be read.
    """
    found = list(_find(Path(folder), notice))
    songs = [(place.path, song) for place, song in found if song is not None]
    mixes = {song.mix for _, song in songs}
    for place, song in found:
        if song is None:
            _tell(place, mixes, notice)
    names = _names(Path(folder), [path for path, _ in songs])
    return [Song(name, song.mix, song.stems) for name, (_, song) in zip(names, songs, strict=True)]


def _find(root: Path, notice: Notice) -> Iterator[tuple[Folder, Multitrack | None]]:
    """Each folder, with the song that it is, if it is one; what is in songs is left out."""
    seen: set[tuple[int, int]] = set()
    left: list[tuple[Path, Folder | None]] = [(root, None)]
    while left:
        path, above = left.pop()
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:  # a link to a folder above
                continue
            seen.add((status.st_dev, status.st_ino))
            folder = Folder.at(path, above)
        except OSError as error:
            if path == root:
                raise
            notice(f"{printable(path)} cannot be read: {error.strerror}.")
            continue
        song = next((song for layout in LAYOUTS if (song := layout(folder))), None) if folder.audio else None
        yield folder, song
        if song is None:
            left += [(inner, folder) for inner in reversed(folder.folders)]


def _tell(folder: Folder, mixes: Container[Path], notice: Notice) -> None:
    """Say what there is in a folder that is no song."""
    if whole := sum(1 for path in folder.path.iterdir() if path.name.lower().endswith(IN_ONE_FILE)):
        notice(
            f"{printable(folder.path)} has {count(whole, 'song')} in one file each (*{IN_ONE_FILE}): convert them to"
            " folders, as musdbconvert does."
        )
    files = [path for path in folder.audio if path not in mixes]
    if files:
        notice(
            f"{printable(folder.path)} has {count(len(files), 'audio file')}, but is no song: there must be one mix,"
            " called mix or mixture, and stems."
        )


def _names(root: Path, paths: Sequence[Path]) -> list[str]:
    """Names of folders, with those of the folders above where they are not enough to tell them apart."""
    parts = [path.relative_to(root).parts or (root.resolve().name,) for path in paths]
    alike = Counter(folder_key(folder_name(each[-1])) for each in parts)
    names: list[str] = []
    taken: set[str] = set()
    for each in parts:
        name = folder_name(each[-1])
        if alike[folder_key(name)] > 1:
            name = folder_name(" - ".join(each))
        numbered = (folder_name(f"{name} {number}") for number in itertools.count(2))
        names.append(name if folder_key(name) not in taken else next(n for n in numbered if folder_key(n) not in taken))
        taken.add(folder_key(names[-1]))
    return names
