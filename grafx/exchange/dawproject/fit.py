"""Settings of devices that sound like processors of other kinds."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from ... import trees
from ...processors.core import cookbook
from ...processors.dynamics.base import DynamicRangeProcessor
from ..parts import Part
from .model import COMPRESSOR, EQUALIZER, Band, Device

LENGTH = 2**15
"""Samples of the response from which it is told whether a processor is an equalizer."""
BEFORE = LENGTH // 4  # that zero phases need
NEAR, FAR_DB = 0.1, -50.0
"""An equalizer's response has less than this level farther than this from its beginning, in seconds."""
SAME_DB = -80.0
WORST_DB, WORST_FIRST_DB = 1.0, 3.0
"""Largest root mean square errors in dB of an equalizer that stands for another, and of one that audio makes up for."""
BANDS = 10
LEAST_Q, MOST_Q, MOST_DB = 0.3, 6.0, 24.0
POINTS = 200  # of a response along the frequencies


@dataclass(frozen=True)
class Probe:
    """How a node responds, tested on noise and impulses.

    Attributes:
        responses: From the left and from the right input to both outputs, ``(2, 2, N)``, from sample -:data:`BEFORE`
            on; ``None`` for what is not linear and time-invariant.
    """

    responses: Tensor | None

    @property
    def gains(self) -> tuple[float, float] | None:
        """Those of what scales the channels, and does nothing else."""
        h = self.responses
        if h is None:
            return None
        left, right = float(h[0, 0, BEFORE]), float(h[1, 1, BEFORE])
        rest = h.clone()
        rest[0, 0, BEFORE] = rest[1, 1, BEFORE] = 0
        if min(left, right) < 0 or rest.abs().max() > 1e-6 * max(left, right, 1e-9):
            return None
        return left, right

    def echoes(self, sample_rate: int) -> bool:
        """Whether it is linear and goes on for long."""
        h = self.responses
        if h is None:
            return False
        near = round(NEAR * sample_rate)
        far = h[..., BEFORE + near :].square().sum() + h[..., : max(0, BEFORE - near)].square().sum()
        return bool(far > 10 ** (FAR_DB / 10) * h.square().sum())

    def magnitudes(self, sample_rate: int) -> Tensor | None:
        """Those at :data:`LENGTH` / 2 + 1 frequencies, of what filters both channels alike and briefly."""
        h = self.responses
        if h is None or self.echoes(sample_rate):
            return None
        whole = h.square().sum()
        crossed = h[0, 1].square().sum() + h[1, 0].square().sum()
        apart = (h[0, 0] - h[1, 1]).square().sum()
        if whole <= 0 or max(crossed, apart) > 10 ** (SAME_DB / 10) * whole:
            return None
        return torch.fft.rfft(h[0, 0].double()).abs()


def probe(part: Part) -> Probe:
    """Test a node with one inlet and one outlet for being linear and time-invariant, and take its response."""
    generator = torch.Generator().manual_seed(0)
    first, second = 0.1 * torch.randn(2, 2, 4096, generator=generator)
    shift = 257
    later = torch.nn.functional.pad(first, (shift, 0))

    def sound(signal: Tensor) -> Tensor:
        made = part.sound(signal)[0]
        return made.expand(2, -1) if made.shape[0] == 1 else made

    one = sound(first)
    tolerance = 1e-4 * float(one.abs().max()) + 1e-9
    pairs = (
        (sound(first + second), one + sound(second)),
        (sound(3 * first), 3 * one),
        (sound(later)[:, shift:], one),
    )
    if not all(a.shape == b.shape and bool((a - b).abs().max() < 30 * tolerance) for a, b in pairs):
        return Probe(None)
    impulses = torch.zeros(2, 2, LENGTH)
    impulses[0, 0, BEFORE] = impulses[1, 1, BEFORE] = 1
    return Probe(torch.stack([sound(impulse) for impulse in impulses]))


def impulse_response(part: Part, sample_rate: int, seconds: float = 10.0) -> Tensor:
    """The response of both channels to an impulse on both, ``(2, N)``, up to where it is 90 dB down."""
    impulse = torch.zeros(2, round(seconds * sample_rate))
    impulse[:, 0] = 1
    made = part.sound(impulse)[0].expand(2, -1)
    heard = (made.abs() > 10 ** (-90 / 20) * made.abs().max()).any(0).nonzero()
    return made[:, : int(heard[-1]) + 1 if len(heard) else 1]


