"""Dynamics as diffFx-pytorch has them: the names, constructors, attributes and calls of its nine classes.

Code that was written for it changes its import, and nothing else::

    from grafx.processors.desk import Compressor

    compressor = Compressor(44100, knee_type="quadratic")
    y = compressor(x, dsp_params={"threshold_db": -20.0, "ratio": 4.0, "attack_ms": 5.0})
    y = compressor.process(x, norm_params)

They compute what the classes of the same names in :mod:`grafx.processors` do, in the style of a mixing desk. Raw
parameters go by name.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from torch import Tensor

from . import dynamics
from .arguments import check_option
from .base import Processor
from .controls import Values
from .core.envelope import Ballistics, TruncatedOnePoleIIRFilter
from .dynamics.base import KNEES, SMOOTHERS, DynamicRangeProcessor, Knee
from .dynamics.multiband import BAND_RANGES

__all__ = [
    "Compressor",
    "EffectParam",
    "Expander",
    "Limiter",
    "MultiBandCompressor",
    "MultiBandExpander",
    "MultiBandLimiter",
    "MultiBandNoiseGate",
    "NoiseGate",
    "TransientShaper",
]

Follower = Literal["ballistics", "iir"]
Params = Mapping[str, Any]


class EffectParam(NamedTuple):
    """Range of a control: its lowest and its highest value."""

    min_val: float
    max_val: float


class _Face(Processor):
    """The calls that all nine classes have in common."""

    @property
    def params(self) -> dict[str, EffectParam]:
        """Control name to its range."""
        return {leaf.name: EffectParam(float(leaf.control.low), float(leaf.control.high)) for leaf in self.leaves()}

    def process(
        self, x: Tensor, norm_params: Params | Tensor | None = None, dsp_params: Params | None = None
    ) -> Tensor:
        """Process signals.

        Args:
            x: ``(batch, channels, samples)``.
            norm_params: numbers from 0 to 1: control name to ``(batch,)``, or all in one tensor
                ``(batch, count_num_parameters())``, in the order of ``params``.
            dsp_params: control name to a number, or to a tensor ``()`` or ``(batch,)``.

        Returns:
            Signals in the shape of ``x``.

        Raises:
            ParameterError: both views are given, or a control has a wrong name, value or batch size.
        """
        return self(x, norm_params, dsp_params)

    def __call__(
        self,
        x: Tensor,
        norm_params: Params | Tensor | None = None,
        dsp_params: Params | None = None,
        **raw_parameters: Tensor | Values,
    ) -> Tensor:
        return super().__call__(x, norm_params=norm_params, dsp_params=dsp_params, **raw_parameters)


class _Single(_Face, DynamicRangeProcessor):
    """A processor of all frequencies, with attack and release whatever follows the level."""

    knee_types: tuple[Knee, ...] = KNEES
    _style: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: Params | None = None,
        knee_type: Knee = "quadratic",
        smooth_type: Follower = "ballistics",
    ) -> None:
        check_option("knee_type", knee_type, self.knee_types)
        check_option("smooth_type", smooth_type, SMOOTHERS[:2])
        # With ballistics, there are an attack and a release.
        super().__init__(
            sample_rate=sample_rate,
            param_range=_pairs(param_range),
            knee_type=knee_type,
            smooth_type="ballistics",
            **self._style,
        )
        self.smoothing_type = smooth_type
        self.ballistics = Ballistics()
        self.iir_filter = _OneTime()
        self.energy_smoother = self.iir_filter if smooth_type == "iir" else self.ballistics

    @property
    def knee_type(self) -> Knee:
        """``"hard"``, ``"quadratic"`` or ``"exponential"``."""
        return self.knee


class _OneTime(TruncatedOnePoleIIRFilter):
    """A filter that has the time of the attack in both directions."""

    def forward(self, input_signals: Tensor, z_alpha: Tensor) -> Tensor:
        return super().forward(input_signals, z_alpha[..., :1])


class Compressor(_Single, dynamics.Compressor):
    """Compressor with six controls: :class:`grafx.processors.Compressor` in the style of a desk.

    Controls: ``threshold_db`` (−60 to 0 dB), ``ratio`` (1 to 20), ``knee_db`` (0 to 12 dB), ``attack_ms`` (0.1 to
    100 ms), ``release_ms`` (10 to 1000 ms), ``makeup_db`` (−12 to 12 dB). An ``"iir"`` follower has one time in both
    directions, ``attack_ms``; ``release_ms`` is accepted and without effect.

    Args:
        sample_rate: samples per second.
        param_range: control name to :class:`EffectParam`, or (lowest, highest), in place of the range above.
        knee_type: ``"hard"``, ``"quadratic"`` or ``"exponential"``.
        smooth_type: ``"ballistics"`` or ``"iir"``.

    Attributes:
        knee_type: as given.
        smoothing_type: ``smooth_type`` as given.
        ballistics: follower of attack and release.
        iir_filter: follower of one time.

    Raises:
        ParameterError: an option has no such value.
    """

    _style: ClassVar = {"style": "desk"}


class Limiter(_Single, dynamics.Limiter):
    """Peak limiter with a hard knee: :class:`grafx.processors.Limiter`.

    Controls: ``threshold_db`` (−60 to 0 dB), ``ratio`` (20 to 100), ``knee_db`` (0 to 1 dB; without effect unless the
    knee is another), ``attack_ms`` (0.1 to 1 ms), ``release_ms`` (5 to 500 ms), ``makeup_db`` (−12 to 12 dB).

    Args, attributes and errors are as of :class:`Compressor`.
    """

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: Params | None = None,
        knee_type: Knee = "hard",
        smooth_type: Follower = "ballistics",
    ) -> None:
        super().__init__(sample_rate, param_range, knee_type, smooth_type)


class Expander(_Single, dynamics.Expander):
    """Downward expander: :class:`grafx.processors.Expander`.

    Controls, args, attributes and errors are as of :class:`Compressor`.
    """


class NoiseGate(_Single, dynamics.NoiseGate):
    """Noise gate with five controls: :class:`grafx.processors.NoiseGate` in the style of a desk.

    Controls: ``threshold_db`` (−90 to −20 dB), ``range_db`` (−90 to 0 dB), ``knee_db`` (0 to 6 dB), ``attack_ms`` (0.1
    to 20 ms), ``release_ms`` (5 to 1000 ms).

    Args, attributes and errors are as of :class:`Compressor`, but the knee is ``"hard"`` or ``"quadratic"``.
    """

    knee_types = ("hard", "quadratic")
    _style: ClassVar = {"style": "desk"}

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: Params | None = None,
        knee_type: Knee = "hard",
        smooth_type: Follower = "ballistics",
    ) -> None:
        super().__init__(sample_rate, param_range, knee_type, smooth_type)


class TransientShaper(_Face, dynamics.TransientShaper):
    """Transient shaper: :class:`grafx.processors.TransientShaper`.

    Args:
        sample_rate: samples per second.
        param_range: control name to :class:`EffectParam`, or (lowest, highest), in place of the range it has otherwise.
    """

    def __init__(self, sample_rate: float = 44100, param_range: Params | None = None) -> None:
        super().__init__(sample_rate, _pairs(param_range))


class _BandCompressor(Compressor):
    """Compressor with ranges for a single band."""

    ranges = BAND_RANGES


class _BandExpander(Expander):
    """Expander with ranges for a single band."""

    ranges = BAND_RANGES


class _InBands(_Face):
    """A processor in each frequency band, with the attributes of those for all frequencies."""

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: Params | None = None,
        num_bands: int = 3,
        knee_type: Knee = "quadratic",
        smooth_type: Follower = "ballistics",
    ) -> None:
        options = {"num_bands": num_bands, "knee_type": knee_type, "smooth_type": smooth_type}
        super().__init__(sample_rate, _pairs(param_range), **options)
        self.num_bands = num_bands
        self.knee_type = knee_type
        self.smoothing_type = smooth_type


class _HardKneedInBands(_InBands):
    """The same, with a hard knee unless another is chosen."""

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: Params | None = None,
        num_bands: int = 3,
        knee_type: Knee = "hard",
        smooth_type: Follower = "ballistics",
    ) -> None:
        super().__init__(sample_rate, param_range, num_bands, knee_type, smooth_type)


class MultiBandCompressor(_InBands, dynamics.MultiBandCompressor):
    """Compressor in each of K frequency bands: :class:`grafx.processors.MultiBandCompressor`.

    Controls are ``band{k}_threshold_db`` (−60 to 0 dB), ``band{k}_ratio`` (1 to 20), ``band{k}_knee_db`` (0 to 12 dB),
    ``band{k}_attack_ms`` (1 to 500 ms), ``band{k}_release_ms`` (10 to 2000 ms) and ``band{k}_makeup_db`` (−24 to
    24 dB) of each band k, and ``crossover{i}_freq``: 6 K + K − 1.

    Args:
        sample_rate: samples per second.
        param_range: control name to :class:`EffectParam`, or (lowest, highest), in place of the range above.
        num_bands: K, at least 2.
        knee_type: ``"hard"``, ``"quadratic"`` or ``"exponential"``.
        smooth_type: ``"ballistics"`` or ``"iir"``.

    Attributes:
        num_bands, knee_type: as given.
        smoothing_type: ``smooth_type`` as given.

    Raises:
        ParameterError: an option has no such value, or there are fewer than two bands.
    """

    single = _BandCompressor


class MultiBandLimiter(_HardKneedInBands, dynamics.MultiBandLimiter):
    """Limiter in each of K frequency bands: :class:`grafx.processors.MultiBandLimiter`.

    Controls of each band are those of :class:`Limiter`. Args, attributes and errors are as of
    :class:`MultiBandCompressor`, but the knee is hard unless chosen.
    """

    single = Limiter


class MultiBandExpander(_InBands, dynamics.MultiBandExpander):
    """Expander in each of K frequency bands: :class:`grafx.processors.MultiBandExpander`.

    Controls, args, attributes and errors are as of :class:`MultiBandCompressor`.
    """

    single = _BandExpander


class MultiBandNoiseGate(_HardKneedInBands, dynamics.MultiBandNoiseGate):
    """Noise gate in each of K frequency bands: :class:`grafx.processors.MultiBandNoiseGate`.

    Controls of each band are those of :class:`NoiseGate`: 5 K + K − 1 in all. Args, attributes and errors are as of
    :class:`MultiBandCompressor`, but the knee is ``"hard"`` unless chosen, or ``"quadratic"``.
    """

    single = NoiseGate


def _pairs(param_range: Params | None) -> dict[str, tuple[float, float]] | None:
    """Ranges as pairs, whether they are pairs or have a ``min_val`` and a ``max_val``."""
    if param_range is None:
        return None
    return {
        name: (limits.min_val, limits.max_val) if hasattr(limits, "min_val") else limits
        for name, limits in param_range.items()
    }
