"""Data for blind estimation.

Random graphs per second, of two seconds at 44.1 kHz: drawn with their dry sounds, rendered, and rendered without each
of their nodes, which tells what is heard. *One by one*, a renderer is made for each graph, and for what is left of it
without a node. *Batches* are lists of a `GraphDataset`: 32 different graphs with all that is left of them in one call
(a few for consoles), in which what comes before a removed node is computed once; with two workers, two processes make
them. *Lists of one* are the same without a batch. Lists are computed in one thread of each process, so that samples do
not depend on the number of processes, and one by one in all threads. Ratios are to one by one. Nodes are counted with
inputs, sums and outputs.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from ..measure import Run, alternate
from ..page import Table, ratio
from . import Bench

WORKERS = ("ours",)

STRIPS = {"count": [5, 5], "length": [3, 3], "groups": ["cleaning", "dynamics", "tone", "character", "level"]}
PRIORS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chains of 4": ("drums", "drums", {"max_nodes": 6, "structures": {"chain": {"length": [4, 4]}}}),
    "forks and merges of 8": ("guitar", "tones", {"max_nodes": 8, "structures": {"dag": {"nodes": [8, 8]}}}),
    "consoles of 30": (
        "mix",
        "mix",
        {
            "max_nodes": 40,
            "structures": {
                "console": {
                    "stems": STRIPS,
                    "buses": {"count": [1, 1], "length": [1, 1]},
                    "returns": {"count": [1, 1], "length": [1, 1]},
                    "master": {"length": [1, 1]},
                    "sends": 0.2,
                }
            },
        },
    ),
}
"""Name to a preset, a generator of sounds, and the structures in place of those of the preset."""

WAYS = {"one by one": (0, 0), "lists of one": (1, 0), "batches": (32, 0), "batches, two workers": (32, 2)}
"""Sizes of batches, and numbers of workers."""


def run(bench: Bench) -> Iterator[Table]:
    table = Table(
        "Graphs per second",
        ("", "nodes", "one by one", *itertools.chain(*((way, "ratio") for way in list(WAYS)[1:]))),
    )
    for name in PRIORS:
        results = alternate(*_runs(bench, name), repeats=1 if bench.quick else 3)
        seconds = (result["seconds"] for result in results)
        alone, *rates = (_per_second(_count(bench, way), each) for way, each in zip(WAYS, seconds, strict=True))
        cells = itertools.chain(*((rate, ratio(rate, alone)) for rate in rates))
        table.rows.append((name, results[-1]["nodes"], alone, *cells))
    yield table


def _runs(bench: Bench, name: str) -> Iterator[Run]:
    preset, sounds, structure = PRIORS[name]
    for way, (batch_size, workers) in WAYS.items():
        arguments = {
            "preset": preset,
            "structure": structure,
            "sounds": sounds,
            "count": _count(bench, way),
            "batch_size": batch_size,
            "workers": workers,
            "seconds": 0.05 if bench.quick else 2.0,
        }
        yield Run(bench.ours, "graph_data", arguments)


def _count(bench: Bench, way: str) -> int:
    """How many graphs are made: fewer where each has its own calls."""
    whole = 2 if bench.quick else 128
    return whole if way.startswith("batches") else max(2, whole // 16)


def _per_second(count: int, seconds: float | str) -> float | str:
    return seconds if isinstance(seconds, str) else count / seconds
