"""Base class of dynamics with the controls of a mixing desk, and the expander."""

from typing import Literal

from ..arguments import check_option
from ..controls import ParamRange
from ..core.bounds import safe_exp
from ..core.gain_curve import Curve
from .base import COMPRESSOR_RANGES, KNEES, SMOOTHERS, DynamicRangeProcessor, Knee, Raw


class Desk(DynamicRangeProcessor):
    """Base class of processors with only the options of a mixing desk, whose ratio is the effective one."""

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        knee_type: Knee = "quadratic",
        smooth_type: Literal["ballistics", "iir"] = "ballistics",
        *,
        makeup: bool = True,
        sidechain: bool = False,
    ) -> None:
        check_option("knee_type", knee_type, KNEES)
        check_option("smooth_type", smooth_type, SMOOTHERS[:2])
        super().__init__(
            smooth_type,
            knee=knee_type,
            makeup=makeup,
            sidechain=sidechain,
            sample_rate=sample_rate,
            param_range=param_range,
        )


class Expander(Desk):
    r"""Downward expander: below a threshold, R decibels less for each decibel that the input falls.

    With e the energy of a sample, averaged over channels and smoothed, the level is G = ln(e + 10⁻¹³), the threshold
    T = ``log_threshold`` − 6, the ratio R = 1 + exp(``log_ratio``) and W = exp(``log_knee``). The output is
    exp(g + ``log_makeup``)·u with

    .. math::
        g = \frac{1 - R}{2} \cdot \begin{cases}
            \max(0, T - G) & \text{hard} \\
            (T - G + W/2)^2 / 2W \text{ for } |G - T| \le W/2, \text{ else the same} & \text{quadratic} \\
            \ln\left(1 + e^{W (T - G)}\right) / W & \text{exponential}
        \end{cases}

    The factor ½ converts logarithms of energies to those of amplitudes, so that the ratio is the effective one.

    Controls: ``threshold_db``, ``ratio``, ``knee_db``, ``attack_ms``, ``release_ms`` and ``makeup_db``, defined as in
    :class:`Compressor`.

    Raw parameters: ``log_threshold``, ``log_ratio``, ``log_knee``: 1 each, natural logarithms of energies and ratios;
    a hard knee ignores the latter. ``z_alpha_pre``: logits of the coefficients of attack and release, 2; or
    of that of the IIR filter, 1. ``log_makeup``: 1, ln of an amplitude.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        knee_type: ``"hard"``, ``"quadratic"`` or ``"exponential"``.
        smooth_type: ``"ballistics"``, or ``"iir"`` with the control ``smoothing_ms``.
        makeup: Whether there is a makeup gain.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, drives the gain. In a graph
            it reads silence while nothing is connected.

    Raises:
        ParameterError: An unsupported option value.

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012.
    """

    ranges = COMPRESSOR_RANGES
    mirrored = True

    def static_curve(self, raw: Raw) -> Curve:
        return self.curve(-0.5 * safe_exp(raw["log_ratio"]), raw)
