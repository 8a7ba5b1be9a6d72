"""Compressor and noise gate."""

from collections.abc import Callable
from types import EllipsisType
from typing import Any, Literal

import torch
from torch import Tensor

from ..arguments import check_option
from ..base import ParameterError
from ..controls import ParamRange
from ..core.bounds import safe_exp, soft_bound
from ..core.knees import exponential_knee, hard_knee, hard_step, quadratic_knee, quadratic_step
from ..core.maps import RATIO, Map
from .approx import ApproxCompressor, ApproxNoiseGate
from .base import (
    COMPRESSOR_RANGES,
    GATE_RANGES,
    HEARD_COMPRESSION,
    HEARD_EXPANSION,
    KNEES,
    LOW_FLOOR,
    RAW_FLOOR,
    SMOOTHERS,
    DynamicRangeProcessor,
    Knee,
    Raw,
    Smoother,
    compression,
)
from .desk import Desk, Expander
from .followers import BallisticsEnvelopeFollower, BaseEnvelopeFollower, IIREnvelopeFollower

__all__ = [
    "ApproxCompressor",
    "ApproxNoiseGate",
    "BallisticsEnvelopeFollower",
    "BaseEnvelopeFollower",
    "Compressor",
    "Desk",
    "Expander",
    "IIREnvelopeFollower",
    "NoiseGate",
]


class _InTwoStyles(DynamicRangeProcessor):
    """A processor with the options of GRAFX and with those of a mixing desk."""

    desk_knees: tuple[Knee, ...] = KNEES
    desk_knee: Knee
    desk_curve: tuple[str, ...]
    desk_makeup: bool
    mirrored: bool  # acts below the threshold
    heard_ratio: Map

    def __init__(
        self,
        energy_smoother: Smoother | EllipsisType = ...,
        gain_smoother: Smoother = None,
        gain_smooth_in_log: bool = False,
        knee: Knee | EllipsisType = ...,
        iir_len: int = 16384,
        flashfftconv: bool = False,
        max_input_len: int = 2**17,
        *,
        sample_rate: float | None = None,
        param_range: ParamRange | None = None,
        knee_type: Knee | None = None,
        smooth_type: Literal["ballistics", "iir"] | None = None,
        makeup: bool | None = None,
        sidechain: bool = False,
    ) -> None:
        words = (sample_rate, param_range, knee_type, smooth_type)
        desk = self.desk = any(word is not None for word in words) and energy_smoother is ... and knee is ...
        energy_smoother = _named_once("energy_smoother", energy_smoother, "smooth_type", smooth_type, SMOOTHERS)
        knee = _named_once("knee", knee, "knee_type", knee_type, self.desk_knees if desk else KNEES)
        check_option("gain_smoother", gain_smoother, SMOOTHERS)
        if energy_smoother is ...:
            energy_smoother = "ballistics" if desk else "iir"
        if knee is ...:
            knee = self.desk_knee if desk else "quadratic"
        raw_curve = ("log_threshold", "log_ratio") if knee == "hard" else ("log_threshold", "log_ratio", "log_knee")
        super().__init__(
            energy_smoother,
            gain_smoother,
            gain_smooth_in_log,
            knee,
            iir_len,
            floor=LOW_FLOOR if desk else RAW_FLOOR,
            curve=self.desk_curve if desk else raw_curve,
            makeup=self.desk_makeup and desk if makeup is None else makeup,
            sidechain=sidechain,
            sample_rate=44100 if sample_rate is None else sample_rate,
            param_range=param_range,
        )

    # The static curves of GRAFX by themselves: ln of the gain for ln of an energy, whose threshold has no offset.

    @classmethod
    def gain_hard_knee(cls, log_energy: Tensor, log_threshold: Tensor, log_ratio: Tensor, _: Any = None) -> Tensor:
        """Compute the log gain ``(…, L)`` of log energies ``(…, L)``, with a hard knee; the rest is ``(…, 1)``."""
        return cls._static_gain(hard_knee, log_energy, log_threshold, log_ratio)

    @classmethod
    def gain_quad_knee(cls, log_energy: Tensor, log_threshold: Tensor, log_ratio: Tensor, log_knee: Tensor) -> Tensor:
        """Compute the log gain with a quadratic knee."""
        return cls._static_gain(quadratic_knee, log_energy, log_threshold, log_ratio, log_knee)

    @classmethod
    def gain_exp_knee(cls, log_energy: Tensor, log_threshold: Tensor, log_ratio: Tensor, log_knee: Tensor) -> Tensor:
        """Compute the log gain with an exponential knee."""
        return cls._static_gain(exponential_knee, log_energy, log_threshold, log_ratio, log_knee)

    @classmethod
    def _static_gain(cls, knee: Callable[..., Tensor], level: Tensor, *parameters: Tensor) -> Tensor:
        threshold, log_ratio, *log_knee = (torch.atleast_1d(p.to(level)) for p in parameters)
        widths = map(safe_exp, log_knee)
        if cls.mirrored:
            return knee(-level, -threshold, -safe_exp(log_ratio), *widths)
        return knee(level, threshold, compression({"log_ratio": log_ratio}), *widths)

    @property
    def ratio_map(self) -> Map:
        return RATIO if self.desk else self.heard_ratio


