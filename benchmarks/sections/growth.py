"""Growth.

How the time of a training step of a console grows with its tracks and with the length of the signals: the exponent p
of time ∝ size ᵖ, fitted to the medians. 1 is proportional.
"""

import math
import statistics
from collections.abc import Iterator

from ..measure import Run, alternate
from ..page import Table
from . import Bench
from .consoles import console

WORKERS = ("ours",)


def run(bench: Bench) -> Iterator[Table]:
    samples = 2**10 if bench.quick else 2**16
    counts = (4, 8) if bench.quick else (8, 16, 32, 64)
    lengths = [samples, 2 * samples] if bench.quick else [samples << i for i in range(4)]
    table = Table("Exponents", ("with", "from", "to", "seconds at the smallest", "at the largest", "exponent"))
    for name, sizes, cases in (
        ("tracks", counts, [console(tracks, samples, True) for tracks in counts]),
        ("samples", lengths, [console(8, length, True) for length in lengths]),
    ):
        results = alternate(*[Run(bench.ours, "rendering", case) for case in cases], repeats=1 if bench.quick else 5)
        seconds = [result["seconds"] for result in results]
        table.rows.append((name, sizes[0], sizes[-1], seconds[0], seconds[-1], exponent(sizes, seconds)))
    yield table


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope of the line through the logarithms."""
    return statistics.linear_regression([math.log(n) for n in sizes], [math.log(s) for s in seconds]).slope
