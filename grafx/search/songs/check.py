"""What is wrong with a list of songs, before anything is spent on them."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from filecmp import cmp
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from ...audio import AudioHeader, read_header
from ...errors import AudioError
from .manifest import Entry, read_entries
from .names import folder_key

THREADS = 8
"""Files are waited for side by side, as on disks of a network."""
AT_ONCE = 256
"""Lines."""
REMEMBERED = 2**14
"""Files that several lines name are read once."""
LATE = 0.01
"""Seconds by which an excerpt may end late, as its end is written with few digits."""
PROBE = 2**12
"""Bytes that tell most files of one size apart."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a song.

    Attributes:
        line: That of the manifest.
        name: Of the song, or empty where it has none.
        text: A sentence.
    """

    line: int
    name: str
    text: str


def check_songs(manifest: str | os.PathLike) -> Iterator[Problem]:
    """Yield everything that is wrong with the songs of a manifest, in the order of its lines.

    Of files of audio, what they say of themselves is read and whether their ends are there, so that thousands of songs
    take seconds; that they are silent, or hold what is no number, only a search tells.

    Args:
        manifest: See :func:`.read_manifest`.

    Raises:
        SearchError: The suffix of the file is unknown.
        OSError: It cannot be read.
    """
    known: dict[str, tuple[int, int]] = {}
    look = lru_cache(REMEMBERED)(_look)
    number = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for entries in _batched(read_entries(manifest), AT_ONCE):
            of_files = pool.map(lambda entry: list(_of_files(entry, look)), entries)
            for entry, others in zip(entries, of_files, strict=True):
                number += 1
                name = entry.parts.get("name", "")
                for text in (*entry.problems, *_of_names(entry, known), *others):
                    yield Problem(entry.line, name, text)
    if number == 0:
        yield Problem(1, "", "It has no songs.")


@dataclass(frozen=True)
class _CheckedFile:
    """What is known of a file: what it says, or why it cannot be read, and what tells it from others."""

    header: AudioHeader | None
    problem: str = ""
    size: int = 0
    identity: tuple[int, int] = (0, 0)


def _look(path: Path) -> _CheckedFile:
    try:
        header = read_header(path)
        status = path.stat()
    except (AudioError, OSError) as error:
        return _CheckedFile(None, str(error))
    return _CheckedFile(header, " ".join(header.faults), status.st_size, (status.st_dev, status.st_ino))


def _of_names(entry: Entry, known: dict[str, tuple[int, int]]) -> Iterator[str]:
    """What is wrong with a line next to those before it."""
    name = entry.parts.get("name")
    if name is None:
        return
    content = hash(repr(sorted(entry.parts.items())))
    line, before = known.setdefault(folder_key(name), (entry.line, content))
    if line != entry.line:
        what = "It is the same as" if before == content else "Its folder would be that of the song of"
        yield f"{what} line {line}: {'leave one out' if before == content else 'rename one'}."


def _of_files(entry: Entry, look: Callable[[Path], _CheckedFile]) -> Iterator[str]:
    """What is wrong with the files of a song."""
    mix, stems = entry.parts.get("mix"), entry.parts.get("stems", {})
    files = {name: look(path) for name, path in stems.items()}
    mixed = look(mix) if mix else _CheckedFile(None)
    for kind, file in (("The mix: ", mixed), *((f"The stem '{name}': ", file) for name, file in files.items())):
        if file.problem:
            yield kind + file.problem
    yield from _of_excerpt(entry.parts, mixed, list(files.values()))
    yield from _repeated(mix, mixed, stems, files)


def _of_excerpt(parts: Mapping[str, Any], mix: _CheckedFile, stems: Sequence[_CheckedFile]) -> Iterator[str]:
    start, end = parts.get("start"), parts.get("end")
    if mix.header is not None:
        length = mix.header.seconds
        if start is not None and start >= length:
            yield f"It starts at {start:g} s, but its mix is only {length:.3f} s long."
        elif end is not None and end > length + LATE:
            yield f"It ends at {end:g} s, but its mix is only {length:.3f} s long."
    lengths = [file.header.seconds for file in stems if file.header is not None]
    if start and len(lengths) == len(stems) and lengths and start >= max(lengths):
        yield f"It starts at {start:g} s, but its longest stem is only {max(lengths):.3f} s long."


def _repeated(
    mix: Path | None, mixed: _CheckedFile, stems: Mapping[str, Path], files: Mapping[str, _CheckedFile]
) -> Iterator[str]:
    """Stems that are the mix, or another stem."""
    first: dict[tuple[int, int], str] = {}
    for name, file in files.items():
        if file.header is None:
            continue
        if mix and mixed.header and stems[name] != mix and _same(mix, mixed, stems[name], file):
            yield f"The stem '{name}' is the same as the mix: leave it out of the stems."
        other = first.setdefault(file.identity, name)
        if other != name:
            yield f"The stems '{other}' and '{name}' are the same file: leave one out."


def _same(one: Path, of_one: _CheckedFile, other: Path, of_other: _CheckedFile) -> bool:
    if of_one.identity == of_other.identity:
        return True
    return (
        of_one.size == of_other.size
        and _middle(one, of_one.size) == _middle(other, of_one.size)
        and cmp(one, other, False)
    )


def _middle(path: Path, size: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(max(size // 2 - PROBE // 2, 0))
        return file.read(PROBE)


def _batched(items: Iterable[Entry], size: int) -> Iterator[tuple[Entry, ...]]:
    rest = iter(items)
    return iter(lambda: tuple(islice(rest, size)), ())
