"""The list of songs: a file of JSON lines or CSV."""

import csv
import difflib
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from ...data.formats.strict_json import read_json
from ...errors import SearchError
from ...files import relative_path, replacing
from ...text import printable
from ..mixing.console import naming_problems
from .names import name_problem

JSON_SUFFIXES, CSV_SUFFIX = (".jsonl", ".ndjson", ".json"), ".csv"
KEYS = ("name", "mix", "stems", "groups", "start", "end")
TABLES = ("stems", "groups")
"""Those that have names of their own, each of which is a column ``stems.drums`` of CSV."""

LONGEST_LINE = 2**22
"""In bytes, so that what is no list of songs takes no memory."""


@dataclass(frozen=True)
class Song:
    """A song of a manifest.

    Attributes:
        name: Unique; that of its folder of results.
        mix: The finished mix.
        stems: Name of a stem to its file.
        groups: Name of a subgroup to the names of its stems.
        start, end: What is searched of it, in seconds from its beginning; ``None`` for its beginning and end.
    """

    name: str
    mix: Path
    stems: Mapping[str, Path]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Entry:
    """A line of a manifest.

    Attributes:
        line: Its number, from 1 on.
        parts: Those arguments of a :class:`Song` that can be told.
        problems: A sentence for everything that is wrong, but for what only the files of audio can tell.
    """

    line: int
    parts: Mapping[str, Any]
    problems: tuple[str, ...] = ()


def read_manifest(path: str | os.PathLike) -> Iterator[Song]:
    """Read songs one by one.

    JSON lines have an object a line: ``{"name": "one", "mix": "one/mix.wav", "stems": {"drums": "one/drums.wav"}}``,
    with ``"groups": {"band": ["drums", …]}``, ``"start"`` and ``"end"`` where there are any. CSV has the columns
    ``name``, ``mix``, ``start``, ``end``, ``stems.drums`` for each name of a stem, and ``groups.band``, whose cells
    have stems separated by commas; empty cells say nothing. Paths are relative to the folder of the file.

    Args:
        path: Ends in .jsonl, .ndjson, .json, or .csv.

    Raises:
        SearchError: A line is no song; the message names file and line, and says what is wrong first.
        OSError: The file cannot be read.
    """
    for entry in read_entries(path):
        if entry.problems:
            raise SearchError(f"{printable(path)}, line {entry.line}: {entry.problems[0]}")
        yield Song(**entry.parts)


def read_entries(path: str | os.PathLike) -> Iterator[Entry]:
    """Read all lines, one by one, also those that are no songs.

    Raises:
        SearchError: The suffix is none of those that are known.
        OSError: The file cannot be read.
    """
    path = Path(path)
    lines = _of_suffix(path, _json_lines, _csv_rows)
    for number, content in lines(path):
        parts, problems = ({}, [content]) if isinstance(content, str) else _read_parts(content, path.parent)
        yield Entry(number, parts, tuple(problems))


def write_manifest(songs: Iterable[Song], path: str | os.PathLike) -> int:
    """Write songs, with paths relative to the folder of the file, and return how many there are.

    An existing file is replaced when all have been written.

    Args:
        songs: Taken one by one where JSON lines are written.
        path: Ends in .jsonl, .ndjson, .json, or .csv.

    Raises:
        SearchError: The suffix is none of those that are known, or a group has a stem that CSV cannot hold.
        OSError: The file cannot be written.
    """
    path = Path(path)
    write = _of_suffix(path, _write_json_lines, _write_csv)
    contents = _contents(songs, path.absolute().parent)
    with replacing(path) as partial, open(partial, "wb") as file:
        return write(contents, file)


