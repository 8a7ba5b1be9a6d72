"""Kicks.

Kick drums of a second at 44.1 kHz with random settings, by one call of `KickSynth` and by a call for each; with
gradients, to all settings of all kicks. All are kept. *Resident* is the peak of a fresh process above its initial
memory, including the sounds. Ratios compare with the first row. We know of no other package that makes kick drums with
gradients, so all columns are ours.
"""

from collections.abc import Iterator

from ..measure import Run, alternate
from ..page import Table, ratio
from . import Bench

WORKERS = ("ours",)


def run(bench: Bench) -> Iterator[Table]:
    for count, train in ((4, False), (4, True)) if bench.quick else ((1000, False), (100, True)):
        yield _table(bench, count, train)


def _table(bench: Bench, count: int, train: bool) -> Table:
    samples = 400 if bench.quick else 44100
    runs = [
        Run(bench.ours, "kicks", {"count": count, "samples": samples, "at_once": at_once, "train": train})
        for at_once in (count, 1)
    ]
    lasting = alternate(*runs, repeats=1 if bench.quick else 3)
    fresh = lasting if bench.quick else alternate(*runs, repeats=1, fresh=True)
    seconds = [result["seconds"] for result in lasting]
    resident = [_above(result["peak"], result["before"]) for result in fresh]
    table = Table(
        f"{count:,} kicks{' with gradients' if train else ''}", ("", "seconds", "ratio", "resident MB", "ratio")
    )
    for name, time, memory in zip(("one call", "a call for each"), seconds, resident, strict=True):
        table.rows.append((name, time, ratio(time, seconds[0]), memory, ratio(memory, resident[0])))
    return table


def _above(peak: float | str, before: float | str) -> float | str:
    return peak if isinstance(peak, str) else max(0.0, peak - before)
