"""Growth.

Growth of the time of a training step: of a console of eight tracks with the length of its signals and with the number
of inputs rendered at once, of consoles with their tracks, and of one chain of processors with its nodes. The exponent p
is that of time ∝ size ᵖ, fitted to the medians; 1 is proportional.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from ..measure import Run, alternate
from ..page import Table
from ..plot import COLORS, GREY, Line, Plot
from . import Bench
from .consoles import STRIP, console

WORKERS = ("ours",)
TRACKS = 8


def run(bench: Bench) -> Iterator[Table | Plot]:
    samples = 2**10 if bench.quick else 2**16
    table = Table("Exponents", ("with", "from", "to", "seconds at the smallest", "at the largest", "exponent"))
    lines = []
    for color, (name, cases) in zip(COLORS, _cases(bench.quick, samples).items(), strict=True):
        runs = [Run(bench.ours, "rendering", {**arguments, "train": True}) for arguments in cases.values()]
        seconds = [result["seconds"] for result in alternate(*runs, repeats=1 if bench.quick else 5)]
        sizes = list(cases)
        table.rows.append((name, sizes[0], sizes[-1], seconds[0], seconds[-1], exponent(sizes, seconds)))
        relative = [(size / sizes[0], time / seconds[0]) for size, time in zip(sizes, seconds, strict=True)]
        lines.append(Line(name, relative, color))
    largest = max(size for line in lines for size, _ in line.points)
    lines.append(Line("proportional", [(1, 1), (largest, largest)], GREY, dashed=True))
    description = "Time over size, both relative to the smallest, and what would be proportional."
    yield Plot("benchmarks_growth", description, "size / smallest", "time / that of the smallest", lines)
    yield table


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Fit the slope of the logarithms."""
    return statistics.linear_regression([math.log(n) for n in sizes], [math.log(s) for s in seconds]).slope


def _cases(quick: bool, samples: int) -> dict[str, dict[int, dict[str, Any]]]:
    """Arguments of the case ``rendering`` for some sizes."""
    chain = {"shape": "line", "chain": STRIP, "sources": 1, "samples": samples}
    return {
        "tracks": {n: console(n, samples) for n in ((4, 8) if quick else (8, 16, 32, 64))},
        "samples": {samples * n: console(TRACKS, samples * n) for n in ((1, 2) if quick else (1, 2, 4, 8))},
        "inputs at once": {n: {**console(TRACKS, samples), "batch": n} for n in ((1, 2) if quick else (1, 2, 4, 8))},
        "nodes in a chain": {n: {**chain, "length": n} for n in ((2, 4) if quick else (8, 16, 32, 64, 128))},
    }
