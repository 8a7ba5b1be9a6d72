"""Folders with the results of several searches of one song, and the best of them."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ..data import GRAFX
from ..errors import SearchError
from ..files import locked, replacing_all
from ..search import sureness
from ..search.mixing.report import METRICS_FILE, RESULT_FILES, write_metrics
from ..search.mixing.seeds import best_of
from .config import Request
from .progress import CHECKPOINT
from .results import read_metrics, refuse_results

SEEDS = "seeds"
"""Folder of the folders, and key of the metrics."""
ONE_SEED = (
    "finished",
    "found_loss",
    "found_over_plain",
    "console_loss",
    "cost_of_pruning",
    "console_processors",
    "found_processors",
    "removed",
    "found_step",
    "steps",
    "fingerprint",
)
"""What the metrics repeat of each seed's."""


def requests_of_seeds(request: Request) -> list[Request]:
    """What is asked for of each seed: a search of its own, in a folder of its own."""
    first = request.options.seed
    each = [replace(request.options, seed=first + number) for number in range(request.seeds)]
    return [replace(request, out=request.out / SEEDS / str(options.seed), seeds=1, options=options) for options in each]


def num_processes(request: Request) -> int:
    """How many searches to run at a time: as many as there are threads, which a single search hardly uses."""
    on_cpu = request.device is None or torch.device(request.device).type == "cpu"
    return torch.get_num_threads() if on_cpu else 1


def refuse_others(out: Path, folders: Sequence[Path], files: Sequence[str]) -> None:
    """Refuse a folder with results other than those of these seeds.

    Raises:
        SearchError: It has such; the message says which.
    """
    present = {path.name for path in (out / SEEDS).iterdir()} if (out / SEEDS).is_dir() else set()
    if not present or (out / CHECKPOINT).exists() or not _has_seeds(out):
        refuse_results(out, (*files, CHECKPOINT))
    if others := sorted(present - {folder.name for folder in folders}):
        raise SearchError(
            f"{out} holds seeds that are not asked for, {', '.join(others)}, which are left as they are: ask for these"
            " too, or give another folder."
        )


def _has_seeds(out: Path) -> bool:
    """Whether the results in a folder are of several seeds, if there are any."""
    try:
        return SEEDS in read_metrics(out)
    except FileNotFoundError:
        return True  # it was killed before it could write them
    except (OSError, ValueError, TypeError):
        return False


def has_results(requests: Sequence[Request]) -> bool:
    return any((each.out / METRICS_FILE).exists() for each in requests)


def write_best(
    out: Path, folders: Sequence[Path], tolerance: float, console: GRAFX | None
) -> tuple[dict[str, Any], bool]:
    """Copy the best result into a folder, and add to its metrics those of each seed and what is sure.

    Nothing is written where this is there already. Of seeds that are not all finished, those that are count.

    Args:
        out: Where it goes.
        folders: Those of the seeds, in their order, as far as there are results.
        tolerance: Of the searches.
        console: The graph that all began with.

    Returns:
        The metrics, and whether they were there already.
    """
    metrics = {folder: read_metrics(folder) for folder in folders if (folder / METRICS_FILE).exists()}
    chosen = [folder for folder in metrics if metrics[folder]["finished"]] or list(metrics)
    numbers = [tuple(metrics[f][key] for key in ("console_loss", "found_loss", "found_processors")) for f in chosen]
    best = chosen[best_of(numbers, tolerance)]
    added = {
        SEEDS: [{"seed": int(f.name), **{key: each[key] for key in ONE_SEED}} for f, each in metrics.items()],
        "sure": [asdict(part) for part in sureness(chosen, console)],
    }
    history = metrics[best].pop("history")
    finished = len(metrics) == len(folders) and all(each["finished"] for each in metrics.values())
    result = {**metrics[best], "finished": finished, "seed": int(best.name), **added}
    everything = result | {"history": history}
    try:
        if read_metrics(out) == everything:
            return result, True
    except (OSError, ValueError):
        pass
    with locked(out), replacing_all(out, RESULT_FILES) as partial:
        for name in RESULT_FILES:
            shutil.copyfile(best / name, partial / name)
        write_metrics(partial, everything)
    return result, False
