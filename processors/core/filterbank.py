"""Banks of overlapping triangular filters on auditory frequency scales."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..arguments import check_known, check_option
from ..errors import ParameterError
from .constants import Constants

Scale = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]


def _traunmuller(f: np.ndarray) -> np.ndarray:
    z = 26.81 * f / (1960 + f) - 0.53
    return np.where(z < 2, 0.85 * z + 0.3, np.where(z > 20.1, 1.22 * z - 4.422, z))


def _inverse_traunmuller(z: np.ndarray) -> np.ndarray:
    # The upper correction is not inverted: see the docstring of the filter bank.
    z = np.where(z < 2, (z - 0.3) / 0.85, z)
    return 1960 * (z + 0.53) / (26.28 - z)


def _slaney(f: np.ndarray) -> np.ndarray:
    return np.where(f < 1000, f * 3 / 200, 15 + 27 * np.log(np.maximum(f, 1000) / 1000) / np.log(6.4))


def _inverse_slaney(m: np.ndarray) -> np.ndarray:
    return np.where(m < 15, m * 200 / 3, 1000 * 6.4 ** ((m - 15) / 27))


SCALES: dict[str, Scale] = {
    "bark_traunmuller": (_traunmuller, _inverse_traunmuller),
    "bark_schroeder": (lambda f: 7 * np.arcsinh(f / 650), lambda z: 650 * np.sinh(z / 7)),
    "bark_wang": (lambda f: 6 * np.arcsinh(f / 600), lambda z: 600 * np.sinh(z / 6)),
    "mel_htk": (lambda f: 2595 * np.log10(1 + f / 700), lambda m: 700 * (10 ** (m / 2595) - 1)),
    "mel_slaney": (_slaney, _inverse_slaney),
    "linear": (lambda f: f, lambda f: f),
    "log": (np.log, np.exp),
}


def equal_steps(scale: str, f_min: float, f_max: float, count: int) -> np.ndarray:
    """Compute frequencies in Hz, both ends included, that are equally far apart on one of the ``SCALES``."""
    to_scale, to_hertz = SCALES[scale]
    low, high = to_scale(np.array([f_min, f_max], dtype=float))
    return to_hertz(np.linspace(low, high, count))


class TriangularFilterBank(Constants):
    r"""Triangular filters with centres equally spaced on a frequency scale.

    Filter k rises from the previous centre to 1 at its own, and falls to the next centre. With
    ``low_half_triangle`` the first centre is ``f_min`` and the last triangle ends at ``f_max``; the first filter is the
    complement of the others, also below ``f_min`` and above ``f_max``, so that all add up to 1 at every frequency.
    Without it, all K triangles lie between ``f_min`` and ``f_max``.

    ========================= ====================================================================================
    bark_traunmuller          z = 26.81 f/(1960 + f) − 0.53; z + 0.15 (2 − z) below 2, and z + 0.22 (z − 20.1) above
                              20.1. The latter is not inverted, as in GRAFX 0.6, so that centres beyond
                              6.5 kHz are higher than on the scale, and may be above ``f_max``.
    bark_schroeder            7 arsinh(f/650)
    bark_wang                 6 arsinh(f/600)
    mel_htk                   2595 log₁₀(1 + f/700)
    mel_slaney                3f/200 below 1 kHz, 15 + 27 ln(f/1000)/ln 6.4 above
    linear                    f
    log                       ln f
    ========================= ====================================================================================

    Args:
        num_frequency_bins: F, the number of frequencies from 0 to Nyquist, both included.
        num_filters: K, the number of filters.
        scale: One of those above.
        f_min: Lower end in Hz.
        f_max: Upper end in Hz; the Nyquist frequency if ``None``.
        sr: Sample rate in Hz.
        low_half_triangle: Extend the first filter down to zero frequency.

    Raises:
        ParameterError: An unknown scale, no filters, or a range that does not ascend on the scale.

    References:
        The scales of Traunmüller, JASA 88(1), 1990; Schroeder, Atal and Hall, JASA 66(6), 1979; Wang, Sekey and Gersho,
        IEEE JSAC 10(5), 1992; O'Shaughnessy, "Speech communication: human and machine", 1987 (the HTK one); and Slaney,
        "Auditory toolbox", 1998.
    """

    matrix: Tensor

    def __init__(
        self,
        num_frequency_bins: int,
        num_filters: int = 50,
        scale: str = "bark_traunmuller",
        f_min: float = 40,
        f_max: float | None = None,
        sr: float = 44100,
        low_half_triangle: bool = True,
    ):
        super().__init__()
        matrix = self.compute_matrix(num_frequency_bins, num_filters, scale, f_min, f_max, sr, low_half_triangle)
        self.num_filters = num_filters
        # Kept in float64, for exact float64 designs.
        self.register_constant("matrix", matrix)

    @staticmethod
    def compute_matrix(
        num_frequency_bins: int,
        num_filters: int = 50,
        scale: str = "bark_traunmuller",
        f_min: float = 40,
        f_max: float | None = None,
        sr: float = 44100,
        low_half_triangle: bool = True,
    ) -> Tensor:
        """Compute W, each filter's value at each frequency, ``(F, K)`` in float64, from the arguments of the class."""
        f_max = sr / 2 if f_max is None else f_max
        _check(num_filters, scale, f_min, f_max)
        knots = equal_steps(scale, f_min, f_max, num_filters + (1 if low_half_triangle else 2))
        if not (np.diff(knots) > 0).all():
            raise ParameterError(
                f"{f_min:g} to {f_max:g} Hz is more than {scale!r} covers: lower f_max or take another."
            )
        f = np.linspace(0, sr / 2, num_frequency_bins)[:, None]
        rise = (f - knots[:-2]) / (knots[1:-1] - knots[:-2])
        fall = (knots[2:] - f) / (knots[2:] - knots[1:-1])
        triangles = np.minimum(rise, fall).clip(0)
        if low_half_triangle:
            # Rounding would let energies become negative.
            rest = (1 - triangles.sum(1, keepdims=True)).clip(0)
            triangles = np.concatenate([rest, triangles], 1)
        return torch.from_numpy(triangles)

    def forward(self, energy: Tensor, mode: Literal["synthesis", "analysis"] = "synthesis") -> Tensor:
        """Spread one value of each filter over frequencies (synthesis), or run :meth:`analysis`.

        Args:
            energy: x, values ``(…, K)``, such as energies; ``(…, F)`` for analysis.
            mode: ``"synthesis"`` or ``"analysis"``.

        Returns:
            ``(…, F)``, x Wᵀ; ``(…, K)`` for analysis.

        Raises:
            ParameterError: An unknown mode.
        """
        check_option("mode", mode, ("synthesis", "analysis"))
        return self.analysis(energy) if mode == "analysis" else energy @ self.matrix.T.to(energy.dtype)

    def analysis(self, x: Tensor) -> Tensor:
        """Average values at frequencies in each filter.

        Args:
            x: Values ``(…, F)``, such as energies.

        Returns:
            ``(…, K)``, x W with the columns of W scaled to a sum of 1; 0 for a filter without any frequency.
        """
        return x @ (self.matrix / self.matrix.sum(0).clamp(min=1e-12)).to(x.dtype)


def _check(num_filters: int, scale: str, f_min: float, f_max: float) -> None:
    check_known("scale", scale, SCALES)
    if num_filters < 1:
        raise ParameterError(f"num_filters must be at least 1, not {num_filters}.")
    lowest = "> 0" if scale == "log" else "≥ 0"
    if not (0 <= f_min < f_max and (f_min > 0 or scale != "log")):
        raise ParameterError(
            f"The range must ascend from f_min {lowest} Hz to f_max, not from {f_min:g} to {f_max:g} Hz."
        )
