"""Base classes of dynamic range processors: level, smoothing, static curve, gain."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache, partial
from math import log
from typing import Literal

import torch
from torch import Tensor

from ..arguments import bind
from ..base import Control, ParameterSize, Processor
from ..controls import ms
from ..core.bounds import clip, safe_exp, soft_bound
from ..core.envelope import Ballistics, TruncatedOnePoleIIRFilter
from ..core.followed import follow
from ..core.gain import apply_gain, mean_square
from ..core.gain_curve import Curve, gain_of_energy
from ..core.maps import AMPLITUDE_DB, NEPER, RATIO, Map, exponential, linear, time_constant
from ..core.smoothed import Ramp, follow_ballistics, follow_ramp, follow_truncated, follows_at_once
from ..core.streaming import in_blocks, late, once, remember

Smoother = Literal["iir", "ballistics"] | None
Knee = Literal["hard", "quadratic", "exponential"]
Raw = Mapping[str, Tensor]
Ranges = Mapping[str, tuple[float, float, float]]

KNEES = ("hard", "quadratic", "exponential")
SMOOTHERS = ("iir", "ballistics", None)
NUM_COEFFICIENTS = {"iir": 1, "ballistics": 2}
TIMES = {"z_alpha": "", "z_alpha_pre": "", "z_alpha_post": "gain_"}
ORDER = ("log_threshold", "log_ratio", "log_range", "log_knee", *TIMES, "log_makeup")

# Lowest, highest and default values.
COMPRESSOR_RANGES = {
    "threshold_db": (-60, 0, -20.0),
    "ratio": (1, 20, 4.0),
    "knee_db": (0, 12, 6.0),
    "attack_ms": (0.1, 100, 5.0),
    "release_ms": (10, 1000, 50.0),
    "smoothing_ms": (0.1, 1000, 10.0),
    "makeup_db": (-12, 12, 0.0),
}
GATE_RANGES = {
    "threshold_db": (-90, -20, -40.0),
    "ratio": (1, 20, 4.0),
    "range_db": (-90, 0, -60.0),
    "knee_db": (0, 6, 3.0),
    "attack_ms": (0.1, 20, 1.0),
    "release_ms": (5, 1000, 50.0),
    "smoothing_ms": (0.1, 1000, 10.0),
    "makeup_db": (-12, 12, 0.0),
}

RAW_FLOOR = 1e-5  # -50 dB, as GRAFX has it
LOW_FLOOR = 1e-13  # -130 dB, below all thresholds that controls reach
THRESHOLD_OFFSET = -6.0
THRESHOLD_LIMIT = 1e6  # keeps products of a threshold and a slope or a width finite in float32
THRESHOLD = linear(NEPER / 2, THRESHOLD_OFFSET * NEPER / 2)
WIDTH = exponential(NEPER / 2)
SHARPNESS = linear(1.0, -log(NEPER / 2))
RAMPS = "hard", "quadratic"
FALLING = 1e6  # what a ratio counts as on a scale from 0 to 1 where levels fall above the threshold


def heard_compression(floor: float = 1e-6) -> Map:
    """Make the map of a ratio R with 1 + exp(raw) = 2R / (1 + R); the level rises by 1/R = 2 / (1 + exp(raw)) − 1.

    It is infinite at raw 0 (limited to 10⁶), and negative beyond: the level falls by −1/R.
    """

    def to_raw(ratio: Tensor) -> Tensor:
        return torch.log((ratio - 1) / (ratio + 1) + floor)

    def to_physical(raw: Tensor) -> Tensor:
        x = raw.clamp(max=30).exp() - floor
        rest = 1 - x
        return (1 + x) / torch.where(rest.abs() < 2 * floor, 2 * floor, rest)

    return Map(to_raw, to_physical)


HEARD_COMPRESSION = heard_compression()
HEARD_EXPANSION = exponential(2.0, offset=1)  # 1 + exp(raw) = (1 + R) / 2


class HeardRatio(Control):
    """Scale of a ratio that continues from infinity to negative ratios."""

    def to_norm(self, value: Tensor) -> Tensor:
        return super().to_norm(torch.where(value < 0, FALLING, value))


class KeyedGain(Processor):
    """Base class of processors with one gain for all channels, which follows the level of a signal: theirs or another.

    Args:
        sidechain: Whether a second inlet drives the gain.
        **controls: Options of :class:`~grafx.processors.base.Processor`.

    Attributes:
        inlets: ``("main",)``, or ``("main", "sidechain")``.
    """

    latency_samples = 0

    def __init__(self, sidechain: bool, **controls) -> None:
        super().__init__(**controls)
        self.inlets = ("main", "sidechain") if sidechain else ("main",)

    @abstractmethod
    def gain(self, key: Tensor, raw: Raw) -> Tensor:
        """Compute the linear gain ``(B, L)``, without makeup, from signals ``(B, C, L)`` that provide the level."""

    def forward(self, *inlet_signals: Tensor, **raw_parameters: Tensor) -> Tensor:
        """Process signals; one gain serves all channels.

        Args:
            inlet_signals: Of shape ``(B, C, L)``; with a sidechain, a second one ``(B, C', L)`` whose level drives the
                gain. Further positional arguments are raw parameters.
            raw_parameters: Of shape ``(B, 1)`` or ``(B, 2)``, see :meth:`parameter_size`.

        Returns:
            Signals in the shape of the first.

        Raises:
            ParameterError: A parameter is missing, or given although the options exclude it.
        """
        return self.follow(*bind(self, self.inlets, inlet_signals, raw_parameters))

    def follow(self, signals: Sequence[Tensor], raw: Raw) -> Tensor:
        """Apply the gain, and the makeup gain if there is one, to the first of the signals at the inlets."""
        if not torch.compiler.is_compiling() and (output := self._in_one_pass(signals, raw)) is not None:
            return output
        gain = self.gain(signals[-1], raw)
        if "log_makeup" in raw:
            gain = gain * safe_exp(raw["log_makeup"])
        return apply_gain(late(signals[0], self.latency_samples), gain)

    def _in_one_pass(self, signals: Sequence[Tensor], raw: Raw) -> Tensor | None:
        """Process signals at once where that is possible."""
        return None


class DynamicRangeProcessor(KeyedGain):
    """Base class of compressors and gates: level, smoothing, static curve, smoothing, gain.

    A subclass has lowest, highest and default values of its controls in ``ranges``, and defines its static curve by
    :meth:`static_curve`, or, if it is none of these, by :meth:`log_gain`.

    Args:
        energy_smoother: Smoother of the energy.
        gain_smoother: Smoother of the gain.
        gain_smooth_in_log: Smooth the log gain in place of the gain.
        knee: Knee of the static curve.
        iir_len: Length of the impulse response of IIR smoothers.
        floor: Energy added to that of the signal, since silence has no logarithm.
        curve: Raw parameters of the static curve.
        makeup: Whether there is a makeup gain, ``log_makeup``.
        sidechain, **controls: Options of :class:`KeyedGain`.
    """

    ranges: Ranges
    ratio_map: Map = RATIO
    detector = staticmethod(mean_square)
    mirrored = False  # acts below the threshold

    def __init__(
        self,
        energy_smoother: Smoother,
        gain_smoother: Smoother = None,
        gain_smooth_in_log: bool = False,
        knee: Knee = "quadratic",
        iir_len: int = 16384,
        *,
        floor: float = LOW_FLOOR,
        curve: tuple[str, ...] = ("log_threshold", "log_ratio", "log_knee"),
        makeup: bool = False,
        sidechain: bool = False,
        **controls,
    ) -> None:
        super().__init__(sidechain, **controls)
        self.knee: Knee = knee
        self.energy_smoother = make_smoother(energy_smoother, iir_len)
        self.gain_smoother = make_smoother(gain_smoother, iir_len)
        self.gain_smooth_in_log = gain_smooth_in_log
        self.floor = floor
        self._size: ParameterSize = dict.fromkeys(curve, 1)
        if energy_smoother is not None:
            self._size["z_alpha_pre"] = NUM_COEFFICIENTS[energy_smoother]
        if gain_smoother is not None:
            self._size["z_alpha_post"] = NUM_COEFFICIENTS[gain_smoother]
        if makeup:
            self._size["log_makeup"] = 1

    def parameter_size(self) -> ParameterSize:
        return dict(self._size)

    def declare_controls(self) -> list[Control]:
        size = self.parameter_size()
        return [control for raw in ORDER if raw in size for control in self._controls_of(raw, size[raw])]

    def _controls_of(self, raw: str, number: int) -> list[Control]:
        if raw in TIMES:
            names, to = ("smoothing_ms",) if number == 1 else ("attack_ms", "release_ms"), time_constant
            return [
                ms(TIMES[raw] + name, *self.ranges[name], raw, index=index, map=to(self.sample_rate))
                for index, name in enumerate(names)
            ]
        name, unit, scale, to = {
            "log_threshold": ("threshold_db", "dB", "linear", THRESHOLD),
            "log_ratio": ("ratio", "", "log", self.ratio_map),
            "log_range": ("range_db", "dB", "linear", AMPLITUDE_DB),
            "log_knee": ("knee_db", "dB", "linear", SHARPNESS if self.knee == "exponential" else WIDTH),
            "log_makeup": ("makeup_db", "dB", "linear", AMPLITUDE_DB),
        }[raw]
        kind = HeardRatio if to is HEARD_COMPRESSION else Control
        return [kind(name, *self.ranges[name], raw, None, unit, scale, to)]

    def gain(self, key: Tensor, raw: Raw) -> Tensor:
        energy = self._energy(key, raw)
        if self.gain_smoother is None:
            return self.static_gain(energy, raw)
        return self._smooth_gain(self.log_gain(self.level(energy), threshold(raw), raw), raw["z_alpha_post"])

    def static_gain(self, energy: Tensor, raw: Raw) -> Tensor:
        """Compute the linear gain ``(B, L)`` of a smoothed energy ``(B, L)``."""
        if type(self).log_gain is not DynamicRangeProcessor.log_gain:
            return self.log_gain(self.level(energy), threshold(raw), raw).exp()
        return gain_of_energy(energy, self.floor, threshold(raw), self.static_curve(raw))

    def _energy(self, key: Tensor, raw: Raw) -> Tensor:
        energy = self.detector(key)
        return energy if self.energy_smoother is None else self.energy_smoother(energy, raw["z_alpha_pre"])

    def _in_one_pass(self, signals: Sequence[Tensor], raw: Raw) -> Tensor | None:
        if self.gain_smoother is not None or self.latency_samples or self.knee == "exponential":
            return None
        if not _is_told_by_curve(type(self)):
            return None
        x, key, smoother = signals[0], signals[-1], self.energy_smoother
        own = self.detector is not mean_square or type(self)._energy is not DynamicRangeProcessor._energy
        known = type(smoother) in (TruncatedOnePoleIIRFilter, Ballistics)
        at_once = known and not own and follows_at_once(x, key)
        if in_blocks():
            return self._block_in_one_pass(x, key, raw, at_once)
        if not at_once or (numbers := self._numbers(raw)) is None:
            return None
        taps = None if isinstance(smoother, Ballistics) else smoother.iir_len
        return follow(x, key, self._ramp(numbers), smoother.alpha(raw["z_alpha_pre"]), taps)

    def _block_in_one_pass(self, x: Tensor, key: Tensor, raw: Raw, at_once: bool) -> Tensor | None:
        values = {name: value for name, value in raw.items() if name not in TIMES}
        numbers = once(lambda *tensors: self._numbers(dict(zip(values, tensors, strict=True))), *values.values())
        if numbers is None or torch.is_grad_enabled() or x.device.type != "cpu":
            return None
        ramp, smoother = self._ramp(numbers), self.energy_smoother
        if not at_once:
            return follow_ramp(x, self._energy(key, raw), ramp)
        coefficients = once(smoother.coefficients, raw["z_alpha_pre"])
        if isinstance(smoother, Ballistics):
            return remember(partial(follow_ballistics, x, key, ramp, coefficients), "last output")
        return remember(partial(follow_truncated, x, key, ramp, coefficients, smoother.iir_len), "smoothed")

    def _ramp(self, numbers: Tensor) -> Ramp:
        return Ramp(self.floor, -1 if self.mirrored else 1, numbers)

    def _numbers(self, raw: Raw) -> Tensor | None:
        """Those of a :class:`~grafx.processors.core.smoothed.Ramp`; ``None`` for what is none."""
        knee, slope, width, _ = self.static_curve(raw)
        if knee not in RAMPS:
            return None
        width = torch.zeros_like(slope) if knee == "hard" or width is None else width
        makeup = soft_bound(raw["log_makeup"]) if "log_makeup" in raw else torch.zeros_like(slope)
        return torch.cat([threshold(raw), slope, width, makeup], -1).double()

    def level(self, energy: Tensor) -> Tensor:
        """Compute ln of an energy above the floor."""
        return torch.log(energy + self.floor)

    def static_curve(self, raw: Raw) -> Curve:
        """Return the static curve, from the level to the gain of amplitudes."""
        raise NotImplementedError

    def log_gain(self, level: Tensor, threshold: Tensor, raw: Raw) -> Tensor:
        """Compute the log gain of amplitudes ``(B, L)`` from the level ``(B, L)``, ln of energies."""
        return self.static_curve(raw).log_gain(level, threshold)

    def curve(self, slope: Tensor, raw: Raw) -> Curve:
        """Return a ramp of this slope above the threshold, or below it, with the chosen knee."""
        width = raw.get("log_knee")
        return Curve(self.knee, slope, width if self.knee == "hard" else safe_exp(raw["log_knee"]), self.mirrored)

    def _smooth_gain(self, log_gain: Tensor, z_alpha: Tensor) -> Tensor:
        if isinstance(self.gain_smoother, Ballistics):
            at_rest = 0.0 if self.gain_smooth_in_log else 1.0
            # A gain attacks when it falls, hence the exchange of attack and release.
            smooth = partial(self.gain_smoother, z_alpha=z_alpha.flip(-1), initial=at_rest)
        else:
            smooth = partial(self.gain_smoother.smooth, z_alpha=z_alpha)
        return smooth(log_gain).exp() if self.gain_smooth_in_log else smooth(log_gain.exp())


@cache
def _is_told_by_curve(cls: type[DynamicRangeProcessor]) -> bool:
    """Whether each class that has changed a step of the gain says what the static curve is, and one does."""
    steps = {"forward", "gain", "static_gain", "level", "log_gain", "curve", "_smooth_gain", "static_curve"}
    own = cls.__mro__[: cls.__mro__.index(DynamicRangeProcessor)]
    changed = [base for base in own if steps & vars(base).keys()]
    return bool(changed) and all("static_curve" in vars(base) for base in changed)


def threshold(raw: Raw) -> Tensor:
    """Compute T ``(B, 1)``, ln of an energy."""
    return clip(raw["log_threshold"] + THRESHOLD_OFFSET, -THRESHOLD_LIMIT, THRESHOLD_LIMIT)


def compression(raw: Raw) -> Tensor:
    """Compute 1/R − 1 of shape ``(B, 1)``, without cancellation."""
    return -torch.sigmoid(raw["log_ratio"])


def make_smoother(kind: Smoother, iir_len: int) -> TruncatedOnePoleIIRFilter | Ballistics | None:
    """Make a smoother by its name."""
    if kind is None:
        return None
    return TruncatedOnePoleIIRFilter(iir_len) if kind == "iir" else Ballistics()
