"""Waveshapers.

Times of `Waveshaper` with each curve, without and with antialiasing: by antiderivatives of first and second order
(*adaa1*, *adaa2*), by oversampling (*×4*), and by both. Signals are stereo noise, driven by 20 dB; backward passes
reach signals and settings.

**Other packages.** pedalboard's `Distortion` and dasp's are a tanh, `Clipping` clips hard, `Bitcrush` rounds; none of
them has antialiasing, and those of pedalboard no gradients. They process one signal after another, here as many at once
as there are cores. *Differs by* is as for kernels; `Bitcrush` with 8 bits has the steps of 9.

**Aliases.** Energy outside the harmonics of sines of 1.2, 2.5, 5 and 7.5 kHz, driven by 20 dB, relative to that of the
harmonics, up to 0.45 of the sample rate: the worst of all four, in decibels.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import NOT_MEASURED, Result, Run, alternate
from ..page import Table, ratio, scaled
from . import Bench, kernels

WORKERS = ("ours", "theirs")
PACKAGES = ("grafx", "torch", "pedalboard", "dasp_pytorch", "numba")
SHAPES = ("hard", "cubic", "tanh", "arctan", "tube", "sine_fold", "triangle_fold")
REMEDIES: dict[str, tuple[str | None, int]] = {
    "plain": (None, 1),
    "adaa1": ("adaa1", 1),
    "adaa2": ("adaa2", 1),
    "×4": (None, 4),
    "adaa1, ×2": ("adaa1", 2),
    "adaa2, ×4": ("adaa2", 4),
}
OTHERS = (
    ("tanh", "waveshaper", {"shape": "tanh"}, "pedalboard"),
    ("tanh", "waveshaper", {"shape": "tanh"}, "dasp"),
    ("hard", "waveshaper", {"shape": "hard"}, "pedalboard"),
    ("`BitCrusher`", "bits", {}, "pedalboard"),
    ("`SplineDistortion`", "spline", {}, None),
    ("`SplineDistortion`, ×4", "spline", {"oversampling": 4}, None),
)


def run(bench: Bench) -> Iterator[Table]:
    signals, samples = (2, 2**12) if bench.quick else (8, 2**16)
    sizes, repeats = {"signals": signals, "samples": samples}, 1 if bench.quick else 3
    shapes, remedies, others = SHAPES, REMEDIES, OTHERS
    if bench.quick:
        shapes, remedies, others = SHAPES[:1], {name: REMEDIES[name] for name in ("plain", "adaa1, ×2")}, OTHERS[2:4]
    noise = f"{signals} stereo signals of {samples:,} samples"

    for train, passes in ((False, "forward"), (True, "forward and backward")):
        speed = Table(f"{noise}, {passes}, ms", ("curve", *remedies))
        for shape in shapes:
            cases = [
                {"name": "waveshaper", "shape": shape, "antialiasing": antialiasing, "oversampling": oversampling}
                for antialiasing, oversampling in remedies.values()
            ]
            runs = [_ours(bench, {**case, **sizes}, train) for case in cases]
            times = [scaled(result["seconds"], 1e3) for result in alternate(*runs, repeats=repeats)]
            speed.rows.append((shape, *times))
        yield speed

    columns = ("processor", "other", "forward, ms", "ms (other)", "ratio", "forward and backward, ms")
    beside = Table(f"{noise}, compared to others", (*columns, "ms (other)", "ratio", "differs by"))
    for title, name, options, other in others:
        cells = _beside(bench, other, {"name": name, **options, **sizes}, repeats)
        beside.rows.append((title, other or NOT_MEASURED, *cells))
    yield beside

    aliases = Table("Aliases, dB", ("curve", *remedies))
    for shape in shapes:
        arguments = {"shape": shape, "remedies": list(remedies.values())}
        (found,) = alternate(Run(bench.ours, "aliasing", arguments), repeats=1)
        aliases.rows.append((shape, *(f"{level:.0f}".replace("-", "−") for level in found["aliases"])))
    yield aliases


def _ours(bench: Bench, arguments: dict[str, Any], train: bool) -> Run:
    return Run(bench.ours, "shaping", {**arguments, "package": "ours", "train": train})


def _beside(bench: Bench, other: str | None, arguments: dict[str, Any], repeats: int) -> list[Any]:
    """Measure both times in ms and their ratio, forward, then with gradients, and the difference."""
    cells: list[Any] = []
    results: list[list[Result]] = []
    for train in (False, True):
        runs = [_ours(bench, arguments, train)]
        if other is not None and not (train and other == "pedalboard"):
            runs.append(Run(bench.theirs, "shaping", {**arguments, "package": other, "train": train}))
        results.append(alternate(*runs, repeats=repeats))
        mine, *theirs = (scaled(result["seconds"], 1e3) for result in results[-1])
        cells += [mine, theirs[0], ratio(theirs[0], mine)] if theirs else [mine, NOT_MEASURED, NOT_MEASURED]
    return [*cells, kernels.difference(*results[0]) if other else NOT_MEASURED]
