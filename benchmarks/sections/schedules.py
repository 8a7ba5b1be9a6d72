"""Schedules.

Graphs of chains of 3 to 8 random processors of seven types, each chain from an input to one mix. The fewer steps a
schedule has, the larger its batches. The optimum is found and proven by our method `optimal`; *longer* counts the
graphs for which our schedule has more steps than that of GRAFX 0.6.0.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ..measure import ABSENT, NOT_MEASURED, Run, alternate
from ..page import Table, ratio, scaled
from . import Bench

WORKERS = ("ours", "theirs")

COLUMNS = (
    "method",
    "steps",
    "steps (0.6.0)",
    "above optimum",
    "above optimum (0.6.0)",
    "longer",
    "ms per graph",
    "ms per graph (0.6.0)",
    "ratio",
)


def run(bench: Bench) -> Iterator[Table]:
    count = 5 if bench.quick else 200
    yield _table(bench, f"{count} graphs of 6 chains", ("greedy", "beam", "optimal"), 0, count, 6)
    count, chains = (2, 30) if bench.quick else (5, 300)
    yield _table(bench, f"{count} graphs of {chains} chains", ("greedy", "beam"), 1000, count, chains)


def _table(bench: Bench, title: str, methods: Sequence[str], seed: int, count: int, chains: int) -> Table:
    results = {}
    for method in methods:
        arguments = {"seeds": (seed, seed + count), "chains": chains, "method": method}
        theirs = ABSENT if method == "optimal" else bench.theirs
        runs = [Run(worker, "schedules", arguments) for worker in (bench.ours, theirs)]
        results[method] = alternate(*runs, repeats=1 if bench.quick else 5)
    optimum = results["optimal"][0]["steps"] if "optimal" in methods else NOT_MEASURED
    table = Table(title, COLUMNS)
    for method, (ours, theirs) in results.items():
        proven = f", proven for {count - ours['warnings']} of {count}" if method == "optimal" else ""
        table.rows.append(
            (
                f"{method}{proven}",
                *(_of_steps(sum, result["steps"]) for result in (ours, theirs)),
                *(_of_steps(_excess, result["steps"], optimum) for result in (ours, theirs)),
                _of_steps(_longer, ours["steps"], theirs["steps"]),
                *(scaled(result["seconds"], 1e3 / count) for result in (ours, theirs)),
                ratio(theirs["seconds"], ours["seconds"]),
            )
        )
    return table


def _of_steps(function: Any, *steps: list[int] | str) -> Any:
    """Compute a number from steps, or return the word that replaces some of them."""
    return next((found for found in steps if isinstance(found, str)), None) or function(*steps)


def _excess(steps: list[int], optimum: list[int]) -> str:
    return f"{100 * (sum(steps) / sum(optimum) - 1):.2f} %"


def _longer(ours: list[int], theirs: list[int]) -> int:
    return sum(mine > other for mine, other in zip(ours, theirs, strict=True))
