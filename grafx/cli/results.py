"""Folders of results: one run at a time writes into them, and nothing is overwritten."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..data import GRAFX, load_grafx
from ..data.formats.io import GRAPH_FILE
from ..errors import SearchError
from ..files import locked_for_run, remove_partial
from ..search import Search, remove_checkpoint
from ..search.mixing.report import METRICS_FILE, RESULT_FILES
from .config import CONFIG_FILE, Request, is_own_config
from .outputs import refuse_file
from .progress import CHECKPOINT


def load_folder(folder: Path) -> tuple[GRAFX, dict[str, Any], dict[str, Any]]:
    """Load a graph from its folder or its ``graph.json``, as :func:`.load_grafx` does."""
    return load_grafx(folder.parent if folder.name == GRAPH_FILE and not folder.is_dir() else folder)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """A folder for results, which is made where it is missing, that no other run writes into meanwhile."""
    refuse_file(out, SearchError)
    with locked_for_run(out, SearchError):
        yield


def finished_metrics(out: Path, search: Search) -> dict[str, Any] | None:
    """The metrics of a search that has finished in a folder, from which what it has left beside its results goes."""
    try:
        metrics = read_metrics(out)
        same = metrics["fingerprint"] == search.fingerprint and metrics["finished"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not same:
        return None
    remove_partial(out)  # if it was killed at the very end
    remove_checkpoint(out / CHECKPOINT)
    return metrics


def read_metrics(out: Path) -> dict[str, Any]:
    return json.loads((out / METRICS_FILE).read_text(encoding="utf-8"))


def metrics_beside(folder: Path) -> dict[str, Any] | None:
    """Those of the search in a folder, where it has any that can be read."""
    try:
        metrics = read_metrics(folder)
    except (OSError, ValueError):
        return None
    return metrics if isinstance(metrics, dict) else None


def result_files(out: Path, request: Request | None, config: Path | None) -> Sequence[str]:
    """Names of the files that a search writes into a folder."""
    return RESULT_FILES if request is None or is_own_config(out, config) else (*RESULT_FILES, CONFIG_FILE)


def refuse_results(out: Path, files: Sequence[str]) -> None:
    """Refuse a folder that has one of the files of results."""
    if present := [name for name in files if (out / name).exists()]:
        raise SearchError(
            f"{out} already holds {', '.join(present)} of another search, which is left as it is: give another folder,"
            " or remove that one."
        )
