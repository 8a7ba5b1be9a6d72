"""Floor.

Time of a forward render of a console compared to its lower bound: every node reads its inputs and writes its output
once, at the speed at which this machine copies tensors, plus the transforms of its convolutions, with our partition,
one after another in the cache of each core. Levels, smoothing, gains, products of spectra and filter design come on
top. The console is that of the first section.
"""

from collections.abc import Iterator

from ..measure import Result, Run, alternate
from ..page import Table, ratio, scaled
from . import Bench
from .consoles import STRIP, console

WORKERS = ("ours",)
LONG, SHORT = 60_000, 2_047
"""Taps of delays and reverbs, and of equalizers."""


def run(bench: Bench) -> Iterator[Table]:
    for tracks, samples in ((4, 2**12),) if bench.quick else ((4, 2**17), (16, 2**17), (64, 2**17)):
        yield _table(bench, tracks, samples)


def _table(bench: Bench, tracks: int, samples: int) -> Table:
    strips, groups = tracks + tracks // 4 + 1, tracks // 4
    passes = 2 * len(STRIP) * strips + (tracks + groups) + (groups + 1)  # reads and writes of nodes, then of mixes
    copied = 2**12 if bench.quick else 2**25
    equalizers = {"signals": 2 * strips, "filters": strips, "samples": samples, "taps": SHORT}
    effects = {"signals": 4 * strips, "filters": 4 * strips, "samples": samples, "taps": LONG}
    render, copy, short, long = alternate(
        Run(bench.ours, "rendering", {**console(tracks, samples), "train": False}),
        Run(bench.ours, "copying", {"samples": copied}),
        Run(bench.ours, "transforms", equalizers),
        Run(bench.ours, "transforms", effects),
        repeats=1 if bench.quick else 9,
    )
    moving = scaled(copy["seconds"], passes * samples / copied)  # both copy eight bytes for each
    parts = [moving, short["seconds"], long["seconds"]]
    floor = next((part for part in parts if isinstance(part, str)), None) or sum(parts)
    rows = {
        f"{8e-6 * passes * samples:,.0f} MB through memory": moving,
        f"{_count(short)} of equalizers": short["seconds"],
        f"{_count(long)} of delays and reverbs": long["seconds"],
        "floor": floor,
        "render": render["seconds"],
    }
    table = Table(f"{tracks} tracks of {samples:,} samples, forward", ("", "ms", "of the floor"))
    table.rows += [(name, scaled(seconds, 1e3), ratio(seconds, floor)) for name, seconds in rows.items()]
    return table


def _count(transforms: Result) -> str:
    return transforms.word or f"{transforms['count']:,.0f} transforms of {transforms['length']:,.0f}"
