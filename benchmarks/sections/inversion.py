"""Inversion.

Kick drums with random settings, and the result of `grafx.search.invert` from their sound alone: errors of the initial
pitch and of its decay, and the spectral loss relative to that of the default settings. "Plain descent" is Adam from the
default settings, 300 steps with the same loss. Kicks are drawn uniformly from typical ranges, listed in
`benchmarks/cases/inversion.py`; the search only uses the ranges of the synthesizer. Each sound is half a second long.
"""

import statistics
from collections.abc import Iterator

from ..measure import Result, Run, alternate
from ..page import Table
from . import Bench

WORKERS = ("ours",)
PITCH, FALL = 0.05, 0.1  # errors that count as found


def run(bench: Bench) -> Iterator[Table]:
    methods = ("plain descent", "search")
    kicks = 1 if bench.quick else 20
    rows: dict[str, list[Result]] = {method: [] for method in methods}
    for method in methods:
        for seed in range(kicks):
            case = Run(bench.ours, "inversion", {"seed": seed, "method": method, "quick": bench.quick})
            rows[method] += alternate(case, repeats=1, fresh=True)
    columns = ("f_start in Hz", "error", "pitch_decay in 1/s", "error", "loss", "of that of the defaults", "seconds")
    each = Table("Each kick, by the search", columns)
    for row in rows["search"]:
        each.rows.append(
            (row["f_start"], row["pitch"], row["pitch_decay"], row["fall"], row["loss"], row["ratio"], row["seconds"])
        )
    title = "How many are found, and the median loss relative to that of the defaults"
    total = Table(title, ("", "kicks", "f_start within 5 %", "pitch_decay within 10 %", "both", "loss"))
    for method, results in rows.items():
        pitch = [abs(row["pitch"]) <= PITCH for row in results]
        fall = [abs(row["fall"]) <= FALL for row in results]
        both = sum(a and b for a, b in zip(pitch, fall, strict=True))
        ratio = statistics.median(row["ratio"] for row in results)
        total.rows.append((method, kicks, sum(pitch), sum(fall), both, ratio))
    yield total
    yield each
