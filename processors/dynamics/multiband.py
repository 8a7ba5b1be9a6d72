"""Dynamic range processors in frequency bands."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from ..container.multiband import MultiBand
from ..controls import ParamRange
from .base import DynamicRangeProcessor, Knee
from .compressor import COMPRESSOR_RANGES, Compressor, NoiseGate
from .desk import Expander
from .limiter import Limiter

DeskSmoother = Literal["ballistics", "iir"]
CrossoverOrder = Literal[2, 4, 8]
BAND_RANGES = {
    **COMPRESSOR_RANGES,
    "attack_ms": (1, 500, 5.0),
    "release_ms": (10, 2000, 50.0),
    "makeup_db": (-24, 24, 0.0),
}


class BandCompressor(Compressor):
    """Compressor of a single band, with its ranges."""

    ranges = BAND_RANGES


class BandExpander(Expander):
    """Expander of a single band, with its ranges."""

    ranges = BAND_RANGES


class _InBands(MultiBand):
    """Base class of dynamic range processors in bands, with the options of a mixing desk."""

    single: Callable[..., DynamicRangeProcessor]

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        num_bands: int = 3,
        knee_type: Knee = "quadratic",
        smooth_type: DeskSmoother = "ballistics",
        crossover_order: CrossoverOrder = 4,
    ) -> None:
        processor = self.single(sample_rate=sample_rate, knee_type=knee_type, smooth_type=smooth_type)
        super().__init__(processor, num_bands, sample_rate, param_range, crossover_order)


class _HardKneedInBands(_InBands):
    """Base class with a hard knee by default."""

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        num_bands: int = 3,
        knee_type: Knee = "hard",
        smooth_type: DeskSmoother = "ballistics",
        crossover_order: CrossoverOrder = 4,
    ) -> None:
        super().__init__(sample_rate, param_range, num_bands, knee_type, smooth_type, crossover_order)


class MultiBandCompressor(_InBands):
    r"""Compressor in each of K frequency bands: :class:`MultiBand` of :class:`Compressor`.

    .. math:: y = \sum_{k=0}^{K-1} f_k(b_k)

    with the bands b of a :class:`LinkwitzRileyCrossover` and a compressor f for each.

    Controls of each band k are ``band{k}_threshold_db``, ``band{k}_ratio``, ``band{k}_knee_db``, ``band{k}_attack_ms``,
    ``band{k}_release_ms`` and ``band{k}_makeup_db``. With the crossovers ``crossover{i}_freq``, there are 6 K + K − 1.

    Raw parameters:
        band0: those of the compressor for the lowest band; likewise ``band1`` and so on.
        log_freq ``(B, K - 1)``: those of :class:`LinkwitzRileyCrossover`.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        num_bands: K, at least 2.
        knee_type: ``"hard"``, ``"quadratic"`` or ``"exponential"``.
        smooth_type: ``"ballistics"``, or ``"iir"`` with ``band{k}_smoothing_ms`` in place of attack and release.
        crossover_order: 2, 4 or 8, see :class:`LinkwitzRileyCrossover`.

    Raises:
        ParameterError: An unsupported option value, or fewer than two bands.
    """

    single = staticmethod(partial(BandCompressor, style="desk"))


class MultiBandLimiter(_HardKneedInBands):
    r"""Limiter in each of K frequency bands: :class:`MultiBand` of :class:`Limiter`.

    .. math:: y = \sum_{k=0}^{K-1} f_k(b_k)

    with the bands b of a :class:`LinkwitzRileyCrossover` and a limiter f for each.

    The sum of bands that stay below a threshold may exceed it.

    Controls of each band k are ``band{k}_threshold_db``, ``band{k}_ratio``, ``band{k}_knee_db``, ``band{k}_attack_ms``,
    ``band{k}_release_ms`` and ``band{k}_makeup_db``. With the crossovers ``crossover{i}_freq``, there are 6 K + K − 1.

    Raw parameters, options and errors are those of :class:`MultiBandCompressor`, but the knee is hard by default.
    """

    single = Limiter


class MultiBandExpander(_InBands):
    r"""Expander in each of K frequency bands: :class:`MultiBand` of :class:`Expander`.

    .. math:: y = \sum_{k=0}^{K-1} f_k(b_k)

    with the bands b of a :class:`LinkwitzRileyCrossover` and a expander f for each.

    Controls, raw parameters, options and errors are those of :class:`MultiBandCompressor`.
    """

    single = BandExpander


class MultiBandNoiseGate(_HardKneedInBands):
    r"""Noise gate in each of K frequency bands: :class:`MultiBand` of :class:`NoiseGate`.

    .. math:: y = \sum_{k=0}^{K-1} f_k(b_k)

    with the bands b of a :class:`LinkwitzRileyCrossover` and a gate f for each.

    Controls of each band k are ``band{k}_threshold_db``, ``band{k}_range_db``, ``band{k}_knee_db``,
    ``band{k}_attack_ms`` and ``band{k}_release_ms``. With the crossovers ``crossover{i}_freq``, there are 5 K + K − 1.

    Raw parameters, options and errors are those of :class:`MultiBandCompressor`, but the knee is ``"hard"`` by default,
    or ``"quadratic"``.
    """

    single = staticmethod(partial(NoiseGate, style="desk"))
