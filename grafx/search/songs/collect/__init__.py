"""What the searches of many songs have found, as a data set."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import GraphError
from ....text import Notice
from ..names import GRAPHS_FILE, PROCESSORS_FILE, SONGS_FILE
from ..runs import songs_of
from ..status import state_of
from .graphs import Graphs, SongGraphs, load_graphs
from .run import FoundProcessor, Run, is_done, parts_of, read_run
from .tables import Tables

__all__ = ["Collected", "FoundProcessor", "Run", "SongGraphs", "collect_songs", "load_graphs", "read_runs"]


@dataclass(frozen=True)
class Collected:
    """How much there is of songs, those of them with a graph, and processors."""

    songs: int
    graphs: int
    processors: int


def collect_songs(
    runs: str | os.PathLike,
    out: str | os.PathLike | None = None,
    notice: Notice = print,
    also: Callable[[Run, Sequence[FoundProcessor]], Any] | None = None,
) -> Collected:
    """Write what the searches in a folder have found as two files of Parquet, and one for PyG.

    ``songs.parquet`` has a row for each song, also those that failed; ``processors.parquet`` one for each processor
    that was found, with a column for each number of its settings, in physical units; ``graphs.safetensors`` is read by
    :func:`load_graphs`.

    Args:
        runs: Folder of searches.
        out: Folder for the files; by default the same.
        notice: Called with a sentence for each song whose graph cannot be read.
        also: Called with each song and the processors that were found in it.

    Raises:
        SearchError: There are no searches.
        GraphError: Songs have processors of one name with other inlets.
        OSError: A file cannot be read or written.
    """
    runs = Path(runs)
    out = runs if out is None else Path(out)
    tables, graphs = Tables(), Graphs()
    for run, parts in read_runs(runs, notice):
        tables.add(run, parts)
        if also is not None:
            also(run, parts)
        if is_done(run):
            graphs.add(run, parts)
    out.mkdir(parents=True, exist_ok=True)
    songs, processors = tables.write(out / SONGS_FILE, out / PROCESSORS_FILE)
    return Collected(songs, graphs.write(out / GRAPHS_FILE), processors)


def read_runs(runs: str | os.PathLike, notice: Notice = print) -> Iterator[tuple[Run, list[FoundProcessor]]]:
    """Read the searches in a folder one by one: each with the processors that it found, none where it is not done.

    Raises:
        SearchError: There are no searches.
    """
    runs = Path(runs)
    for name, song in songs_of(runs):
        state = state_of(runs, name, active=False)
        try:
            run = read_run(runs / name, state, song)
        except GraphError as error:
            notice(str(error))
            run = Run(name, state, song)
        yield run, parts_of(run) if is_done(run) else []
