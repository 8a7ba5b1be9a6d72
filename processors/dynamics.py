"""Dynamic range processors: gains that follow the level of the signal."""

from abc import abstractmethod
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from .base import Control, ParameterError, ParameterSize, Processor
from .core.bounds import safe_exp
from .core.envelope import Ballistics, TruncatedOnePoleIIRFilter
from .core.gain import apply_gain, mean_square
from .core.knees import exponential_knee, hard_knee, quadratic_knee
from .core.maps import NEPER, exponential, linear, time_constant
from .core.optional import check_optional

Smoother = Literal["iir", "ballistics"] | None
Knee = Literal["hard", "quadratic", "exponential"]

ENERGY_FLOOR = 1e-5
THRESHOLD_OFFSET = -6.0
THRESHOLD_LIMIT = 1e6  # keeps products of a threshold and a slope or a width finite in float32
THRESHOLD = linear(NEPER / 2, THRESHOLD_OFFSET * NEPER / 2)
KNEE = exponential(NEPER / 2)
NUM_COEFFICIENTS = {"iir": 1, "ballistics": 2}


# Lowest, highest and default values.
COMPRESSOR_RANGES = {
    "threshold_db": (-60, 0, -20.0),
    "ratio": (1, 20, 4.0),
    "knee_db": (0, 12, 6.0),
    "attack_ms": (0.1, 100, 5.0),
    "release_ms": (10, 1000, 50.0),
    "smoothing_ms": (0.1, 1000, 10.0),
}
GATE_RANGES = {
    "threshold_db": (-90, -20, -40.0),
    "ratio": (1, 20, 4.0),
    "knee_db": (0, 6, 3.0),
    "attack_ms": (0.1, 20, 1.0),
    "release_ms": (5, 1000, 50.0),
    "smoothing_ms": (0.1, 1000, 10.0),
}


class DynamicRangeProcessor(Processor):
    """Level -> smoothing -> static curve -> smoothing -> gain: what a compressor and a gate have in common.

    A subclass names its static curve in :meth:`log_gain`, and lowest, highest and default values of its controls.
    """

    ranges: dict[str, tuple[float, float, float]]
    ratio_map = exponential(offset=1)

    def __init__(
        self,
        energy_smoother: Smoother = "iir",
        gain_smoother: Smoother = None,
        gain_smooth_in_log: bool = False,
        knee: Knee = "quadratic",
        iir_len: int = 16384,
        flashfftconv: bool = False,
        max_input_len: int = 2**17,
        **controls,
    ) -> None:
        super().__init__(**controls)
        _check_option("knee", knee, ("hard", "quadratic", "exponential"))
        self.knee = knee
        self.energy_smoother = _smoother("energy_smoother", energy_smoother, iir_len)
        self.gain_smoother = _smoother("gain_smoother", gain_smoother, iir_len)
        self.gain_smooth_in_log = gain_smooth_in_log
        self._size: ParameterSize = {"log_threshold": 1, "log_ratio": 1}
        if knee != "hard":
            self._size["log_knee"] = 1
        if energy_smoother is not None:
            self._size["z_alpha_pre"] = NUM_COEFFICIENTS[energy_smoother]
        if gain_smoother is not None:
            self._size["z_alpha_post"] = NUM_COEFFICIENTS[gain_smoother]

    def parameter_size(self) -> ParameterSize:
        return dict(self._size)

    def declare_controls(self) -> list[Control]:
        raw = self.parameter_size()
        ranges = {
            "threshold_db": ("log_threshold", None, "dB", "linear", THRESHOLD),
            "ratio": ("log_ratio", None, "", "log", self.ratio_map),
            "knee_db": ("log_knee", None, "dB", "linear", KNEE),
        }
        return [Control(name, *self.ranges[name], *where) for name, where in ranges.items() if where[0] in raw] + [
            control
            for coefficients, prefix in (("z_alpha", ""), ("z_alpha_pre", ""), ("z_alpha_post", "gain_"))
            if coefficients in raw
            for control in self._time_controls(coefficients, prefix, raw[coefficients])
        ]

    def _time_controls(self, raw: str, prefix: str, number: int) -> list[Control]:
        names = ("smoothing_ms",) if number == 1 else ("attack_ms", "release_ms")
        smoother = time_constant(self.sample_rate)
        return [
            Control(prefix + name, *self.ranges[name], raw, index, "ms", "log", smoother)
            for index, name in enumerate(names)
        ]

    def forward(
        self,
        input_signals: Tensor,
        log_threshold: Tensor,
        log_ratio: Tensor,
        log_knee: Tensor | None = None,
        z_alpha_pre: Tensor | None = None,
        z_alpha_post: Tensor | None = None,
    ) -> Tensor:
        """Process signals; one gain serves all channels.

        Args:
            input_signals: of shape ``(B, C, L)``.
            log_threshold: ``(B, 1)``.
            log_ratio: ``(B, 1)``.
            log_knee: ``(B, 1)``, unless the knee is hard.
            z_alpha_pre: ``(B, 1)`` for an ``"iir"``, ``(B, 2)`` for a ``"ballistics"`` energy smoother.
            z_alpha_post: likewise for the gain smoother.

        Returns:
            Signals in the shape of ``input_signals``.

        Raises:
            ParameterError: a parameter is missing, or given though the options leave it out.
        """
        check_optional(self, log_knee=log_knee, z_alpha_pre=z_alpha_pre, z_alpha_post=z_alpha_post)
        return self._process(input_signals, log_threshold, log_ratio, log_knee, z_alpha_pre, z_alpha_post)

    def _process(
        self,
        input_signals: Tensor,
        log_threshold: Tensor,
        log_ratio: Tensor,
        log_knee: Tensor | None,
        z_alpha_pre: Tensor | None,
        z_alpha_post: Tensor | None = None,
    ) -> Tensor:
        energy = mean_square(input_signals)
        if self.energy_smoother is not None:
            energy = self.energy_smoother(energy, z_alpha_pre)
        level = torch.log(energy + ENERGY_FLOOR)
        threshold = (log_threshold + THRESHOLD_OFFSET).clamp(-THRESHOLD_LIMIT, THRESHOLD_LIMIT)
        log_gain = self.log_gain(level, threshold, log_ratio, log_knee)
        return apply_gain(input_signals, self._smooth_gain(log_gain, z_alpha_post))

    @abstractmethod
    def log_gain(self, level: Tensor, threshold: Tensor, log_ratio: Tensor, log_knee: Tensor | None) -> Tensor:
        """The static curve: log gain ``(B, L)`` for the level ``(B, L)``, ln of energies."""

    def _curve(self, level: Tensor, threshold: Tensor, slope: Tensor, log_knee: Tensor | None) -> Tensor:
        if self.knee == "hard":
            return hard_knee(level, threshold, slope)
        curve = quadratic_knee if self.knee == "quadratic" else exponential_knee
        return curve(level, threshold, slope, safe_exp(log_knee))

    def _smooth_gain(self, log_gain: Tensor, z_alpha: Tensor | None) -> Tensor:
        if self.gain_smoother is None:
            return torch.exp(log_gain)
        if isinstance(self.gain_smoother, Ballistics):
            at_rest = 0.0 if self.gain_smooth_in_log else 1.0
            # A gain attacks when it falls, hence the exchange of attack and release.
            smooth = partial(self.gain_smoother, z_alpha=z_alpha.flip(-1), initial=at_rest)
        else:
            smooth = partial(self.gain_smoother.smooth, z_alpha=z_alpha)
        return smooth(log_gain).exp() if self.gain_smooth_in_log else smooth(log_gain.exp())