class Compressor(_InTwoStyles):
    r"""Feed-forward compressor: reduces levels above a threshold.

    With e the energy of a sample, averaged over channels and smoothed, the level is G = ln(e + ε), the threshold
    T = ``log_threshold`` − 6, the ratio R = 1 + exp(``log_ratio``) and W = exp(``log_knee``). The output is
    exp(g)·u with

    .. math::
        g = s \left(\tfrac{1}{R} - 1\right) \cdot \begin{cases}
            \max(0, G - T) & \text{hard} \\
            (G - T + W/2)^2 / 2W \text{ for } |G - T| \le W/2, \text{ else the same} & \text{quadratic} \\
            \ln\left(1 + e^{W (G - T)}\right) / W & \text{exponential}
        \end{cases}

    **Two styles.** Options as in GRAFX (``energy_smoother``, ``knee``), or none at all, make the compressor of GRAFX:
    an IIR smoother, no makeup gain, ε = 10⁻⁵ (−50 dB) and s = 1. ``sample_rate``, ``param_range``, ``knee_type`` or
    ``smooth_type`` with neither ``energy_smoother`` nor ``knee`` make that of a mixing desk: ballistics, a makeup gain,
    six controls for any knee, ε = 10⁻¹³ (−130 dB) and s = ½::

        Compressor(energy_smoother="ballistics")(x, log_threshold=…, log_ratio=…, log_knee=…, z_alpha_pre=…)
        Compressor(sample_rate=48000)(x, dsp_params={"threshold_db": -20, "ratio": 4, "attack_ms": 5, "makeup_db": 3})

    G and T are logarithms of energies, whereas g is one of an amplitude. With s = ½, R is the effective ratio: above
    the threshold, the level rises by 1/R decibels for each decibel of the input. With s = 1, it rises by 2/R − 1, is
    constant at R = 2, and falls beyond. The control ``ratio`` is the effective ratio in both styles: with s = 1, a
    ratio r is R = 2r / (1 + r), and raw parameters beyond R = 2 correspond to negative ratios.

    Controls: ``threshold_db``, ``ratio``, ``knee_db``, ``attack_ms``, ``release_ms`` and ``makeup_db``. Threshold and
    knee are 10·log₁₀ of energies: the level of a constant or of a square wave of amplitude a is 20·log₁₀ a, that of a
    sine 3 dB less. Times are time constants, to 1 − 1/e of the energy. With an ``"iir"`` smoother, ``smoothing_ms``
    replaces attack and release. With an exponential knee, W is exp(``knee_db``) per decibel: larger values give a
    sharper knee.

    Raw parameters: ``log_threshold``, ``log_ratio``, ``log_knee``: 1 each, natural logarithms of energies and ratios.
    A hard knee has no ``log_knee`` in the style of GRAFX, and ignores it in that of a desk.
    ``z_alpha_pre``, ``z_alpha_post``: logits of the smoothing coefficients of energy and gain, where those are
    smoothed; 1 for ``"iir"``, 2 (attack, release) for ``"ballistics"``. ``log_makeup``: 1, ln of an amplitude.

    Args:
        energy_smoother: ``"iir"`` (:class:`TruncatedOnePoleIIRFilter`), ``"ballistics"`` (:class:`Ballistics`)
            or None.
        gain_smoother: The same choice for the gain, by default None. Ballistics start from a gain of 1 and attack when
            it falls; the IIR filter starts from 0, unless it smooths in the logarithm.
        gain_smooth_in_log: Smooth the log gain in place of the gain.
        knee: ``"hard"``, ``"quadratic"`` or ``"exponential"``.
        iir_len: Length of the impulse response of the IIR smoothers.
        flashfftconv: Accepted and ignored, since there is no convolution.
        max_input_len: Accepted and ignored.
        sample_rate: Samples per second, 44100 by default.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        knee_type: Another name of ``knee``.
        smooth_type: Another name of ``energy_smoother``.
        makeup: Whether there is a makeup gain; by default in the style of a desk only.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, drives the gain. In a graph
            it reads silence while nothing is connected.

    Raises:
        ParameterError: An unsupported option value, or an option given by both of its names.

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012. S. Lee et al., "Searching for music mixing graphs: a pruning approach",
        DAFx 2024. C. J. Steinmetz, N. J. Bryan, J. D. Reiss, "Style transfer of audio effects with differentiable
        signal processing", JAES 70(9), 2022.
    """

    ranges = COMPRESSOR_RANGES
    desk_knee = "quadratic"
    desk_curve = ("log_threshold", "log_ratio", "log_knee")
    desk_makeup = True
    mirrored = False
    heard_ratio = HEARD_COMPRESSION

    def log_gain(self, level: Tensor, threshold: Tensor, raw: Raw) -> Tensor:
        slope = compression(raw)
        return self.curve(level, threshold, 0.5 * slope if self.desk else slope, raw)


