"""Data for blind estimation.

Random graphs per second, of two seconds at 44.1 kHz: drawn with their dry sounds, rendered, and rendered without each
of their nodes, to know which are heard; settings of the others are drawn and rendered again. *One by one* makes each
graph in calls of its own, *batches* render 32 different graphs in a call, and with workers a data loader has two
processes that do so. Each process computes in one thread, so that samples do not depend on their number. *Ratio* is to
one by one. Nodes are counted with inputs, sums and outputs.
"""

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

ONE, BATCHED, WORKERS_TOO = (1, 0), (32, 0), (32, 2)


def run(bench: Bench) -> Iterator[Table]:
    table = Table("Graphs per second", ("", "nodes", "one by one", "batches", "ratio", "batches, two workers", "ratio"))
    for name, (preset, sounds, structure) in PRIORS.items():
        count, seconds = (2, 0.05) if bench.quick else (128, 2.0)
        results = alternate(
            *(
                Run(
                    bench.ours,
                    "graph_data",
                    {
                        "preset": preset,
                        "structure": structure,
                        "sounds": sounds,
                        "count": count if size > 1 else max(2, count // 8),
                        "batch_size": size,
                        "workers": workers,
                        "seconds": seconds,
                    },
                )
                for size, workers in (ONE, BATCHED, WORKERS_TOO)
            ),
            repeats=1 if bench.quick else 3,
        )
        counts = max(2, count // 8), count, count
        alone, batched, shared = (_per_second(n, r["seconds"]) for n, r in zip(counts, results, strict=True))
        nodes = results[1]["nodes"]
        table.rows.append((name, nodes, alone, batched, ratio(batched, alone), shared, ratio(shared, alone)))
    yield table


def _per_second(count: int, seconds: float | str) -> float | str:
    return seconds if isinstance(seconds, str) else count / seconds
