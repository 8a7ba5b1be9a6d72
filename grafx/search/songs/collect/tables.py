"""Songs and processors as tables of Parquet."""

import json
import re
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from ....files import replacing
from .run import FoundProcessor, Run, console_of

SONGS = pa.schema(
    [
        ("name", pa.string()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("attempts", pa.int32()),
        ("finished", pa.bool_()),
        ("plain_loss", pa.float64()),
        ("console_loss", pa.float64()),
        ("found_loss", pa.float64()),
        ("found_over_plain", pa.float64()),
        ("cost_of_pruning", pa.float64()),
        ("console_processors", pa.int32()),
        ("found_processors", pa.int32()),
        ("removed", pa.float64()),
        ("steps", pa.int32()),
        ("found_step", pa.int32()),
        ("seconds", pa.float64()),
        ("seed", pa.int64()),
        ("sample_rate", pa.int32()),
        ("duration", pa.float64()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("mix", pa.string()),
        ("stems", pa.list_(pa.string())),
        ("console", pa.list_(pa.struct([("owner", pa.string()), ("role", pa.string()), ("kind", pa.string())]))),
    ]
)
"""Columns of songs, of which ``console`` is what the search began with."""

PROCESSORS = pa.schema(
    [
        ("song", pa.string()),
        ("node", pa.int64()),
        ("kind", pa.string()),
        ("owner", pa.string()),
        ("role", pa.string()),
        ("stem", pa.string()),
        ("position", pa.int32()),
        ("drywet", pa.float64()),
        ("loss_without", pa.float64()),
        ("loss_added", pa.float64()),
        ("settings", pa.string()),
    ]
)
"""Columns of processors that come before one for each number of settings."""

AT_ONCE = 500
"""Songs whose rows are kept as Python has them."""


class Tables:
    """Collects rows, and writes them as two files when all are there."""

    def __init__(self) -> None:
        self._songs: list[dict[str, Any]] = []
        self._parts: list[dict[str, Any]] = []
        self._done: tuple[list[pa.Table], list[pa.Table]] = ([], [])

    def add(self, run: Run, parts: Iterable[FoundProcessor]) -> None:
        """Add a song with its processors."""
        self._songs.append(song_row(run))
        self._parts += [part_row(run, part) for part in parts]
        if len(self._songs) >= AT_ONCE:
            self._pack()

    def write(self, songs: Path, processors: Path) -> tuple[int, int]:
        """Write both files, and return how many rows they have."""
        self._pack()
        whole = [pa.concat_tables(tables, promote_options="default") for tables in self._done]
        with ExitStack() as stack:
            for path, table in zip((songs, processors), whole, strict=True):
                partial = stack.enter_context(replacing(path))
                parquet.write_table(_sorted(table), partial, compression="zstd")
        return whole[0].num_rows, whole[1].num_rows

    def _pack(self) -> None:
        self._done[0].append(pa.Table.from_pylist(self._songs, SONGS))
        names = sorted({name for row in self._parts for name in row} - set(PROCESSORS.names))
        schema = pa.schema([*PROCESSORS, *((name, pa.float64()) for name in names)])
        self._done[1].append(pa.Table.from_pylist(self._parts, schema))
        self._songs, self._parts = [], []


def song_row(run: Run) -> dict[str, Any]:
    """What the table of songs has of one; nothing where it is not known."""
    metrics, options, song, state = run.metrics, run.options, run.song, run.state
    rate, samples = run.metadata.get("sample_rate"), run.metadata.get("num_samples")
    row = {name: metrics.get(name) for name in SONGS.names}
    names = (
        [data.get("name") for _, data in sorted(run.G.nodes(data=True)) if data["node_type"] == "in"] if run.G else ()
    )
    return row | {
        "name": run.name,
        "state": state.state,
        "reason": state.reason or None,
        "attempts": state.attempts or None,
        "finished": metrics.get("finished", False),
        "seconds": metrics.get("seconds") or state.seconds or None,
        "seed": metrics.get("seed", options.get("seed")),
        "sample_rate": rate,
        "duration": samples / rate if rate and samples else None,
        "start": song.start if song else options.get("start"),
        "end": song.end if song else options.get("end"),
        "mix": str(song.mix) if song else options.get("mix"),
        "stems": list(song.stems) if song else [str(name) for name in names],
        "console": console_of(run),
    }


def part_row(run: Run, part: FoundProcessor) -> dict[str, Any]:
    """What the table of processors has of one."""
    without, found = part.loss_without, run.metrics.get("found_loss")
    row = {name: getattr(part, name) for name in PROCESSORS.names if hasattr(part, name)}
    numbers = {name if name not in PROCESSORS.names else f"settings/{name}": v for name, v in part.numbers().items()}
    return (
        row
        | numbers
        | {
            "song": run.name,
            "loss_added": None if without is None or found is None else without - found,
            "settings": json.dumps(part.settings, ensure_ascii=False),
        }
    )


def _sorted(table: pa.Table) -> pa.Table:
    """The columns of settings in the order of their names and numbers, after those that all have."""
    known = [name for name in (*SONGS.names, *PROCESSORS.names) if name in table.column_names]
    known = list(dict.fromkeys(known))
    return table.select([*known, *sorted(set(table.column_names) - set(known), key=natural)])


def natural(name: str) -> list[tuple[float, str]]:
    """A key to sort names by, with numbers as numbers: 31.5 Hz before 125 Hz."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(float(part), "") if place % 2 else (0.0, part) for place, part in enumerate(parts)]