class NoiseGate(_InTwoStyles):
    r"""Noise gate: reduces levels below a threshold.

    In the style of GRAFX it is a downward expander. Level, threshold, ratio and knee are those of :class:`Compressor`,
    whose curve it mirrors:

    .. math::
        g = (1 - R) \cdot \begin{cases}
            \max(0, T - G) & \text{hard} \\
            (T - G + W/2)^2 / 2W \text{ for } |G - T| \le W/2, \text{ else the same} & \text{quadratic} \\
            \ln\left(1 + e^{W (T - G)}\right) / W & \text{exponential}
        \end{cases}

    G and T are logarithms of energies, whereas g is one of an amplitude: below the threshold, the level in decibels
    falls by 2R − 1 for each decibel of the input, which is the control ``ratio``.

    In the style of a mixing desk it applies a constant gain below the threshold, r = ``log_range``, ln of an amplitude:

    .. math::
        g = r \cdot \begin{cases}
            1 \text{ if } G \le T, \text{ else } 0 & \text{hard} \\
            1 - 2t^2 \text{ for } t \le 1/2, \; 2(1 - t)^2 \text{ above}, \quad
                t = \frac{G - T}{W} + \frac12 \text{ within } [0, 1] & \text{quadratic}
        \end{cases}

    The gain below the threshold is ``range_db``. A hard gate has no useful derivative by threshold and times, so the
    gradients by these and by the input are those of a knee of 4.3 dB.

    ``knee_type``, ``smooth_type``, ``sample_rate`` or ``param_range`` select the style of a desk as they do for
    :class:`Compressor`; then the knee is hard unless chosen (it cannot be exponential), and there is no makeup gain.

    Controls: ``threshold_db``, ``range_db`` (``ratio`` in the style of GRAFX), ``knee_db``, ``attack_ms`` and
    ``release_ms``. Raw parameters, options and errors are those of :class:`Compressor`.
    """

    ranges = GATE_RANGES
    desk_knees = ("hard", "quadratic")
    desk_knee = "hard"
    desk_curve = ("log_threshold", "log_range", "log_knee")
    desk_makeup = False
    mirrored = True
    heard_ratio = HEARD_EXPANSION

    def log_gain(self, level: Tensor, threshold: Tensor, raw: Raw) -> Tensor:
        if "log_range" not in raw:
            return self.curve(-level, -threshold, -safe_exp(raw["log_ratio"]), raw)
        gain = soft_bound(raw["log_range"])
        if self.knee == "hard":
            return hard_step(-level, -threshold, gain, raw["log_knee"])
        return quadratic_step(-level, -threshold, gain, safe_exp(raw["log_knee"]))


def _named_once(option: str, value: object, alias: str, by_alias: object, choices: tuple) -> object:
    """Return the checked value of an option with two names; ``...`` if it is not given."""
    if by_alias is None:
        if value is not ...:
            check_option(option, value, choices)
        return value
    if value is not ...:
        raise ParameterError(f"{option} and {alias} are one option: give either.")
    check_option(alias, by_alias, tuple(choice for choice in choices if choice is not None))
    return by_alias
