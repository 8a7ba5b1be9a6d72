"""Large graphs.

All steps before rendering, for graphs of 100,000 nodes: conversion to tensors, the schedule (`beam`) and the plan. Each
measurement uses a fresh process. *Peak* is its maximum resident memory, including the graph; *above import* excludes
that of a process that only imports `grafx.render`.

Below, a chain of gains is rendered and differentiated, two channels of 1,024 samples. Every node is a separate step, so
this is the minimum cost of a step.
"""

from collections.abc import Iterator

from ..measure import Result, Run, alternate
from ..page import Table, ratio, scaled
from . import Bench

WORKERS = ("ours", "theirs")

PARTS = ("convert", "schedule", "prepare", "seconds")


def run(bench: Bench) -> Iterator[Table]:
    scale = 500 if bench.quick else 1
    workers = (bench.ours, bench.theirs)
    imports = _alternate(bench, [Run(worker, "only_import", {}) for worker in workers])
    times = Table(
        "Seconds of preparation",
        ("graph", "steps", "convert", "schedule", "prepare", "total", "steps (0.6.0)", "total (0.6.0)", "ratio"),
    )
    memory = Table(
        "Peak memory of preparation in MB",
        ("graph", "peak", "peak (0.6.0)", "ratio", "above import", "above import (0.6.0)", "ratio"),
    )
    for name, arguments in _shapes(scale).items():
        ours, theirs = _alternate(bench, [Run(worker, "preparation", arguments) for worker in workers])
        times.rows.append(
            (
                name,
                ours["steps"],
                *(ours[part] for part in PARTS),
                theirs["steps"],
                theirs["seconds"],
                ratio(theirs["seconds"], ours["seconds"]),
            )
        )
        peaks = [result["peak"] for result in (ours, theirs)]
        above = [_above(result, only) for result, only in zip((ours, theirs), imports, strict=True)]
        memory.rows.append((name, *peaks, ratio(*peaks[::-1]), *above, ratio(*above[::-1])))
    memory.rows.insert(0, ("import only", *(only["peak"] for only in imports), *[""] * 4))
    yield times
    yield memory
    yield _chain(bench, 10_000 // scale)


def _shapes(scale: int) -> dict[str, dict]:
    count, length, nodes = 17_000 // scale, 10_000 // scale, 100_000 // scale
    return {
        f"{count:,} chains of 3 to 7": {"shape": "chains", "seed": 0, "count": count, "shortest": 3, "longest": 7},
        f"10 chains of {length:,}": {"shape": "chains", "seed": 0, "count": 10, "shortest": length, "longest": length},
        f"1 chain of {nodes:,}": {"shape": "chains", "seed": 0, "count": 1, "shortest": nodes, "longest": nodes},
        f"random graph of {nodes:,}": {"shape": "random_dag", "seed": 0, "count": nodes},
    }


def _chain(bench: Bench, length: int) -> Table:
    table = Table(f"A chain of {length:,} gains", ("", "ms", "ms (0.6.0)", "ratio"))
    for name, train in (("without gradients", False), ("forward and backward", True)):
        arguments = {"shape": "line", "length": length, "sources": 1, "samples": 1024, "train": train}
        runs = [Run(worker, "rendering", arguments) for worker in (bench.ours, bench.theirs)]
        ours, theirs = alternate(*runs, repeats=1 if bench.quick else 5)
        times = [scaled(result["seconds"], 1e3) for result in (ours, theirs)]
        table.rows.append((name, *times, ratio(*times[::-1])))
    return table


def _alternate(bench: Bench, runs: list[Run]) -> list[Result]:
    return alternate(*runs, repeats=1 if bench.quick else 3, fresh=not bench.quick)


def _above(result: Result, imports: Result) -> float | str:
    peak = result["peak"]
    return peak if isinstance(peak, str) else peak - imports["peak"]
