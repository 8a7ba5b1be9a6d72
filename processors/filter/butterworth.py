"""Butterworth filters of any order."""

import math
from typing import Literal

import torch
from torch import Tensor

from ..arguments import check_known, check_optional
from ..base import Control, ParameterError, ParameterSize
from ..controls import ParamRange, hz
from ..core import butterworth
from ..core.bounds import soft_bound
from ..core.cookbook import Coefficients
from ..core.maps import Map, frequency, hertz
from ..core.precision import wide
from .base import RecursiveFilter

Kind = Literal["low", "high", "band"]
KINDS = ("low", "high", "band")
HIGHEST_ORDER = 16
APART = 1.0  # of raw edges at zero, from the middle
NARROWEST = 0.01  # that raw edges are apart from the middle


class ButterworthFilter(RecursiveFilter):
    r"""Butterworth low-, high- or band-pass, maximally flat, with −3 dB at its cutoff.

    .. math:: |H_\text{low}|^2 = \frac{1}{1 + (\Omega / \Omega_0)^{2N}}, \quad
        |H_\text{high}|^2 = \frac{1}{1 + (\Omega_0 / \Omega)^{2N}}, \quad
        |H_\text{band}|^2 = \frac{1}{1 + \bigl(\frac{\Omega^2 - \Omega_1 \Omega_2}{\Omega\,(\Omega_2 -
        \Omega_1)}\bigr)^{2N}}, \quad \Omega = \tan \frac{\omega}{2}

    It falls off by 6 N dB per octave, a band-pass on both sides. The cutoff is
    :math:`\omega_0 = \pi \sigma(\tilde\omega)`. The edges of a band are

    .. math:: \omega_{1,2} = \pi \sigma(m \mp \max(d, 0.01)), \quad
        m = \frac{\tilde\omega_1 + \tilde\omega_2}{2}, \quad
        d = \left|\frac{\tilde\omega_2 - \tilde\omega_1}{2} + 1\right|

    so that the lower one is below the upper one for all raw parameters: swapped edges are exchanged. The maximum is
    smooth, and exact for d > 0.02. All ω̃ are bounded softly beyond ±9, see
    :func:`~grafx.processors.core.cookbook.from_raw`.

    Raw parameters:
        w0 ``(B, 1)``: ω̃, for the kinds low and high.
        w_low, w_high ``(B, 1)``: ω̃₁ and ω̃₂, for the kind band.

    Args:
        order: N, 1 to 16. A band-pass has 2 N poles.
        kind: ``"low"``, ``"high"`` or ``"band"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    Raises:
        ParameterError: An unknown kind, or an order out of its range.

    References:
        Butterworth, "On the theory of filter amplifiers", Experimental Wireless 7, 1930; its design by the bilinear
        transform, Oppenheim and Schafer, "Discrete-time signal processing", 3rd ed., Pearson, 2010.
    """

    def __init__(
        self,
        order: int = 4,
        kind: Kind = "low",
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        **iir,
    ):
        super().__init__(sample_rate, param_range, **iir)
        check_known("kind", kind, KINDS)
        if not 1 <= order <= HIGHEST_ORDER:
            raise ParameterError(f"order must be from 1 to {HIGHEST_ORDER}, not {order!r}: put several in series.")
        self.order = order
        self.kind = kind

    def parameter_size(self) -> ParameterSize:
        return {"w_low": 1, "w_high": 1} if self.kind == "band" else {"w0": 1}

    def declare_controls(self) -> list[Control]:
        lowest, highest, default = hertz(self.sample_rate)
        to_hertz = frequency(self.sample_rate)
        if self.kind != "band":
            return [hz("frequency_hz", lowest, highest, default, "w0", map=to_hertz)]
        return [
            hz(name, lowest, highest, value, raw, map=_shifted(to_hertz, by))
            for name, value, raw, by in (
                ("low_hz", default / 2, "w_low", -APART),
                ("high_hz", default * 2, "w_high", APART),
            )
        ]

    def forward(
        self,
        input_signals: Tensor,
        w0: Tensor | None = None,
        w_low: Tensor | None = None,
        w_high: Tensor | None = None,
    ) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            w0: ``(B, 1)``, for a low- or high-pass.
            w_low: ``(B, 1)``, for a band-pass.
            w_high: ``(B, 1)``, for a band-pass.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: A parameter is missing, or given although the kind excludes it.
        """
        check_optional(self, w0=w0, w_low=w_low, w_high=w_high)
        return self._filter(input_signals, *((w_low, w_high) if self.kind == "band" else (w0,)))

    def sections(self, *raw_parameters: Tensor) -> Coefficients:
        if self.kind == "band":
            return butterworth.band_pass(*_edges(*raw_parameters), self.order)
        kind = butterworth.low_pass if self.kind == "low" else butterworth.high_pass
        return kind(_angle(raw_parameters[0])[..., 0], self.order)


def _shifted(to_hertz: Map, by: float) -> Map:
    return Map(lambda value: to_hertz.to_raw(value) - by, lambda raw: to_hertz.to_physical(raw + by))


def _angle(raw: Tensor) -> Tensor:
    return math.pi * torch.sigmoid(soft_bound(wide(raw), 9, 2))


def _edges(w_low: Tensor, w_high: Tensor) -> tuple[Tensor, Tensor]:
    lower, upper = soft_bound(wide(w_low) - APART, 9, 2), soft_bound(wide(w_high) + APART, 9, 2)
    middle, half = (lower + upper) / 2, ((upper - lower) / 2).abs()
    # A parabola between the narrowest and twice that, with the same slopes at its ends.
    half = torch.where(half < 2 * NARROWEST, NARROWEST + half.square() / (4 * NARROWEST), half)
    low, high = (math.pi * torch.sigmoid(middle + side * half)[..., 0] for side in (-1, 1))
    return low, high
