"""Moog's ladder filter."""

import math
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ..arguments import check_known, check_optional
from ..base import Control, ParameterSize
from ..controls import ParamRange, db, hz
from ..core.bounds import clip, safe_exp, soft_bound
from ..core.cookbook import Coefficients, bilinear
from ..core.ladder import saturating_ladder
from ..core.maps import Map, frequency, hertz, sigmoid
from ..core.precision import wide
from ..core.state_variable import quieter
from ..core.streaming import remember
from .base import RecursiveFilter

Mode = Literal["low24", "low12", "band24", "band12", "high24", "high12"]
MODES = {
    "low24": (0, 0, 0, 0, 1),
    "low12": (0, 0, 1, 0, 0),
    "band24": (0, 0, 4, -8, 4),
    "band12": (0, 2, -2, 0, 0),
    "high24": (1, -4, 6, -4, 1),
    "high12": (1, -2, 1, 0, 0),
}
"""Gains of the input and of the output of each of the four stages."""

NUMERATORS = {
    "low24": ((0, 0, 1), (0, 0, 1)),
    "low12": ((0, 0, 1), (1, 2, 1)),
    "band24": ((0, 2, 0), (0, 2, 0)),
    "band12": ((0, 2, 0), (1, 2, 1)),
    "high24": ((1, 0, 0), (1, 0, 0)),
    "high12": ((1, 0, 0), (1, 2, 1)),
}
"""The resulting polynomials in s, each as a product of two, from s² to 1."""

LEAST, MOST, MOST_SATURATING = -0.01, 0.999, 1.1  # of the resonance, that raw parameters reach


class LadderFilter(RecursiveFilter):
    r"""Moog ladder filter: four first-order low-passes in series, with resonant feedback.

    .. math:: H(s) = \frac{1}{(1 + s)^4 + k}, \quad k = 4 \rho, \quad
        s = \frac{1}{\tan(\omega_0 / 2)} \frac{1 - z^{-1}}{1 + z^{-1}}, \quad \omega_0 = \pi \sigma(\tilde\omega)

    The resonance ρ makes a peak at the cutoff, and attenuates low frequencies to :math:`1/(1 + k)`. At ρ = 1 the peak
    is infinitely high, and the filter would self-oscillate, but

    .. math:: \rho = \max(0, 1.009\,\sigma(\tilde\rho) - 0.01)

    stays below. With the poles :math:`s = -1 \pm r \pm j r`, :math:`r = \sqrt[4]{\rho}`, it is two second-order
    sections, without a delay in the loop.

    **Saturating.** With ``saturate``, there is a hyperbolic tangent at the input of the ladder, within the loop:

    .. math:: y_0 = \tanh(d\,u - k\,y_4), \quad y = \tfrac{1}{d} \sum_{i=0}^{4} c_i\,y_i

    where :math:`y_i` are the outputs of the stages; the response to quiet signals is the same. The loop is solved for
    each sample, see :func:`~grafx.processors.core.ladder.saturating_ladder`. Since it is bounded, ρ may be larger, with
    1.11 in place of 1.009; above 1, it self-oscillates once excited. There is no oversampling: loud signals alias.

    Other modes mix the outputs of the stages, like the Oberheim Xpander. Their numerators are, in place of 1,

    ======== =========================
    low12    :math:`(1 + s)^2`
    band24   :math:`4 s^2`
    band12   :math:`2 s (1 + s)^2`
    high24   :math:`s^4`
    high12   :math:`s^2 (1 + s)^2`
    ======== =========================

    Controls: ``resonance`` is ρ; with ``saturate``, ``drive_db`` is d.

    Raw parameters:
        w0 ``(B, 1)``: ω̃, bounded softly beyond ±9.
        z_resonance ``(B, 1)``: ρ̃.
        log_drive ``(B, 1)``: ln d, with ``saturate``.

    Args:
        mode: ``"low24"``, ``"low12"``, ``"band24"``, ``"band12"``, ``"high24"`` or ``"high12"``, named after the slopes
            in dB per octave, of a band on both sides together.
        saturate: Use the hyperbolic tangent.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown mode.

    References:
        Zavalishin, "The art of VA filter design", 2.1.2, Native Instruments, 2018; Stilson and Smith, "Analyzing the
        Moog VCF with considerations for digital implementation", ICMC 1996.
    """

    def __init__(
        self,
        mode: Mode = "low24",
        saturate: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(sample_rate, param_range)
        check_known("mode", mode, MODES)
        self.mode = mode
        self.saturate = saturate

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("w0", "z_resonance", *(["log_drive"] if self.saturate else [])), 1)

    def declare_controls(self) -> list[Control]:
        most = 1.05 if self.saturate else 0.99
        controls = [
            hz("frequency_hz", *hertz(self.sample_rate), "w0", map=frequency(self.sample_rate)),
            Control("resonance", 0.0, most, 0.5, "z_resonance", map=self._resonance()),
        ]
        drive = db("drive_db", -24, 48, 0.0, "log_drive")
        return [*controls, drive] if self.saturate else controls

    def forward(
        self, input_signals: Tensor, w0: Tensor, z_resonance: Tensor, log_drive: Tensor | None = None
    ) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            w0: ``(B, 1)``.
            z_resonance: ``(B, 1)``.
            log_drive: ``(B, 1)``, with ``saturate``.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: ``log_drive`` is missing, or given although the options exclude it.
        """
        check_optional(self, log_drive=log_drive)
        if log_drive is None:
            return self._filter(input_signals, w0, z_resonance)
        g, resonance = torch.tan(_angle(w0) / 2), self._bounded(z_resonance)
        drive = safe_exp(wide(log_drive))
        mix = torch.tensor(MODES[self.mode], dtype=drive.dtype, device=drive.device) / drive
        driven = input_signals * drive.to(input_signals.dtype)[..., None]
        ladder = partial(saturating_ladder, driven, g / (1 + g), 4 * resonance, mix[:, None])
        level = (drive * g.sqrt()).detach()  # of the states, for noise

        def step(state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            y, after = ladder(None if state is None else quieter(*state, level))
            return y, (after, level)

        return remember(step, "ladder")

    def sections(self, w0: Tensor, z_resonance: Tensor, log_drive: Tensor | None = None) -> Coefficients:
        g = torch.tan(_angle(w0) / 2)
        # An offset, since the slope of the root is infinite at zero. It changes the response by less than 1e-7.
        r = (clip(self._bounded(z_resonance), high=MOST) + 1e-8) ** 0.25
        one = torch.ones_like(r)
        a = (bilinear(one, 2 * (1 + side * r), (1 + side * r).square() + r.square(), g) for side in (1, -1))
        b = (bilinear(*(c * one for c in factor), g) for factor in NUMERATORS[self.mode])
        return torch.cat(list(b), 1), torch.cat(list(a), 1)

    def _resonance(self) -> Map:
        return sigmoid(LEAST, MOST_SATURATING if self.saturate else MOST)

    def _bounded(self, z_resonance: Tensor) -> Tensor:
        return clip(self._resonance().to_physical(wide(z_resonance)), 0.0)


def _angle(w0: Tensor) -> Tensor:
    return math.pi * torch.sigmoid(soft_bound(wide(w0), 9, 2))
