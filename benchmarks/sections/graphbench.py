"""GraphBench.

Which graph made a sound? {doc}`guides/graphbench` describes the three tasks, the scores, and how to enter a model. Here
are the baselines: the most frequent structure with the medians of its settings; the graph of the training example
whose features are nearest, and whose embedding by the model is; the network of `grafx train --preset tiny`, trained
on a quarter of that preset's examples in three fifths of its steps; and 60 steps of gradient descent of the settings
that it estimates, from the dry sounds, on the first examples.
*Hears* is what a baseline is given. `--runs FOLDER` keeps models and entries, and takes models that are there.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import Unanswered
from ..page import Table
from . import Bench

WORKERS = ("ours",)
LIMIT = 3600.0
TASKS = {"drums": "chains of drum effects", "tones": "forks and merges on tones", "consoles": "small consoles"}
SCORES = {
    "node_type_error": "node-type error",
    "node_f1": "node F1",
    "edge_f1": "edge F1",
    "parameter_error": "parameter error",
    "mel": "mel distance",
}
SIZES = {"examples": 3072, "steps": 1500, "count": 60, "fitted": 6}
"""How many examples are learned from, and how long; how many are estimated, and how many of these fitted."""
QUICK = {"examples": 32, "steps": 4, "count": 2, "fitted": 1}


def run(bench: Bench) -> Iterator[Table]:
    for task, title in list(TASKS.items())[: 1 if bench.quick else None]:
        sizes = QUICK if bench.quick else SIZES
        try:
            found = bench.ours.ask("graphbench", {"task": task, **sizes, "folder": bench.runs}, LIMIT)
        except Unanswered as unanswered:
            yield Table(f"{task}: {title}", ("baseline", "scores"), [("all", str(unanswered))])
            continue
        finally:
            bench.ours.forget()
        yield _table(f"{task}: {title}", found["scores"])


def _table(title: str, scores: dict[str, dict[str, Any]]) -> Table:
    table = Table(title, ("baseline, hears, dry sounds", *SCORES.values()))
    for name, splits in scores.items():
        for split, values in splits.items():
            table.rows.append((f"{name}, {split}", *(_number(values[score]) for score in SCORES)))
    return table


def _number(value: float | None) -> float | str:
    return "–" if value is None else value
