"""Filters.

Times of filters of several sections, on stereo noise at 44.1 kHz, with separate settings for each signal. The design of
the filter is included. *Differs by* is as for kernels.

The ladder is `LadderFilter()`, which is linear, and *saturating* `LadderFilter(saturate=True)`. pedalboard's saturates,
processes one signal after another, and has no gradients; its loop differs, with a delay of one sample and some makeup
for low frequencies, so it sounds different. The Butterworth low-pass is of order 8, in SciPy `butter` and `sosfilt`, in
torchaudio four `lowpass_biquad` for each signal; the allpass filter is of second order.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..measure import NOT_MEASURED, Run, alternate
from ..page import Table, ratio, scaled
from . import Bench, kernels

WORKERS = ("ours", "theirs", "pedalboard")
PACKAGES = ("grafx", "torch", "torchaudio", "scipy", "numba")


class Pair(NamedTuple):
    """One of our functions in ``cases/filters.py``, its name on the page, and the package to compare it with.

    Some of the others have no gradients.
    """

    title: str
    name: str
    ours: str
    other: str
    gradients: bool


PAIRS = (
    Pair("ladder, 24 dB", "ladder_24", "ours", "pedalboard", False),
    Pair("ladder, 24 dB, saturating", "ladder_24", "ours_saturating", "pedalboard", False),
    Pair("ladder, 12 dB", "ladder_12", "ours", "pedalboard", False),
    Pair("ladder, 12 dB, saturating", "ladder_12", "ours_saturating", "pedalboard", False),
    Pair("Butterworth", "butterworth", "ours", "scipy", False),
    Pair("Butterworth", "butterworth", "ours", "torchaudio", True),
    Pair("allpass", "allpass", "ours", "torchaudio", True),
)


def run(bench: Bench) -> Iterator[Table]:
    signals, samples = (2, 2**12) if bench.quick else (16, 2**17)
    table = Table(f"{signals} stereo signals of {samples:,} samples", ("filter", *kernels.COLUMNS[1:]))
    for pair in PAIRS:
        arguments = {"name": pair.name, "signals": signals, "samples": samples}
        repeats = 1 if bench.quick else 5
        if pair.gradients:
            ((_, cells),) = kernels.compared(bench, "filtering", arguments, pair.ours, (pair.other,), repeats)
        else:
            cells = _forward(bench, pair, arguments, repeats)
        table.rows.append((pair.title, {"scipy": "SciPy"}.get(pair.other, pair.other), *cells))
    yield table


def _forward(bench: Bench, pair: Pair, arguments: dict[str, Any], repeats: int) -> list[Any]:
    """Compare like :func:`.kernels.compared`, where only ours has gradients."""
    own, other = {**arguments, "package": pair.ours}, {**arguments, "package": pair.other, "train": False}
    mine, theirs = alternate(
        Run(bench.ours, "filtering", {**own, "train": False}), Run(bench.theirs, "filtering", other), repeats=repeats
    )
    (training,) = alternate(Run(bench.ours, "filtering", {**own, "train": True}), repeats=repeats)
    times = [scaled(result["seconds"], 1e3) for result in (mine, theirs, training)]
    return [*times[:2], ratio(times[1], times[0]), times[2], *[NOT_MEASURED] * 2, kernels.difference(mine, theirs)]
