"""Settings of plug-ins with which they sound like a processor."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...search.mixing.loss import MatchLoss
from .job import Job, loudest_part
from .live import run
from .stages import Stages, blended, gain, plug

SECONDS = 4.0
"""Length of the excerpt that is fitted to: the loudest."""
SILENCE = 1e-10
"""Energy of a sample below which there is nothing to fit to."""

# Equalizers
POINTS, PEAKS = 160, 8
LOWEST_HZ, HIGHEST = 25.0, 0.45  # of the sample rate
FLOOR_DB = -60.0
MOST_DB, Q_RANGE = 30.0, (0.2, 8.0)
LEAST_WEIGHT = 0.1
INAUDIBLE_DB = 0.05

# Searches of single settings
EVALUATIONS = 240
REVERB_EVALUATIONS = 120


@dataclass(frozen=True)
class FittedCurve:
    """An equalizer that was fitted.

    Attributes:
        stages: Its filters.
        away_db: The mean distance of its magnitudes from the wanted ones, in dB.
    """

    stages: Stages
    away_db: float


def equalizer(taps: Tensor, heard: Tensor, sample_rate: int) -> FittedCurve:
    """Fit two shelves and peaks between them to the magnitudes of an FIR filter, most where there is sound.

    Args:
        taps: The filter, ``(N,)``.
        heard: What it filters, ``(C, L)``.
        sample_rate: In Hz.
    """
    from scipy.optimize import least_squares

    highest = HIGHEST * sample_rate
    hertz = np.geomspace(LOWEST_HZ, highest, POINTS)
    wanted = np.maximum(FLOOR_DB, _decibels(np.abs(_response(taps.double().numpy(), hertz, sample_rate))))
    weights = _weights(heard, hertz, sample_rate)
    centres = np.geomspace(60, 0.7 * highest, PEAKS + 2)
    level = float(np.average(wanted, weights=weights))
    low = [-90.0, *([math.log(20), -MOST_DB, math.log(Q_RANGE[0])] * len(centres))]
    high = [90.0, *([math.log(highest), MOST_DB, math.log(Q_RANGE[1])] * len(centres))]

    def away(x: np.ndarray) -> np.ndarray:
        return weights * (_equalized(x, hertz, sample_rate) - wanted)

    def pulled(x: np.ndarray) -> np.ndarray:
        return np.concatenate([away(x), 0.01 * x[2::3]])  # no filter without need

    start = [level, *(part for f in centres for part in (math.log(f), 0.0, 0.0))]
    found = least_squares(pulled, start, bounds=(low, high), max_nfev=60).x
    rms = math.sqrt(np.square(away(found)).sum() / np.square(weights).sum())
    filters = tuple(
        plug(kind, cutoff_frequency_hz=math.exp(f), gain_db=float(g), q=math.exp(q))
        for kind, (f, g, q) in zip(_kinds(len(centres)), found[1:].reshape(-1, 3), strict=True)
        if abs(g) > INAUDIBLE_DB
    )
    return FittedCurve((*filters, *gain(10 ** (found[0] / 20))), rms)


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
    begin = loudest_part(job.heard.square().sum(0), size, job.sample_rate // 4)
    return job.heard[:, begin : begin + size]


def _is_silent(signal: Tensor) -> bool:
    return float(signal.square().mean()) < SILENCE


def _of(values: dict[str, Any], name: str, otherwise: float) -> float:
    return float(values[name]) if name in values else otherwise


# Responses


def _response(taps: np.ndarray, hertz: np.ndarray, sample_rate: int) -> np.ndarray:
    return np.exp(-2j * np.pi * np.outer(hertz, np.arange(len(taps))) / sample_rate) @ taps


def _weights(heard: Tensor, hertz: np.ndarray, sample_rate: int) -> np.ndarray:
    """Fourth roots of the powers around some frequencies, from 0.1 to 1."""
    size = 4096
    sound = torch.nn.functional.pad(heard.float(), (0, max(0, size - heard.shape[-1])))
    frames = torch.stft(sound, size, size // 2, window=torch.hann_window(size), return_complex=True)
    power = frames.abs().square().mean((0, 2)).double().numpy()
    steps = np.interp(hertz, np.arange(size // 2 + 1) * sample_rate / size, np.convolve(power, np.ones(5) / 5, "same"))
    octaves = steps * hertz  # what is heard of it, as bands are wider at high frequencies
    return np.maximum(LEAST_WEIGHT, (octaves / max(octaves.max(), 1e-30)) ** 0.25)


def _equalized(x: np.ndarray, hertz: np.ndarray, sample_rate: int) -> np.ndarray:
    """Magnitudes in dB of a gain and filters, each of which is the log of a frequency, a gain and the log of a Q."""
    f, g, q = x[1:].reshape(-1, 3).T[..., None]
    z = np.exp(-2j * np.pi * hertz / sample_rate)
    A, w = 10 ** (g / 40), 2 * np.pi * np.exp(f) / sample_rate
    c, alpha = np.cos(w), np.sin(w) / 2 / np.exp(q)
    side = np.array([1.0, *([0.0] * (len(f) - 2)), -1.0])[:, None]
    root = 2 * np.sqrt(A) * alpha
    ends, mids = A + 1 - side * (A - 1) * c, 2 * (side * (A - 1) - (A + 1) * c)
    shelf_b = A * (ends + root), A * mids, A * (ends - root)
    ends, mids = A + 1 + side * (A - 1) * c, -2 * (side * (A - 1) + (A + 1) * c)
    shelf_a = ends + root, mids, ends - root
    peak_b, peak_a = (1 + alpha * A, -2 * c, 1 - alpha * A), (1 + alpha / A, -2 * c, 1 - alpha / A)
    b, a = (
        [np.where(side == 0, p, s) for p, s in zip(*pair, strict=True)]
        for pair in ((peak_b, shelf_b), (peak_a, shelf_a))
    )
    return x[0] + _decibels(np.abs((b[0] + z * (b[1] + z * b[2])) / (a[0] + z * (a[1] + z * a[2])))).sum(0)


def _kinds(number: int) -> list[str]:
    return ["LowShelfFilter", *(["PeakFilter"] * (number - 2)), "HighShelfFilter"]


def _decibels(amplitudes: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(amplitudes, 1e-9))
