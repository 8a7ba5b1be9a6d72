"""The folder of many searches: which songs it has, and their results."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...data.formats.io import GRAPH_FILE
from ...errors import SearchError
from ...text import printable
from ..mixing.report import METRICS_FILE
from .manifest import Song, read_manifest
from .names import MANIFEST_FILE, STATE_FOLDER

HEAD = 64
"""Bytes of the metrics that say whether a search has finished."""


def songs_of(runs: str | os.PathLike) -> Iterator[tuple[str, Song | None]]:
    """Yield the name of each song and what was asked for: by the list of songs or, without one, by folders.

    Raises:
        SearchError: There is neither.
        OSError: The folder cannot be read.
    """
    runs = Path(runs)
    if (runs / MANIFEST_FILE).is_file():
        yield from ((song.name, song) for song in read_manifest(runs / MANIFEST_FILE))
        return
    none = True
    for path in sorted(runs.iterdir()):
        if (
            path.name != STATE_FOLDER
            and not path.name.startswith(".")
            and ((path / METRICS_FILE).is_file() or (path / GRAPH_FILE).is_file())
        ):
            none = False
            yield path.name, None
    if none:
        raise SearchError(
            f"{printable(runs)} holds no searches: it has no {MANIFEST_FILE}, and no folder with {METRICS_FILE}."
        )


def is_finished(folder: Path) -> bool:
    """Whether a search has finished in a folder, by the beginning of its metrics."""
    try:
        with open(folder / METRICS_FILE, "rb") as file:
            return b'"finished": true' in file.read(HEAD)
    except OSError:
        return False


def metrics_of(folder: Path) -> Mapping[str, Any] | None:
    """The metrics of the search in a folder, if it has any that can be read."""
    try:
        metrics = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return metrics if isinstance(metrics, dict) else None
