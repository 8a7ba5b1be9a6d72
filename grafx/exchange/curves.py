"""Parametric equalizers with the magnitudes of other filters."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..processors.core import cookbook

BANDS = 10
LEAST_Q, MOST_Q, MOST_DB = 0.3, 6.0, 24.0
LOWEST_HZ, HIGHEST_HZ, HIGHEST = 20.0, 20000.0, 0.45  # the last of the sample rate
POINTS = 200  # of a response along the frequencies
OCTAVES = 1 / 6  # over which magnitudes are means
FLOOR_DB = -60.0
"""What is softer is as good as nothing."""
FLAT_DB = 0.1
KINDS = ("low shelf", *["peak"] * (BANDS - 2), "high shelf")


@dataclass(frozen=True)
class BandCurve:
    """A low shelf, peaks and a high shelf.

    Attributes:
        hertz: Their frequencies.
        q: Their quality factors.
        db: Their gains.
        level_db: A gain beside them.
        error_db: Root mean square distance of the magnitudes from those that are wanted.
        is_flat: Whether those that are wanted are all the same.
    """

    hertz: list[float]
    q: list[float]
    db: list[float]
    level_db: float
    error_db: float
    is_flat: bool

    def bands(self) -> Iterator[tuple[str, float, float, float]]:
        """Kind, one of :data:`KINDS`, frequency, quality factor and gain of each."""
        return zip(KINDS, self.hertz, self.q, self.db, strict=True)


def fitted_curve(magnitudes: Tensor, heard: Tensor, sample_rate: int) -> BandCurve:
    """Fit an equalizer to the magnitudes of a filter, most where a signal is loud.

    Args:
        magnitudes: At N evenly spaced frequencies from 0 to Nyquist.
        heard: The signal, ``(C, L)``.
        sample_rate: In Hz.
    """
    hertz = torch.logspace(
        math.log10(LOWEST_HZ), math.log10(min(HIGHEST_HZ, HIGHEST * sample_rate)), POINTS, dtype=torch.float64
    )
    wanted = _smooth_db(magnitudes.double().square(), hertz, sample_rate).clamp(min=FLOOR_DB)
    spectrum = _smooth_db(_energies(heard, 2 * (len(magnitudes) - 1)), hertz, sample_rate)
    weights = 10 ** ((spectrum - spectrum.max()).clamp(min=-60) / 40)
    weights = weights / weights.sum()
    bands, level = _fitted_bands(hertz, wanted, weights, sample_rate)
    error = _response_db(hertz, bands, sample_rate) + level - wanted
    rms = float((weights * error.square()).sum().sqrt())
    is_flat = float((wanted - wanted.mean()).abs().max()) < FLAT_DB
    f, q, db = bands.tolist()
    return BandCurve(f, q, db, level, rms, is_flat)


def _energies(heard: Tensor, size: int) -> Tensor:
    """Mean energies of frames at the frequencies of a transform."""
    heard = torch.nn.functional.pad(heard.float(), (0, max(0, size - heard.shape[-1])))
    frames = torch.stft(heard, size, size // 2, window=torch.hann_window(size), center=False, return_complex=True)
    return frames.abs().double().square().mean((0, 2))


def _fitted_bands(hertz: Tensor, wanted: Tensor, weights: Tensor, sample_rate: int) -> tuple[Tensor, float]:
    """Frequencies, qualities and gains ``(3, K)``, and a level."""
    from scipy.optimize import least_squares

    low, high = float(hertz[0]), float(hertz[-1])
    span = math.log(high / low)
    centers = torch.logspace(math.log10(low * 2), math.log10(high / 1.5), BANDS, dtype=torch.float64)
    mean = (weights * wanted).sum()
    places = torch.logit((centers / low).log() / span)
    qualities = torch.full_like(centers, math.log(0.7 / (MOST_Q - 0.7)))  # 1 for peaks
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
    """Levels ``(…, N)`` of a low shelf, peaks and a high shelf ``(…, 3, K)`` at some frequencies."""
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


def _smooth_db(energies: Tensor, hertz: Tensor, sample_rate: int) -> Tensor:
    """Levels at some frequencies, as means of energies around them."""
    sums = torch.cat([torch.zeros(1, dtype=torch.float64), energies.cumsum(0)])
    per_hertz = 2 * (len(energies) - 1) / sample_rate
    first = (hertz * 2 ** (-OCTAVES / 2) * per_hertz).round().long().clamp(0, len(energies) - 1)
    last = (hertz * 2 ** (OCTAVES / 2) * per_hertz).round().long().clamp(max=len(energies) - 1)
    means = (sums[last + 1] - sums[first]) / (last + 1 - first)
    return 10 * torch.log10(means.clamp(min=1e-20))
