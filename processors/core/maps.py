"""Maps between raw parameters, which are unconstrained reals, and physical values."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

NEPER = 20 / math.log(10)
"""Decibels per natural logarithm of an amplitude."""

TO_SILENCE = 3 * math.log(10)
"""Natural logarithm of an amplitude of 60 dB."""

NEARLY = 1e-6
"""Maximum relative error of an integer from a map in single precision."""

AT_MOST = 0.02
"""The same for integers that matter."""

MARGIN = 0.01
"""Part of a range by which raw parameters reach beyond it."""


class Map(NamedTuple):
    """A pair of inverse functions of tensors of any shape, both differentiable."""

    to_raw: Callable[[Tensor], Tensor]
    to_physical: Callable[[Tensor], Tensor]


IDENTITY = Map(lambda value: value, lambda raw: raw)


def linear(factor: float, offset: float = 0.0) -> Map:
    """Make the map ``factor`` · raw + ``offset``."""
    return Map(lambda value: (value - offset) / factor, lambda raw: raw * factor + offset)


AMPLITUDE_DB = linear(NEPER)
"""Decibels of an amplitude whose natural logarithm is the raw parameter."""


def exponential(factor: float = 1.0, offset: float = 0.0, floor: float = 1e-6) -> Map:
    """Make the map ``factor`` · (exp(raw) − ``floor``) + ``offset``; ``offset`` itself has a finite raw value."""
    return Map(
        lambda value: torch.log((value - offset) / factor + floor),
        lambda raw: (raw.exp() - floor) * factor + offset,
    )


RECIPROCAL = Map(lambda value: -value.log(), lambda raw: torch.exp(-raw))
"""The map 1 / exp(raw), for quality factors."""


def sigmoid(low: float, high: float) -> Map:
    """Make the map ``low`` + (``high`` − ``low``) · σ(raw)."""
    return Map(
        lambda value: torch.logit((value - low) / (high - low)), lambda raw: low + (high - low) * torch.sigmoid(raw)
    )


def within(low: float, high: float) -> Map:
    """Make a sigmoid that reaches slightly beyond both ends of a range, so that these have finite raw values."""
    margin = MARGIN * (high - low)
    return sigmoid(low - margin, high + margin)


def frequency(sample_rate: float) -> Map:
    """Make a map to Hz, where π · σ(raw) is the angular frequency per sample."""
    return sigmoid(0, sample_rate / 2)


def frequency_around(hertz: float, sample_rate: float) -> Map:
    """Make a map to Hz like :func:`frequency`, with a given frequency, possibly close to zero, at the raw value 0."""
    middle = logit_of(hertz, sample_rate)
    to_raw, to_physical = frequency(sample_rate)
    return Map(lambda value: to_raw(value) - middle, lambda raw: to_physical(raw + middle))


def logit_of(hertz: float, sample_rate: float) -> float:
    """Return the raw value of a frequency for :func:`frequency`."""
    return math.log(hertz / (sample_rate / 2 - hertz))


def hertz(sample_rate: float) -> tuple[float, float, float]:
    """Return lowest, highest and default frequency of a filter, for :func:`frequency`."""
    return 20.0, min(20000.0, 0.49 * sample_rate), min(1000.0, 0.1 * sample_rate)


def spread_hertz(sample_rate: float, count: int) -> tuple[float, ...]:
    """Return default frequencies of filters: the centres of equal parts of a logarithmic scale."""
    low, high, _ = hertz(sample_rate)
    return tuple(low * (high / low) ** ((k + 0.5) / count) for k in range(count))


def default_hertz(sample_rate: float, count: int) -> float | tuple[float, ...]:
    """Return the default frequency of a filter, or of several in series, which are spread."""
    return hertz(sample_rate)[2] if count == 1 else spread_hertz(sample_rate, count)


def time_constant(sample_rate: float) -> Map:
    """Make a map to the time constant in ms (to 1 − 1/e) of a smoother, α = σ(raw) = exp(−1 / (τ · sample rate))."""
    per_sample = 1000 / sample_rate
    # ln α and the logit of α without cancellation, since α is close to one.
    return Map(lambda ms: -torch.log(torch.expm1(per_sample / ms)), lambda raw: per_sample / F.softplus(-raw))


def inverse_softplus(value: Tensor) -> Tensor:
    """Compute the inverse of ln(1 + exp(x))."""
    return value + torch.log(-torch.expm1(-value))


def reciprocal_softplus(numerator: float) -> Map:
    """Make the map ``numerator`` / ln(1 + exp(raw)): a decay time, where the raw parameter sets its rate."""
    return Map(lambda value: inverse_softplus(numerator / value), lambda raw: numerator / F.softplus(raw))


def softplus_db(divisor: float) -> Map:
    """Make a map to the decibels of the amplitude ln(1 + exp(raw)) / ``divisor``."""
    return Map(
        lambda db: inverse_softplus(divisor * torch.exp(db / NEPER)),
        lambda raw: NEPER * torch.log(F.softplus(raw) / divisor),
    )


ENERGY_DB = linear(NEPER / 2)
"""Decibels of an energy whose natural logarithm is the raw parameter."""


def tanh(most: float) -> Map:
    """Make the map ``most`` · tanh(raw)."""
    return Map(lambda value: torch.atanh(value / most), lambda raw: most * torch.tanh(raw))


TANH = Map(torch.atanh, torch.tanh)
"""Numbers between −1 and 1."""


def polar(radius: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Convert a modulus and an angle to real and imaginary part."""
    return radius * torch.cos(angle), radius * torch.sin(angle)


def whole_if_nearly(value: Tensor) -> Tensor:
    """Round numbers that are integers up to the rounding of a map, with the gradient of the identity."""
    near = torch.round(value)
    return torch.where(
        (value - near).abs() <= (NEARLY * near.abs()).clamp(max=AT_MOST), value + (near - value).detach(), value
    )


RATIO = exponential(offset=1)
"""Values of at least 1, such as ratios, from the logarithm of their excess over 1."""
