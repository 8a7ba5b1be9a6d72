"""Processors of the types that have usual names, where nobody gives others."""

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch.nn as nn

from .. import processors as library
from ..errors import GraphError
from ..processors import (
    Compressor,
    Limiter,
    MultitapDelay,
    NoiseGate,
    ParametricEqualizer,
    SideGainImager,
    StereoGain,
    STFTMaskedNoiseReverb,
    TanhDistortion,
    ZeroPhaseFIREqualizer,
)
from ..processors.base import Processor
from ..processors.dynamics.base import LOW_FLOOR, DynamicRangeProcessor

SAMPLE_RATE = 44100
"""Default sample rate in Hz for controls in Hz and ms. Raw parameters sound the same at any rate."""


def _sensitive(kind: type[DynamicRangeProcessor], **options: Any) -> DynamicRangeProcessor:
    processor = kind(**options)
    processor.floor = LOW_FLOOR
    return processor


_SMOOTH: dict[str, Any] = {"energy_smoother": "ballistics", "knee": "quadratic"}

USUAL: dict[str, Callable[..., nn.Module]] = {
    "eq": ZeroPhaseFIREqualizer,
    "compressor": partial(_sensitive, Compressor, **_SMOOTH),
    "noisegate": partial(_sensitive, NoiseGate, **_SMOOTH),
    "imager": SideGainImager,
    "gain": StereoGain,
    "delay": MultitapDelay,
    "reverb": partial(STFTMaskedNoiseReverb, carrier="freeverb"),
    "peq": ParametricEqualizer,
    "limiter": partial(_sensitive, Limiter),
    "saturation": TanhDistortion,
    "ducker": partial(_sensitive, Compressor, sidechain=True, **_SMOOTH),
}
"""Node type to what makes its processor, given a sample rate; classes of :mod:`grafx.processors` go by their names."""


def usual_processor(node_type: str, sample_rate: float = SAMPLE_RATE) -> nn.Module | None:
    """The processor that a type is by its name alone, if it is one."""
    if node_type in USUAL:
        return USUAL[node_type](sample_rate=sample_rate)
    try:
        return made_by_name(node_type, sample_rate) if is_class(node_type) else None
    except GraphError:
        return None


def is_class(name: Any) -> bool:
    """Whether a class of :mod:`grafx.processors` is called so."""
    kind = getattr(library, name, None) if isinstance(name, str) and name in library.__all__ else None
    return inspect.isclass(kind) and issubclass(kind, Processor)


def made_by_name(name: str, sample_rate: float) -> Processor:
    """Make a processor of a class of :mod:`grafx.processors`, with its defaults.

    Raises:
        GraphError: It cannot be made from its name alone.
    """
    kind = getattr(library, name)
    options = {"sample_rate": sample_rate} if "sample_rate" in inspect.signature(kind).parameters else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of styles, between which a name cannot choose
            return kind(**options)
    except TypeError as error:
        raise GraphError(
            f"'{name}' cannot be made from its name alone ({error}): give one by the argument 'processors'."
        ) from None
