"""Reverbs.

Times of reverbs on stereo noise at 44.1 kHz, with separate settings for each signal.

The feedback delay network has 16 lines of 751 to 2693 samples with nine sections in each; ours runs sample by sample,
and *by frequency* with `method="frequency"`. flamo solves one network after another at as many frequencies as there are
samples, in single precision, with wrapped-around echoes damped by 60 dB. Its sections cannot be learned, so it learns a
graphic equalizer of twelve filters in their place: the difference is that of the outputs. Freeverb is pedalboard's
`Reverb`, which has no gradients. Velvet noise of 60,000 samples in nine bands, or in nine widths, is computed in each
call, and compared to torchaudio's convolution with a given dense response.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..measure import NOT_MEASURED, Run, alternate
from ..page import Table, ratio, scaled
from . import Bench, kernels

WORKERS = ("ours", "theirs", "pedalboard")
PACKAGES = ("grafx", "torch", "torchaudio", "flamo", "numba")


class Pair(NamedTuple):
    """One of our functions in ``cases/reverbs.py``, its name on the page, and the package to compare it with.

    ``trained`` means that the other has gradients too, ``alike`` that it computes the same.
    """

    title: str
    name: str
    ours: str
    other: str
    signals: int
    trained: bool
    alike: bool


PAIRS = (
    Pair("feedback delay network", "network", "ours", "flamo", 2, True, True),
    Pair("feedback delay network, by frequency", "network", "ours_by_frequency", "flamo", 2, True, True),
    Pair("Freeverb", "freeverb", "ours", "pedalboard", 16, False, True),
    Pair("velvet noise, in bands", "velvet", "ours", "convolution", 16, True, False),
    Pair("velvet noise, dark", "velvet", "ours_dark", "convolution", 16, True, False),
)
NAMES = {"convolution": "torchaudio"}


def run(bench: Bench) -> Iterator[Table]:
    samples = 2**12 if bench.quick else 2**16
    table = Table(f"Stereo signals of {samples:,} samples", ("reverb", "signals", *kernels.COLUMNS[1:]))
    for pair in PAIRS:
        signals = 1 if bench.quick else pair.signals
        table.rows.append(
            (pair.title, signals, NAMES.get(pair.other, pair.other), *_compared(bench, pair, signals, samples))
        )
    yield table


def _compared(bench: Bench, pair: Pair, signals: int, samples: int) -> list[Any]:
    """Measure times in ms and their ratio, forward, then with gradients, and the difference of outputs."""
    cells: list[Any] = []
    for train in (False, True):
        arguments = {"name": pair.name, "train": train, "signals": signals, "samples": samples}
        runs = [Run(bench.ours, "reverberation", {**arguments, "package": pair.ours})]
        if pair.trained or not train:
            runs.append(Run(bench.theirs, "reverberation", {**arguments, "package": pair.other}))
        mine, *others = alternate(*runs, repeats=1 if bench.quick else 5)
        times = [scaled(result["seconds"], 1e3) for result in (mine, *others)]
        cells += [*times, ratio(times[1], times[0])] if others else [*times, NOT_MEASURED, NOT_MEASURED]
        if not train:
            difference = kernels.difference(mine, *others) if pair.alike else NOT_MEASURED
    return [*cells, difference]
