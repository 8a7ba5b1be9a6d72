"""Maps between raw parameters, which are unconstrained reals, and what they stand for."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

NEPER = 20 / math.log(10)
"""Decibels of one natural logarithm of an amplitude."""

TO_SILENCE = 3 * math.log(10)
"""Natural logarithm of an amplitude of 60 dB."""

NEARLY = 1e-6
"""Of a number, by which maps in single precision miss a whole one at most."""

AT_MOST = 0.02
"""By which they miss one of those that matter."""

MARGIN = 0.01
"""Of a range, by which raw parameters reach beyond it."""


class Map(NamedTuple):
    """Two inverse functions of tensors of any shape, both differentiable."""

    to_raw: Callable[[Tensor], Tensor]
    to_physical: Callable[[Tensor], Tensor]


IDENTITY = Map(lambda value: value, lambda raw: raw)


def linear(factor: float, offset: float = 0.0) -> Map:
    """The value is ``factor`` · raw + ``offset``."""
    return Map(lambda value: (value - offset) / factor, lambda raw: raw * factor + offset)


AMPLITUDE_DB = linear(NEPER)
"""Decibels of an amplitude whose natural logarithm is the raw parameter."""


def exponential(factor: float = 1.0, offset: float = 0.0, floor: float = 1e-6) -> Map:
    """The value is ``factor`` · (exp(raw) − ``floor``) + ``offset``; ``offset`` itself has a finite raw value."""
    return Map(
        lambda value: torch.log((value - offset) / factor + floor),
        lambda raw: (raw.exp() - floor) * factor + offset,
    )


RECIPROCAL = Map(lambda value: -value.log(), lambda raw: torch.exp(-raw))
"""The value is 1 / exp(raw), as a quality factor is."""


def sigmoid(low: float, high: float) -> Map:
    """The value is ``low`` + (``high`` − ``low``) · σ(raw)."""
    return Map(
        lambda value: torch.logit((value - low) / (high - low)), lambda raw: low + (high - low) * torch.sigmoid(raw)
    )


def within(low: float, high: float) -> Map:
    """A sigmoid that reaches a little beyond both ends of a range, so that these have finite raw values."""
    margin = MARGIN * (high - low)
    return sigmoid(low - margin, high + margin)


def frequency(sample_rate: float) -> Map:
    """Hertz, where π · σ(raw) is the angle that a sinusoid turns by in each sample."""
    return sigmoid(0, sample_rate / 2)


def frequency_around(hertz: float, sample_rate: float) -> Map:
    """Hertz as of :func:`frequency`, but with a raw value of 0 at a frequency, which may be close to zero."""
    middle = logit_of(hertz, sample_rate)
    to_raw, to_physical = frequency(sample_rate)
    return Map(lambda value: to_raw(value) - middle, lambda raw: to_physical(raw + middle))


def logit_of(hertz: float, sample_rate: float) -> float:
    """The raw value of a frequency for :func:`frequency`."""
    return math.log(hertz / (sample_rate / 2 - hertz))


def hertz(sample_rate: float) -> tuple[float, float, float]:
    """Lowest, highest and default frequency of a filter, for :func:`frequency`."""
    return 20.0, min(20000.0, 0.49 * sample_rate), min(1000.0, 0.1 * sample_rate)


def spread_hertz(sample_rate: float, count: int) -> tuple[float, ...]:
    """Default frequencies of filters beside each other: in the middles of equal parts of a logarithmic scale."""
    low, high, _ = hertz(sample_rate)
    return tuple(low * (high / low) ** ((k + 0.5) / count) for k in range(count))


def default_hertz(sample_rate: float, count: int) -> float | tuple[float, ...]:
    """Default frequency of a filter, or of several in series, which are spread."""
    return hertz(sample_rate)[2] if count == 1 else spread_hertz(sample_rate, count)


def time_constant(sample_rate: float) -> Map:
    """Milliseconds that a smoother takes to 1 − 1/e, whose coefficient is α = σ(raw) = exp(−1 / (τ · sample rate))."""
    per_sample = 1000 / sample_rate
    # ln α and the logit of α without cancellation, as α is close to one.
    return Map(lambda ms: -torch.log(torch.expm1(per_sample / ms)), lambda raw: per_sample / F.softplus(-raw))


def inverse_softplus(value: Tensor) -> Tensor:
    """x of which ln(1 + exp(x)) is a positive value."""
    return value + torch.log(-torch.expm1(-value))


def reciprocal_softplus(numerator: float) -> Map:
    """The value is ``numerator`` / ln(1 + exp(raw)): a time of decay, where the raw parameter sets its rate."""
    return Map(lambda value: inverse_softplus(numerator / value), lambda raw: numerator / F.softplus(raw))


def softplus_db(divisor: float) -> Map:
    """Decibels of the amplitude ln(1 + exp(raw)) / ``divisor``."""
    return Map(
        lambda db: inverse_softplus(divisor * torch.exp(db / NEPER)),
        lambda raw: NEPER * torch.log(F.softplus(raw) / divisor),
    )


ENERGY_DB = linear(NEPER / 2)
"""Decibels of an energy whose natural logarithm is the raw parameter."""


def tanh(most: float) -> Map:
    """The value is ``most`` · tanh(raw)."""
    return Map(lambda value: torch.atanh(value / most), lambda raw: most * torch.tanh(raw))


TANH = Map(torch.atanh, torch.tanh)
"""Numbers between −1 and 1."""


def polar(radius: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Real and imaginary part of a complex number."""
    return radius * torch.cos(angle), radius * torch.sin(angle)


def whole_if_nearly(value: Tensor) -> Tensor:
    """Numbers, of which those that are whole but for rounding in a map are whole, with the gradient of the identity."""
    near = torch.round(value)
    return torch.where(
        (value - near).abs() <= (NEARLY * near.abs()).clamp(max=AT_MOST), value + (near - value).detach(), value
    )


RATIO = exponential(offset=1)
"""What is at least 1, such as ratios, from the logarithm of what it exceeds 1 by."""
