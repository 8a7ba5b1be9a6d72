"""Drawings.

Graphs drawn by `draw_grafx`, saved as PNG. *Crossings* are those of edges that share no node. *Through* counts edges
that run through a node they do not end at, and *overlaps* pairs of nodes or of texts that cover each other. Inches are
those of the figure as it comes; *column* is the height in inches of the same drawing in a column of a paper
(`width=3.3, legend=False`), and *text* the size of its smallest letters in points. Seconds are of the processor, with
texts measured before.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import Result, Run, alternate
from ..page import Table
from . import Bench

WORKERS = ("ours", "theirs")

GRAPHS: dict[str, tuple[str, dict[str, Any]]] = {
    "chain of 10": ("line", {"length": 10, "chain": ["eq", "compressor", "reverb"]}),
    "chain of 40": ("line", {"length": 40, "chain": ["eq", "compressor", "reverb"]}),
    "4 separate strips": ("strips", {"tracks": 4, "chain": ["eq", "compressor", "reverb"]}),
    "12 separate strips": ("strips", {"tracks": 12, "chain": ["eq", "compressor", "reverb"]}),
    "console, 4 tracks, 2 groups": ("console", {"tracks": 4, "groups": 2}),
    "console, 8 tracks, 2 groups": ("console", {"tracks": 8, "groups": 2}),
    "console, 16 tracks, 4 groups": ("console", {"tracks": 16, "groups": 4}),
    "console, 64 tracks, 8 groups": ("console", {"tracks": 64, "groups": 8}),
    "pruned console, 8 tracks": ("pruned", {"tracks": 8, "keep": 0.5}),
    "pruned console, 19 tracks": ("pruned", {"tracks": 19, "keep": 0.3, "seed": 1}),
    "pruned console, 40 tracks": ("pruned", {"tracks": 40, "keep": 0.3}),
    "sidechains, 4 tracks": ("sidechained", {"tracks": 4}),
    "sidechains, 12 tracks": ("sidechained", {"tracks": 12}),
    "matrix of 4 × 3": ("matrix", {"tracks": 4, "buses": 3}),
    "matrix of 12 × 6": ("matrix", {"tracks": 12, "buses": 6}),
    "random, 15 nodes": ("random_dag", {"seed": 0, "count": 15}),
    "random, 30 nodes": ("random_dag", {"seed": 1, "count": 30}),
    "random, 60 nodes": ("random_dag", {"seed": 2, "count": 60}),
    "random chains, 12": ("chains", {"seed": 0, "count": 12}),
    "random chains, 30": ("chains", {"seed": 1, "count": 30}),
}
MEASURES = ("crossings", "through", "overlaps", "cpu")
COLUMN = {"width": 3.3, "legend": False}


def run(bench: Bench) -> Iterator[Table]:
    shown = list(GRAPHS)[:: 10 if bench.quick else 1]
    names = ("inches", "crossings", "through", "overlaps", "seconds")
    pairs = (heading for name in names for heading in (name, f"{name} (0.6.0)"))
    table = Table(f"{len(shown)} graphs", ("", "nodes", "edges", *pairs, "column", "text"))
    for name in shown:
        shape, arguments = GRAPHS[name]
        free, column = ({"shape": shape, "arguments": arguments, "options": options} for options in ({}, COLUMN))
        runs = [Run(worker, "drawing", free) for worker in (bench.ours, bench.theirs)]
        ours, theirs = alternate(*runs, repeats=1)
        (narrow,) = alternate(Run(bench.ours, "drawing", column), repeats=1)
        cells = [(_inches(ours), _inches(theirs)), *((ours[key], theirs[key]) for key in MEASURES)]
        height = _inches(narrow).partition(" × ")[2]
        text = narrow["smallest"]
        flat = (cell for pair in cells for cell in pair)
        table.rows.append((name, ours["nodes"], ours["edges"], *map(_whole, flat), height, text))
    yield table


def _inches(result: Result) -> str:
    sides = result["inches"]
    return sides if isinstance(sides, str) else " × ".join(f"{side:.1f}" for side in sides)


def _whole(value: Any) -> Any:
    """Counts without digits after the point."""
    return round(value) if isinstance(value, float) and value == round(value) else value