# Equalizers


def fitted_equalizer(magnitudes: Tensor, signal: Tensor, sample_rate: int, name: str) -> tuple[Device, float]:
    """A parametric equalizer with the magnitudes of a filter, where the signal has most.

    Args:
        magnitudes: Those of :meth:`Probe.magnitudes`.
        signal: What it is heard on, ``(C, L)``.
        sample_rate: In Hz.
        name: That of the device.

    Returns:
        The device, and its root mean square error in dB: infinite for a flat one, whose phase is all that it does.
    """
    hertz = torch.logspace(math.log10(20), math.log10(min(20000.0, 0.45 * sample_rate)), POINTS, dtype=torch.float64)
    wanted = _smooth_db(magnitudes, hertz, sample_rate)
    spectrum = _smooth_db(torch.fft.rfft(signal.double(), 2 * (len(magnitudes) - 1)).abs().mean(0), hertz, sample_rate)
    weights = 10 ** ((spectrum - spectrum.max()).clamp(min=-60) / 40)
    weights = weights / weights.sum()
    bands, level = _fit_bands(hertz, wanted, weights, sample_rate)
    error = _response_db(hertz, bands, sample_rate) + level - wanted
    rms = float((weights * error.square()).sum().sqrt())
    if float((wanted - wanted.mean()).abs().max()) < 0.1:
        rms = math.inf
    kinds = ["lowShelf", *["bell"] * (BANDS - 2), "highShelf"]
    rows = zip(kinds, *(row.tolist() for row in bands), strict=True)
    device = Device(EQUALIZER, name, bands=[Band(kind, f, db, q) for kind, f, q, db in rows])
    if abs(level) > 0.05:
        device.values["output_db"] = level
    return device, rms


def _fit_bands(hertz: Tensor, wanted: Tensor, weights: Tensor, sample_rate: int) -> tuple[Tensor, float]:
    """Frequencies, qualities and gains ``(3, K)``, and a level."""
    low, high = float(hertz[0]), float(hertz[-1])
    span = math.log(high / low)
    centers = torch.logspace(math.log10(low * 2), math.log10(high / 1.5), BANDS, dtype=torch.float64)
    mean = (weights * wanted).sum()
    places = torch.logit((centers / low).log() / span)
    qualities = torch.full_like(centers, math.log(0.7 / (MOST_Q - 0.7)))  # 1 for bells
    qualities[[0, -1]] = -2.0
    nearest = (hertz.log()[:, None] - centers.log()).abs().argmin(0)
    start = torch.cat([places, qualities, 0.7 * (wanted[nearest] - mean), mean[None]])

    def bands_at(x: Tensor) -> Tensor:
        f, q, db = x[..., :-1].unflatten(-1, (3, BANDS)).unbind(-2)
        return torch.stack(
            [
                low * torch.exp(span * torch.sigmoid(f)),
                LEAST_Q + (MOST_Q - LEAST_Q) * torch.sigmoid(q),
                MOST_DB * torch.tanh(db / MOST_DB),
            ],
            -2,
        )

    def residual(x: Tensor) -> Tensor:
        error = _response_db(hertz, bands_at(x), sample_rate) + x[..., -1:] - wanted
        return torch.cat([weights.sqrt() * error, 3e-3 * x[..., 2 * BANDS : 3 * BANDS]], -1)

    def jacobian(x: np.ndarray) -> np.ndarray:
        steps = 1e-6 * torch.eye(len(x), dtype=torch.float64)
        away = residual(torch.from_numpy(x) + torch.cat([steps, -steps]))
        return ((away[: len(x)] - away[len(x) :]) / 2e-6).T.numpy()

    slopes: Any = jacobian
    found = least_squares(lambda x: residual(torch.from_numpy(x)).numpy(), start.numpy(), slopes, max_nfev=80)
    x = torch.from_numpy(found.x)
    return bands_at(x), float(x[-1])


