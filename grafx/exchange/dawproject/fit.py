"""Settings of devices that sound like processors of other kinds."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from ... import trees
from ...processors.dynamics.base import DynamicRangeProcessor
from ..curves import fitted_curve
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
BANDS = {"low shelf": "lowShelf", "peak": "bell", "high shelf": "highShelf"}


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
    curve = fitted_curve(magnitudes, signal, sample_rate)
    device = Device(EQUALIZER, name, bands=[Band(BANDS[kind], f, db, q) for kind, f, q, db in curve.bands()])
    if abs(curve.level_db) > 0.05:
        device.values["output_db"] = curve.level_db
    return device, math.inf if curve.is_flat else curve.error_db


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
