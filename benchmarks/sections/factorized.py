"""Factorized dynamics.

Times of `FactorizedCompressor` and `FactorizedNoiseGate` compared to `Compressor` and `NoiseGate` with the same
settings: the frame-wise factor alone, and with the sample-wise one. Signals are stereo noise at 44.1 kHz; backward
passes reach signals and settings. A *ratio* is the time of the processor without factors divided by that of the row.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import Run, alternate
from ..page import Table, ratio, scaled
from . import Bench

WORKERS = ("ours",)
PACKAGES = ("grafx", "torch", "numba")
PROCESSORS = {
    "compressor": ("`Compressor`", "`FactorizedCompressor`", "factorized_compressor"),
    "gate": ("`NoiseGate`", "`FactorizedNoiseGate`", "factorized_gate"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "frames of 64": {"transients": False},
    "frames of 256": {"transients": False, "hop": 256},
    "frames of 64, and samples": {},
}


def run(bench: Bench) -> Iterator[Table]:
    signals, samples = (2, 2**12) if bench.quick else (16, 2**17)
    columns = ("processor", "of", "forward, ms", "ratio", "forward and backward, ms", "ratio")
    table = Table(f"{signals} stereo signals of {samples:,} samples", columns)
    sizes = {"package": "ours", "signals": signals, "samples": samples}
    for whole, (title, factorized, name) in PROCESSORS.items():
        times = []
        for train in (False, True):
            cases = [{"name": whole}, *({"name": name, **options} for options in OPTIONS.values())]
            runs = [Run(bench.ours, "shaping", {**case, **sizes, "train": train}) for case in cases]
            times.append([scaled(r["seconds"], 1e3) for r in alternate(*runs, repeats=1 if bench.quick else 5)])
        labels = ((title, "samples"), *((factorized, parts) for parts in OPTIONS))
        for label, forward, training in zip(labels, *times, strict=True):
            cells = [forward, ratio(times[0][0], forward), training, ratio(times[1][0], training)]
            table.rows.append((*label, *cells))
    yield table
