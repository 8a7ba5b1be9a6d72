"""Aggregation.

Sums of the signals that meet at an inlet: ours (`aggregation="native"`) or the kernel of `torch_scatter`
(`aggregation="scatter"`), in the same process. The graphs consist mostly of sums: in the first three, every track goes
to every bus, and the buses to the output; in the last one gains surround the sums. Signals are stereo, with gradients
to the inputs.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import Run, alternate
from ..page import Table, ratio, scaled
from . import Bench

WORKERS = ("ours", "scatter")


def run(bench: Bench) -> Iterator[Table]:
    tracks, samples = (8, 2**10) if bench.quick else (64, 2**16)
    table = Table(
        f"{tracks} tracks of {samples:,} samples, ms",
        ("sums", "forward, native", "scatter", "ratio", "forward and backward, native", "scatter", "ratio"),
    )
    for name, graph in _graphs(tracks).items():
        cells = []
        for train in (False, True):
            arguments = {**graph, "sources": tracks, "samples": samples, "train": train}
            native, scatter = _compare(bench, arguments)
            cells += [native, scatter, ratio(scatter, native)]
        table.rows.append((name, *cells))
    yield table


def _graphs(tracks: int) -> dict[str, dict[str, Any]]:
    matrices = {
        f"{tracks} → {buses}": {"shape": "matrix", "tracks": tracks, "buses": buses} for buses in (1, 4, tracks // 4)
    }
    console = {"shape": "console", "tracks": tracks, "chain": ["gain"]}
    return {**matrices, f"console, {tracks} → 4 → 1": console}


def _compare(bench: Bench, arguments: dict[str, Any]) -> list[float | str]:
    native = bench.scatter if bench.scatter.available else bench.ours
    options = {"input_signal_grad": arguments["train"]}
    runs = [
        Run(worker, "rendering", {**arguments, "options": {**options, "aggregation": aggregation}})
        for worker, aggregation in ((native, "native"), (bench.scatter, "scatter"))
    ]
    results = alternate(*runs, repeats=1 if bench.quick else 15)
    return [scaled(result["seconds"], 1e3) for result in results]