class Compressor(DynamicRangeProcessor):
    r"""Feed-forward compressor: reduces what is louder than a threshold.

    With e the energy of a sample, averaged over channels and smoothed, the level is G = ln(e + 10⁻⁵), the
    threshold T = ``log_threshold`` − 6, the ratio R = 1 + exp(``log_ratio``) and W = exp(``log_knee``). The output is
    exp(g)·u with

    .. math::
        g = \left(\tfrac{1}{R} - 1\right) \cdot \begin{cases}
            \max(0, G - T) & \text{hard} \\
            \text{the same, with a parabola for } |G - T| \le W/2 & \text{quadratic} \\
            \ln\left(1 + e^{W (G - T)}\right) / W & \text{exponential}
        \end{cases}

    G and T are logarithms of energies, whereas g is one of an amplitude: above the threshold, the level in decibels
    rises by 2/R − 1 for each decibel of the input.

    Raw parameters: ``log_threshold``, ``log_ratio``, ``log_knee`` (not with a hard knee): 1 each, natural logarithms of
    energies and ratios. ``z_alpha_pre``, ``z_alpha_post``: logits of the smoothing coefficients of energy and gain,
    where those are smoothed; 1 for ``"iir"``, 2 (attack, release) for ``"ballistics"``.

    Args:
        energy_smoother: ``"iir"`` (:class:`TruncatedOnePoleIIRFilter`), ``"ballistics"`` (:class:`Ballistics`)
            or None.
        gain_smoother: the same choice for the gain. Ballistics start from a gain of 1 and attack when it falls;
            the IIR filter starts from 0, unless it smooths in the logarithm.
        gain_smooth_in_log: smooth the log gain in place of the gain.
        knee: ``"hard"``, ``"quadratic"`` or ``"exponential"``.
        iir_len: length of the impulse response of the IIR smoothers.
        flashfftconv: accepted and without effect, as there is no convolution.
        max_input_len: accepted and without effect.
        **controls: options of :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: an option has no such value.

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012. S. Lee et al., "Searching for music mixing graphs: a pruning approach",
        DAFx 2024.
    """

    ranges = COMPRESSOR_RANGES

    def log_gain(self, level: Tensor, threshold: Tensor, log_ratio: Tensor, log_knee: Tensor | None) -> Tensor:
        # 1/R - 1 without cancellation
        return self._curve(level, threshold, -torch.sigmoid(log_ratio), log_knee)


class NoiseGate(DynamicRangeProcessor):
    r"""Downward expander: reduces what is softer than a threshold.

    Level, threshold, ratio and knee are those of :class:`Compressor`, whose curve it mirrors:

    .. math::
        g = (1 - R) \cdot \begin{cases}
            \max(0, T - G) & \text{hard} \\
            \text{the same, with a parabola for } |G - T| \le W/2 & \text{quadratic} \\
            \ln\left(1 + e^{W (T - G)}\right) / W & \text{exponential}
        \end{cases}

    Raw parameters, options, errors and sources are those of :class:`Compressor`.
    """

    ranges = GATE_RANGES

    def log_gain(self, level: Tensor, threshold: Tensor, log_ratio: Tensor, log_knee: Tensor | None) -> Tensor:
        return self._curve(-level, -threshold, -safe_exp(log_ratio), log_knee)


def _smoother(option: str, kind: Smoother, iir_len: int) -> TruncatedOnePoleIIRFilter | Ballistics | None:
    _check_option(option, kind, ("iir", "ballistics", None))
    if kind is None:
        return None
    return TruncatedOnePoleIIRFilter(iir_len) if kind == "iir" else Ballistics()


def _check_option(option: str, value: object, choices: tuple) -> None:
    if value not in choices:
        raise ParameterError(f"{option} must be one of {', '.join(map(repr, choices))}, not {value!r}.")