def _response_db(hertz: Tensor, bands: Tensor, sample_rate: int) -> Tensor:
    """Levels ``(…, N)`` of a low shelf, bells and a high shelf ``(…, 3, K)`` at some frequencies."""
    w0, q_inv, A = 2 * math.pi * bands[..., 0, :] / sample_rate, 1 / bands[..., 1, :], 10 ** (bands[..., 2, :] / 40)
    kinds = (cookbook.low_shelf, slice(0, 1)), (cookbook.peak, slice(1, -1)), (cookbook.high_shelf, slice(-1, None))
    parts = [formula(w0[..., own], q_inv[..., own], A[..., own]) for formula, own in kinds]
    b, a = (torch.cat(each, -2) for each in zip(*parts, strict=True))
    w = 2 * math.pi * hertz / sample_rate
    cosines = torch.stack([torch.ones_like(w), torch.cos(w), torch.cos(2 * w)])
    up, down = (_autocorrelation(each) @ cosines for each in (b, a))
    return 10 * torch.log10((up / down).clamp(min=1e-18)).sum(-2)


def _autocorrelation(c: Tensor) -> Tensor:
    """Coefficients of the energy of a second-order polynomial ``(…, 3)`` by the cosines of multiples of the angle."""
    first, second, third = c.unbind(-1)
    return torch.stack([c.square().sum(-1), 2 * second * (first + third), 2 * first * third], -1)


def _smooth_db(magnitudes: Tensor, hertz: Tensor, sample_rate: int, octaves: float = 1 / 6) -> Tensor:
    """Levels at some frequencies, as means of energies around them."""
    energies = torch.cat([torch.zeros(1, dtype=torch.float64), magnitudes.square().cumsum(0)])
    per_hertz = 2 * (len(magnitudes) - 1) / sample_rate
    first = (hertz * 2 ** (-octaves / 2) * per_hertz).round().long().clamp(0, len(magnitudes) - 1)
    last = (hertz * 2 ** (octaves / 2) * per_hertz).round().long().clamp(max=len(magnitudes) - 1)
    means = (energies[last + 1] - energies[first]) / (last + 1 - first)
    return 10 * torch.log10(means.clamp(min=1e-20))


# Dynamics


def fitted_compressor(part: Part, signal: Tensor, name: str) -> Device | None:
    """A compressor that turns down like another with its share of the dry sound, at the levels that a signal has.

    Returns:
        The device; ``None`` where the gain follows the level in another way.
    """
    processor = part.processor
    if not isinstance(processor, DynamicRangeProcessor) or processor.gain_smoother is not None:
        return None
    if len(processor.inlets) > 1:
        return None
    raw = trees.batch(part.raw)
    with torch.no_grad():
        energy = processor.detector(signal[None])
        if processor.energy_smoother is not None:
            name_of_times = next(key for key in raw if key.startswith("z_alpha"))
            energy = processor.energy_smoother(energy, raw[name_of_times])
        levels = (10 * torch.log10(energy[0].double() + 1e-13)).numpy()
        counts, edges = np.histogram(levels, 120, (-100, 20), weights=10 ** (levels / 20))
        middle = (edges[1:] + edges[:-1]) / 2
        gain = processor.static_gain(torch.from_numpy(10 ** (middle / 10)).float()[None], raw)[0].double().numpy()
    makeup = math.exp(float(part.raw["log_makeup"])) if "log_makeup" in part.raw else 1.0
    wanted = 20 * np.log10(np.maximum(1 - part.wet + part.wet * makeup * gain, 1e-6))
    if np.diff(wanted).max() > 1e-3:  # it turns up what is louder
        return None
    weights = np.sqrt(counts / max(counts.sum(), 1e-12))

    def curve(x: np.ndarray) -> np.ndarray:
        threshold, share, knee, level = x
        over = middle - threshold
        soft = np.clip(over + knee / 2, 0, knee) ** 2 / (2 * knee) + np.maximum(over - knee / 2, 0)
        return level - share * soft

    loud = float(levels.max())
    starts = [(loud - back, 0.5, 6.0, wanted[0]) for back in (6, 15, 30)]
    bounds = (-100, 0, 0.01, -24), (20, 0.999, 24, 24)
    start = [np.clip(each, np.array(bounds[0]) + 1e-6, np.array(bounds[1]) - 1e-6) for each in starts]
    tries = [least_squares(lambda x: weights * (curve(x) - wanted), each, bounds=bounds) for each in start]
    threshold, share, knee, level = min(tries, key=lambda found: found.cost).x
    names = ("attack_ms", "release_ms")
    times = {key: float(part.values.get(key, part.values.get("smoothing_ms", 0.0))) for key in names}
    values = {"threshold_db": float(threshold), "ratio": float(1 / (1 - share)), "knee_db": float(knee), **times}
    if abs(level) > 0.01:
        values["output_db"] = float(level)
    return Device(COMPRESSOR, name, values)
