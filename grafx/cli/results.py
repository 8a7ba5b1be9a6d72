"""Folders of results: one run at a time writes into them, and nothing is overwritten."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..data import GRAFX, load_grafx
from ..data.formats.io import GRAPH_FILE
from ..errors import SearchError
from ..files import LockedError, locked
from ..search import Search
from ..search.mixing.report import RESULT_FILES
from .outputs import refuse_file


def load_folder(folder: Path) -> tuple[GRAFX, dict[str, Any], dict[str, Any]]:
    """Load a graph from its folder or its ``graph.json``."""
    return load_grafx(folder.parent if folder.name == GRAPH_FILE and not folder.is_dir() else folder)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """A folder for results, which is made where it is missing, that no other run writes into meanwhile."""
    refuse_file(out, SearchError)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with locked(out, timeout=0):
            yield
    except LockedError:
        raise SearchError(f"Another run is writing into {out}: wait for it, or give another folder.") from None


def finished_metrics(out: Path, search: Search) -> dict[str, Any] | None:
    try:
        metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        same = metrics["fingerprint"] == search.fingerprint and metrics["finished"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return metrics if same else None


def refuse_results(out: Path) -> None:
    if present := [name for name in RESULT_FILES if (out / name).exists()]:
        raise SearchError(
            f"{out} already holds {', '.join(present)} of another search, which is left as it is: give another folder,"
            " or remove that one."
        )