def _of_suffix(path: Path, for_json: Callable, for_csv: Callable) -> Callable:
    suffix = path.suffix.lower()
    if suffix in JSON_SUFFIXES:
        return for_json
    if suffix == CSV_SUFFIX:
        return for_csv
    raise SearchError(f"{printable(path)} should end in {', '.join(JSON_SUFFIXES)} or {CSV_SUFFIX}.")


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Number and content of each line that is not empty; a text that says why there is none."""
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
            if not line.strip(b"\xef\xbb\xbf \t\r\n"):
                continue
            if len(line) == LONGEST_LINE:
                yield number, f"It is longer than {LONGEST_LINE} bytes: a manifest has a song a line."
                return
            try:
                content = read_json(line)
            except UnicodeDecodeError:
                yield number, "It is not encoded in UTF-8."
            except ValueError as error:
                yield number, f"It is no JSON: {_without_place(error)}."
            else:
                yield (
                    number,
                    content if isinstance(content, dict) else "It is no object with name, mix, stems.",
                )


def _without_place(error: ValueError) -> str:
    return f"{error.msg}, at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)


def _csv_rows(path: Path) -> Iterator[tuple[int, Any]]:
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = _numbered(file)
        number, header = next(rows, (1, []))
        if isinstance(header, str):
            yield number, header
            return
        if problem := _header_problem(header):
            yield number, problem
            return
        for number, row in rows:
            if isinstance(row, str):
                yield number, row
            elif len(row) > len(header) and any(row[len(header) :]):
                yield number, f"It has {len(row)} cells, but there are only {len(header)} columns."
            elif any(row):
                yield number, _nested(zip(header, row, strict=False))


def _numbered(file: TextIO) -> Iterator[tuple[int, list[str] | str]]:
    """Rows with the lines that they begin at."""
    reader = csv.reader(file, strict=True, skipinitialspace=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"It is no CSV: {error}."
            continue
        yield number, [cell.strip() for cell in row]


def _header_problem(header: list[str]) -> str | None:
    if repeated := [name for name in header if header.count(name) > 1 and name]:
        return f"The column '{printable(repeated[0])}' is there twice."
    for name in header:
        table, _, rest = name.partition(".")
        if name in TABLES or (name not in KEYS and name and not (table in TABLES and rest)):
            return (
                f"The column '{printable(name)}' is unknown: there are name, mix, start, end, stems.NAME for each stem"
                " and groups.NAME for each group, separated by commas."
            )
    return None


def _nested(cells: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A row of CSV as what a line of JSON holds."""
    content: dict[str, Any] = {}
    for name, cell in cells:
        table, _, rest = name.partition(".")
        if not cell or not name:
            continue
        if table == "groups":
            content.setdefault(table, {})[rest] = [stem.strip() for stem in cell.split(",")]
        elif rest:
            content.setdefault(table, {})[rest] = cell
        else:
            content[name] = _number(cell) if name in ("start", "end") else cell
    return content


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _read_parts(content: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The arguments of a song that can be told, and everything that is wrong that its files do not tell."""
    wrong = {key: problem for key, check in _CHECKS.items() if (problem := check(key, content.get(key)))}
    good = {key: content[key] for key in KEYS if key not in wrong and content.get(key) is not None}
    parts = {key: _READERS[key](value, folder) for key, value in good.items()}
    problems = [*_key_problems(content), *wrong.values()]
    if not wrong.keys() & set(TABLES):
        problems += naming_problems([*parts["stems"]], parts.get("groups", {}))
    start, end = parts.get("start", 0), parts.get("end")
    if not wrong.keys() & {"start", "end"} and end is not None and end <= start:
        problems.append(f"It ends at {end:g} s, which is not after its start at {start:g} s.")
    same = [name for name, path in parts.get("stems", {}).items() if path == parts.get("mix")]
    return parts, problems + [f"The stem '{name}' is the mix itself: leave it out of the stems." for name in same]


def _key_problems(content: Mapping[str, Any]) -> Iterator[str]:
    for key in content:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, 1, 0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(KEYS)}."
            yield f"The key '{printable(key)}' is unknown: {hint}"


def _text_problem(key: str, value: Any) -> str | None:
    if value is None:
        return f"It has no {key}."
    return None if isinstance(value, str) and value else f"Its {key} is {_shown(value)}, but must be a text."


def _name_problem(key: str, value: Any) -> str | None:
    if (problem := _text_problem(key, value)) or not (wrong := name_problem(value)):
        return problem
    return f"The name '{printable(value)}' {wrong}: rename it."


def _stems_problem(key: str, value: Any) -> str | None:
    if value is None or value == {}:
        return "It has no stems."
    if isinstance(value, dict) and all(isinstance(path, str) and path for path in value.values()):
        return _names_problem("stem", value)
    return f"Its {key} are {_shown(value)}, but must be an object of names with a path each."


def _groups_problem(key: str, value: Any) -> str | None:
    if value is None or (isinstance(value, dict) and all(_are_texts(stems) for stems in value.values())):
        return _names_problem("group", value or ())
    return f"Its {key} are {_shown(value)}, but must be an object of names with a list of stems each."


def _names_problem(kind: str, names: Iterable[str]) -> str | None:
    odd = [printable(name) for name in names if not name or name != printable(name)]
    return f"The name of the {kind} '{odd[0]}' is empty or not printable: rename it." if odd else None


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _seconds_problem(key: str, value: Any) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or (number and 0 <= value <= 2**53 and math.isfinite(value)):
        return None
    return f"Its {key} is {_shown(value)}, but must be a number of seconds from 0 on."


_CHECKS: dict[str, Callable[[str, Any], str | None]] = {
    "name": _name_problem,
    "mix": _text_problem,
    "stems": _stems_problem,
    "groups": _groups_problem,
    "start": _seconds_problem,
    "end": _seconds_problem,
}

_READERS: dict[str, Callable[[Any, Path], Any]] = {
    "name": lambda value, _: value,
    "mix": lambda value, folder: folder / value,
    "stems": lambda value, folder: {name: folder / path for name, path in value.items()},
    "groups": lambda value, _: {name: tuple(stems) for name, stems in value.items()},
    "start": lambda value, _: float(value),
    "end": lambda value, _: float(value),
}


def _shown(value: Any) -> str:
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 80 else f"{text[:80]}…"


def _contents(songs: Iterable[Song], folder: Path) -> Iterator[dict[str, Any]]:
    """Songs as lines of JSON hold them."""
    resolved = cache(relative_path)  # of folders, of which there are few

    def relative(path: Path) -> str:
        return (Path(resolved(path.absolute().parent / "_", folder)).parent / path.name).as_posix()

    for song in songs:
        content: dict[str, Any] = {"name": song.name, "mix": relative(song.mix)}
        content["stems"] = {name: relative(path) for name, path in song.stems.items()}
        content |= {"groups": {name: list(stems) for name, stems in song.groups.items()}} if song.groups else {}
        yield content | {key: value for key in ("start", "end") if (value := getattr(song, key)) is not None}


def _write_json_lines(contents: Iterable[dict[str, Any]], file: BinaryIO) -> int:
    written = 0
    for content in contents:
        line = json.dumps(content, ensure_ascii=False)
        try:
            file.write(line.encode() + b"\n")
        except UnicodeEncodeError:  # a name of a file that is no text
            file.write(json.dumps(content).encode() + b"\n")
        written += 1
    return written


def _write_csv(contents: Iterable[dict[str, Any]], file: BinaryIO) -> int:
    rows = [_flat(content) for content in contents]
    names = {"name", "mix"}.union(*rows)
    columns = sorted(names, key=lambda name: (KEYS.index(name.partition(".")[0]), name))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    file.write(text.getvalue().encode("utf-8", "surrogateescape"))
    return len(rows)


def _flat(content: Mapping[str, Any]) -> dict[str, str]:
    row: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            row |= {f"{key}.{name}": ",".join(v) if isinstance(v, list) else v for name, v in value.items()}
        else:
            row[key] = str(value)
    odd = [stem for stems in content.get("groups", {}).values() for stem in stems if "," in stem]
    odd += [text for text in (*row, *row.values()) if text != text.strip()]
    if odd:
        raise SearchError(f"CSV cannot hold '{printable(odd[0])}', for its comma or spaces: write .jsonl instead.")
    return row
