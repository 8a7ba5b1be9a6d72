"""Switches.

What those parts of other libraries bring that a variable turns off, see [Installation](installation.md): the same
kernels of ours with the part and without it, in processes that differ in this variable alone. A ratio is the time
without it divided by the time with it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..measure import Run, alternate
from ..page import Table, ratio, scaled
from . import Bench
from .cuda import has_gpu

WORKERS = ("ours",)
COLUMNS = (
    "variable",
    "kernel",
    "forward, ms",
    "ms (off)",
    "ratio",
    "forward and backward, ms",
    "ms (off)",
    "ratio",
)


class Part(NamedTuple):
    """The variable that turns a part off, and one of the kernels that use it."""

    variable: str
    title: str
    arguments: dict[str, Any]


def run(bench: Bench) -> Iterator[Table]:
    tracks, samples = (2, 2**12) if bench.quick else (16, 2**17)
    table = Table(f"{tracks} × 2 rows of {samples:,} samples", COLUMNS)
    parts = list(_parts(bench.quick))
    if bench.quick:  # one of each variable, as each starts a process
        parts = list({part.variable: part for part in parts}.values())
    for part in parts:
        if part.arguments.get("device") == "cuda" and not has_gpu(bench):
            continue
        off = bench.ours.with_variables(**{part.variable: "0"})
        cells: list[Any] = []
        try:
            for train in (False, True):
                arguments = {"tracks": tracks, "samples": samples, "package": "ours", "train": train, **part.arguments}
                runs = (Run(worker, "kernel", arguments) for worker in (bench.ours, off))
                times = [scaled(r["seconds"], 1e3) for r in alternate(*runs, repeats=1 if bench.quick else 5)]
                cells += [*times, ratio(times[1], times[0])]
        finally:
            off.close()
        table.rows.append((f"`{part.variable}`", part.title, *cells))
    yield table


def _parts(quick: bool) -> Iterator[Part]:
    long, short, sections = (600, 63, 2) if quick else (60_000, 2_047, 10)
    yield Part("GRAFX_VECTORS", "one-pole smoothing", {"name": "smoothing"})
    yield Part("GRAFX_VECTORS", f"{sections} biquads in series", {"name": "biquads", "sections": sections})
    yield Part("GRAFX_VECTORS", "ballistics", {"name": "ballistics"})
    for taps in (short, long):
        yield Part("GRAFX_MKL", f"convolution with {taps:,} taps", {"name": "convolution", "taps": taps})
    yield Part("GRAFX_THREADS", "one-pole smoothing", {"name": "smoothing"})
    yield Part("GRAFX_THREADS", f"{sections} biquads in series", {"name": "biquads", "sections": sections})
    flash = {"name": "convolution", "package": "flash", "taps": long, "device": "cuda"}
    yield Part("GRAFX_FLASH_FFT", f"convolution with {long:,} taps on a GPU", flash)
