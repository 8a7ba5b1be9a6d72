"""Settings of plug-ins with which they sound like a processor."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...search.mixing.loss import MatchLoss
from ..curves import fitted_curve
from ..excerpts import loudest_part
from .job import Job
from .live import run
from .stages import BothWays, Stages, blended, gain, plug

SECONDS = 4.0
"""Length of the excerpt that is fitted to: the loudest."""
SILENCE = 1e-10
"""Energy of a sample below which there is nothing to fit to."""

# Equalizers
LENGTH = 2**15  # of the transform of their responses
BANDS = {"low shelf": "LowShelfFilter", "peak": "PeakFilter", "high shelf": "HighShelfFilter"}
INAUDIBLE_DB = 0.02

# Searches of single settings
EVALUATIONS = 240
REVERB_EVALUATIONS = 120


@dataclass(frozen=True)
class FittedEqualizer:
    """An equalizer that was fitted.

    Attributes:
        stages: Its filters, which a signal goes through forwards and backwards.
        away_db: The root mean square distance of its magnitudes from the wanted ones, in dB.
    """

    stages: Stages
    away_db: float


def zero_phase(taps: Tensor, heard: Tensor, sample_rate: int) -> FittedEqualizer:
    """Fit two shelves and peaks between them to an FIR filter without phase, most where there is sound.

    Forwards and backwards, filters have no phase, and the squares of their magnitudes: they are fitted to the roots.

    Args:
        taps: The filter, ``(N,)``.
        heard: What it filters, ``(C, L)``.
        sample_rate: In Hz.
    """
    magnitudes = torch.fft.rfft(taps.double(), max(LENGTH, taps.shape[-1])).abs()
    curve = fitted_curve(magnitudes.sqrt(), heard, sample_rate)
    filters = tuple(
        plug(BANDS[kind], cutoff_frequency_hz=f, gain_db=db, q=q)
        for kind, f, q, db in curve.bands()
        if abs(db) > INAUDIBLE_DB
    )
    both = (BothWays(filters),) if filters else ()
    return FittedEqualizer((*both, *gain(10 ** (curve.level_db / 10))), 2 * curve.error_db)


def dynamics(job: Job, kind: str) -> Stages:
    """Fit a ``Compressor`` or a ``NoiseGate``, and a gain, sample by sample.

    The start is what docs/benchmarks.md found: times there are 2π time constants, and those of amplitudes.
    """
    values = job.values
    makeup = _of(values, "makeup_db", 0.0)
    ratio = _of(values, "ratio", 10.0)
    ratio = ratio if 1 <= ratio <= 1000 else 1000.0  # what falls above the threshold
    both = _of(values, "smoothing_ms", 10.0)
    attack, release = _of(values, "attack_ms", both), _of(values, "release_ms", both)
    scale = (math.pi, 4 * math.pi) if kind == "Compressor" else (2 * math.pi, 2 * math.pi)
    louder = 1.0 if kind == "Compressor" else 0.0
    start = [
        _of(values, "threshold_db", -20.0) + louder,
        math.log(max(ratio - 1, 1e-3)),
        math.log(max(attack * scale[0], 1e-3)),
        math.log(max(release * scale[1], 1e-2)),
        makeup,
    ]

    def make(x: Sequence[float]) -> Stages:
        threshold, slope, rise, fall, level = x
        settings = {"ratio": 1 + math.exp(min(slope, 9.0)), "attack_ms": math.exp(min(rise, 8.0))}
        made = plug(kind, threshold_db=float(threshold), release_ms=math.exp(min(fall, 10.0)), **settings)
        return (made, *gain(10 ** (level / 20)))

    return _nearest(job, make, start, (3.0, 0.5, 0.5, 0.5, 1.0), EVALUATIONS)


def brickwall(job: Job) -> Stages:
    """Fit a ``BrickwallLimiter``, and a gain, sample by sample."""
    lookahead = float(job.processor.lookahead_ms)  # pyright: ignore
    start = [job.value("threshold_db"), math.log(job.value("release_ms")), _of(job.values, "makeup_db", 0.0)]

    def make(x: Sequence[float]) -> Stages:
        settings = {"ceiling_db": float(min(x[0], 0.0)), "release_ms": math.exp(min(x[1], 9.0))}
        return (plug("BrickwallLimiter", **settings, lookahead_ms=lookahead), *gain(10 ** (x[2] / 20)))

    return _nearest(job, make, start, (1.0, 0.5, 0.5), EVALUATIONS // 2)


def distortion(job: Job) -> Stages:
    """Fit a ``Distortion`` with a gain, sample by sample."""

    def make(x: Sequence[float]) -> Stages:
        return (plug("Distortion", drive_db=float(x[0])), *gain(10 ** (x[1] / 20)))

    drive = next((_of(job.values, name, 0.0) for name in ("drive_db", "pre_gain_db") if name in job.values), 0.0)
    return _nearest(job, make, [drive, -drive], (6.0, 6.0), EVALUATIONS // 2)


def reverb(job: Job) -> Stages:
    """Fit a ``Reverb`` and two shelves by the match loss, together with the dry sound."""
    heard = _loudest(job)
    if _is_silent(heard):
        return gain(1.0)
    ours = job.sound(heard)
    wanted = job.mixed(ours, heard)

    def wet(x: Sequence[float], level: float = 1.0) -> Stages:
        room, damping, width = (1 / (1 + math.exp(-each)) for each in x[:3])
        room = plug("Reverb", room_size=room, damping=damping, width=width, wet_level=1 / 3, dry_level=0.0)
        low = plug("LowShelfFilter", cutoff_frequency_hz=250.0, gain_db=float(x[3]), q=0.7071)
        high = plug("HighShelfFilter", cutoff_frequency_hz=4000.0, gain_db=float(x[4]), q=0.7071)
        return (room, low, high, *gain(level))

    loss = MatchLoss(job.sample_rate)
    if wanted.shape[-1] < loss.min_samples:
        away = lambda theirs: _distance(theirs, wanted)  # noqa: E731
    else:
        reference = loss.reference(wanted)
        away = lambda theirs: float(loss(theirs, reference))  # noqa: E731

    def sound_of(x: Sequence[float]) -> tuple[Tensor, float]:
        theirs = run(wet(x), heard, job.sample_rate)
        same = math.sqrt(float(ours.square().sum() / theirs.square().sum().clamp(min=1e-20)))
        return theirs, same * 10 ** (x[5] / 20)

    def cost(x: Sequence[float]) -> float:
        theirs, level = sound_of(x)
        return away(job.mixed(level * theirs, heard)) + 1e-3 * float(np.square(x).mean())

    with torch.no_grad():
        found = _searched(cost, [0.0, 0.0, 2.0, 0.0, 0.0, 0.0], (1.0, 1.0, 1.0, 4.0, 4.0, 3.0), REVERB_EVALUATIONS)
        return blended(wet(found, sound_of(found)[1]), *job.share)


def _nearest(
    job: Job, make: Callable[[Sequence[float]], Stages], start: list[float], steps: Sequence[float], most: int
) -> Stages:
    """The stages whose sound differs least, sample by sample."""
    heard = _loudest(job)
    wanted = job.sound(heard)
    if _is_silent(heard) or _is_silent(wanted):
        return make(start)
    away = lambda x: _distance(run(make(x), heard, job.sample_rate), wanted)  # noqa: E731
    return make(_searched(away, start, steps, most))


def _searched(cost: Callable[[Any], float], start: list[float], steps: Sequence[float], most: int) -> list[float]:
    from scipy.optimize import minimize

    simplex = np.array([start, *(np.add(start, step * np.eye(len(start))[i]) for i, step in enumerate(steps))])
    options = {"maxfev": most, "initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-6}
    return minimize(cost, start, method="Nelder-Mead", options=options).x.tolist()


def _distance(theirs: Tensor, ours: Tensor) -> float:
    """In dB, and finite."""
    return 10 * math.log10(float((theirs - ours).double().square().sum() / ours.double().square().sum()) + 1e-12)


def _loudest(job: Job) -> Tensor:
    """The loudest excerpt of what a processor hears."""
    size = int(SECONDS * job.sample_rate)
    begin = loudest_part(job.heard, size)
    return job.heard[:, begin : begin + size]


def _is_silent(signal: Tensor) -> bool:
    return float(signal.square().mean()) < SILENCE


def _of(values: dict[str, Any], name: str, otherwise: float) -> float:
    return float(values[name]) if name in values else otherwise
