"""Desk.

Times of further processors of a mixing desk: echoes, reverb by convolution, a DC blocker, the tone stack of a guitar
amplifier, a dynamic equalizer and a de-esser, on stereo noise at 44.1 kHz. Backward passes reach signals and settings;
pedalboard and SciPy have none. They process one signal after another, here as many at once as there are cores.
*Differs by* is as for kernels.

The echo is `FeedbackDelay` with a fractional, learnable time, where pedalboard's is an integer number of samples;
*damped* has two filters in the loop, which pedalboard's lacks. The response of the reverb is stereo and two seconds
long; ours is recomputed from three bands in each call, as their decay can be learned, whereas pedalboard transforms it
when the plug-in is made, which is not measured, and normalizes its level, which is undone. SciPy filters with given
coefficients, by `lfilter` in double precision. There is no other package to compare the dynamic equalizer (four bands)
and the de-esser with.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import NOT_MEASURED, Run, alternate
from ..page import Table, ratio, scaled
from . import Bench, kernels

WORKERS = ("ours", "theirs")
PACKAGES = ("grafx", "torch", "pedalboard", "scipy", "numba")
PROCESSORS = (
    ("echo", "echo", "pedalboard"),
    ("echo, damped", "damped_echo", None),
    ("convolution", "convolution", "pedalboard"),
    ("DC blocker", "dc_blocker", "scipy"),
    ("tone stack", "tone_stack", "scipy"),
    ("dynamic equalizer", "dynamic_eq", None),
    ("de-esser", "de_esser", None),
)
NAMES = {"scipy": "SciPy", None: NOT_MEASURED}


def run(bench: Bench) -> Iterator[Table]:
    signals, samples = (2, 2**12) if bench.quick else (16, 2**17)
    columns = ("processor", "other", "forward, ms", "ms (other)", "ratio", "forward and backward, ms", "differs by")
    table = Table(f"{signals} stereo signals of {samples:,} samples", columns)
    for title, name, other in PROCESSORS:
        cells = _compared(bench, other, {"name": name, "signals": signals, "samples": samples})
        table.rows.append((title, NAMES.get(other, other), *cells))
    yield table


def _compared(bench: Bench, other: str | None, arguments: dict[str, Any]) -> list[Any]:
    ours = {**arguments, "package": "ours"}
    runs = [Run(bench.ours, "desk", {**ours, "train": train}) for train in (False, True)]
    if other is not None:
        runs.append(Run(bench.theirs, "desk", {**arguments, "package": other, "train": False}))
    forward, training, *others = alternate(*runs, repeats=1 if bench.quick else 5)
    mine, gradients = (scaled(result["seconds"], 1e3) for result in (forward, training))
    if not others:
        return [mine, NOT_MEASURED, NOT_MEASURED, gradients, NOT_MEASURED]
    theirs = scaled(others[0]["seconds"], 1e3)
    return [mine, theirs, ratio(theirs, mine), gradients, kernels.difference(forward, others[0])]
