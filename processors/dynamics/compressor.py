"""Compressor and noise gate."""

import warnings
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from ..arguments import check_option
from ..base import ParameterError
from ..calls import level_of_caller
from ..controls import ParamRange
from ..core.bounds import safe_exp, soft_bound
from ..core.gain_curve import Curve
from ..core.knees import exponential_knee, hard_knee, quadratic_knee
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

Style = Literal["grafx", "desk"]
STYLES = ("grafx", "desk")
FORMER = ("sample_rate", "param_range", "knee_type", "smooth_type")  # options that used to choose the style of a desk

_heard: dict[str, object] = {}  # class to the filters of warnings under which it has warned


class _InTwoStyles(DynamicRangeProcessor):
    """A processor in the style of GRAFX or in that of a mixing desk."""

    desk_knees: tuple[Knee, ...] = KNEES
    desk_knee: Knee
    desk_curve: tuple[str, ...]
    desk_makeup: bool
    heard_ratio: Map

    def __init__(
        self,
        energy_smoother: Smoother | Literal["default"] = "default",
        gain_smoother: Smoother = None,
        gain_smooth_in_log: bool = False,
        knee: Knee | None = None,
        iir_len: int = 16384,
        flashfftconv: bool = False,
        max_input_len: int = 2**17,
        *,
        style: Style | None = None,
        sample_rate: float | None = None,
        param_range: ParamRange | None = None,
        knee_type: Knee | None = None,
        smooth_type: Literal["ballistics", "iir"] | None = None,
        makeup: bool | None = None,
        sidechain: bool = False,
    ) -> None:
        check_option("style", style, (*STYLES, None))
        if style is None and energy_smoother == "default" and knee is None:
            words = sample_rate, param_range, knee_type, smooth_type
            _warn_of_style(type(self).__name__, [n for n, v in zip(FORMER, words, strict=True) if v is not None])
        desk = style == "desk"
        smoothers = "energy_smoother", energy_smoother, "smooth_type", smooth_type
        smoother: Smoother = _chosen(*smoothers, "default", "ballistics" if desk else "iir", SMOOTHERS)
        knees = "knee", knee, "knee_type", knee_type
        bend: Knee = _chosen(*knees, None, self.desk_knee if desk else "quadratic", self.desk_knees if desk else KNEES)
        check_option("gain_smoother", gain_smoother, SMOOTHERS)
        raw_curve = ("log_threshold", "log_ratio") if bend == "hard" else ("log_threshold", "log_ratio", "log_knee")
        super().__init__(
            smoother,
            gain_smoother,
            gain_smooth_in_log,
            bend,
            iir_len,
            floor=LOW_FLOOR if desk else RAW_FLOOR,
            curve=self.desk_curve if desk else raw_curve,
            makeup=self.desk_makeup and desk if makeup is None else makeup,
            sidechain=sidechain,
            sample_rate=44100 if sample_rate is None else sample_rate,
            param_range=param_range,
        )
        self.style: Style = style or "grafx"

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
        return RATIO if self.style == "desk" else self.heard_ratio


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

    **Two styles.** ``style="grafx"``, the default, is the compressor of GRAFX: an IIR smoother, no makeup gain,
    ε = 10⁻⁵ (−50 dB) and s = 1. ``style="desk"`` is that of a mixing desk: ballistics, a makeup gain, six controls
    whatever the knee, ε = 10⁻¹³ (−130 dB) and s = ½. All other options mean the same in both::

        Compressor(energy_smoother="ballistics")(x, log_threshold=…, log_ratio=…, log_knee=…, z_alpha_pre=…)
        desk = Compressor(style="desk", sample_rate=48000)
        desk(x, dsp_params={"threshold_db": -20, "ratio": 4, "attack_ms": 5, "makeup_db": 3})

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
            or None; by default ``"iir"`` in the style of GRAFX and ``"ballistics"`` in that of a desk.
        gain_smoother: the same choice for the gain, by default None. Ballistics start from a gain of 1 and attack when
            it falls; the IIR filter starts from 0, unless it smooths in the logarithm.
        gain_smooth_in_log: smooth the log gain in place of the gain.
        knee: ``"hard"``, ``"quadratic"`` (by default) or ``"exponential"``.
        iir_len: length of the impulse response of the IIR smoothers.
        flashfftconv: accepted and without effect, as there is no convolution.
        max_input_len: accepted and without effect.
        style: ``"grafx"`` (by default) or ``"desk"``.
        sample_rate: samples per second, 44100 by default.
        param_range: control name to (lowest, highest), in place of the range above.
        knee_type: another name of ``knee``.
        smooth_type: another name of ``energy_smoother``.
        makeup: whether there is a makeup gain; by default in the style of a desk only.
        sidechain: whether a second inlet ``"sidechain"``, with channels of its own number, drives the gain. In a graph
            it reads silence while nothing is connected.

    Raises:
        ParameterError: An unsupported option value, or an option given by both of its names.

    Warns:
        FutureWarning: ``sample_rate``, ``param_range``, ``knee_type`` or ``smooth_type`` is given with neither
            ``style``, ``energy_smoother`` nor ``knee``, which used to select the style of a desk.

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
    heard_ratio = HEARD_COMPRESSION

    def static_curve(self, raw: Raw) -> Curve:
        slope = compression(raw)
        return self.curve(0.5 * slope if self.style == "desk" else slope, raw)


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

    ``style="desk"`` selects that of a desk, as for :class:`Compressor`; then the knee is hard unless chosen (it cannot
    be exponential), and there is no makeup gain.

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

    def static_curve(self, raw: Raw) -> Curve:
        if "log_range" not in raw:
            return self.curve(-safe_exp(raw["log_ratio"]), raw)
        gain = soft_bound(raw["log_range"])
        if self.knee == "hard":
            return Curve("hard step", gain, raw["log_knee"], mirrored=True)
        return Curve("quadratic step", gain, safe_exp(raw["log_knee"]), mirrored=True)


def _chosen(
    option: str, value: Any, alias: str, by_alias: Any, not_given: str | None, usual: Any, choices: tuple
) -> Any:
    """The value of an option with two names, checked; what is usual where neither is given."""
    if by_alias is None:
        if value == not_given:
            return usual
        check_option(option, value, choices)
        return value
    if value != not_given:
        raise ParameterError(f"{option} and {alias} are one option: give either.")
    check_option(alias, by_alias, tuple(choice for choice in choices if choice is not None))
    return by_alias


def _warn_of_style(who: str, words: list[str]) -> None:
    """Warn those who give options that used to choose a style, once until they filter warnings anew."""
    if not words or _heard.get(who) is warnings.filters:
        return
    given = ", ".join(f"{word}=…" for word in words)
    warnings.warn(
        f'{who}({given}) is in the style of GRAFX, and no longer in that of a mixing desk: write {who}(style="desk", '
        f'{given}) for that one, or style="grafx" for what it is now.',
        FutureWarning,
        stacklevel=level_of_caller(),
    )
    _heard[who] = warnings.filters
