r"""Oversampling of nonlinearities.

Each doubling of the rate uses a linear-phase half-band filter to interpolate and another to decimate. Every other tap
except the middle one is zero, so half of the samples are those of the input, and the others a short convolution. Only
the first doubling needs a steep filter.

References:
    Kaiser, "Nonrecursive digital filter design using the I₀-sinh window function", ISCAS 1974.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..arguments import check_option
from .convolution import FIRConvolution
from .streaming import with_past

FACTORS = (1, 2, 4, 8)
PASSBAND = 0.45  # of the sample rate: 19.8 kHz at 44.1 kHz, where the images begin at 24.3 kHz
ATTENUATION = 100.0  # dB


def oversampled(
    function: Callable[[Tensor], Tensor], x: Tensor, factor: int, latency: int = 0, stage: int = 0
) -> Tensor:
    """Run a function at a higher sample rate, causally, on a whole signal or on a block.

    The passband extends to 0.45 of the sample rate. Images and aliases are 100 dB down, except those from between 0.45
    and 0.55 of the sample rate, which stay in this range.

    Args:
        function: Function of signals ``(B, C, factor · L)`` that keeps their length.
        x: ``(B, C, L)``.
        factor: 1, 2, 4 or 8.
        latency: Latency of the function in its samples.
        stage: Number of previous doublings.

    Returns:
        ``(B, C, L)``, late by :func:`oversampling_latency`.
    """
    if factor == 1:
        return function(x)
    inside = oversampling_latency(factor // 2, latency, stage + 1)
    y = oversampled(function, _interpolate(x, stage), factor // 2, latency, stage + 1)
    return _decimate(with_past(y, inside % 2)[..., : y.shape[-1]], stage)


def oversampling_latency(factor: int, latency: int = 0, stage: int = 0) -> int:
    """Return the latency of :func:`oversampled` with the same arguments, in samples."""
    if factor == 1:
        return latency
    inside = oversampling_latency(factor // 2, latency, stage + 1)
    return len(HALF_BANDS[stage]) - 1 + (inside + 1) // 2


def check_factor(factor: int) -> None:
    """Refuse an unsupported oversampling factor.

    Raises:
        ParameterError: The message names the factors.
    """
    check_option("oversampling", factor, FACTORS)


def _half_band(stage: int) -> Tensor:
    """Design 2K taps besides the middle one of 4K − 1, without the zeros: h[0], h[2], …; their sum is a half."""
    lower = 2**stage  # the rate before it is doubled
    width = (lower - 2 * PASSBAND) / (2 * lower)
    beta = 0.1102 * (ATTENUATION - 8.7)
    num_taps = math.ceil((ATTENUATION - 7.95) / (2.285 * 2 * math.pi * width) + 1)
    num_pairs = -(-(num_taps + 1) // 4) + 1  # Kaiser's estimate is short by a few dB where taps are few
    times = np.arange(1 - 2 * num_pairs, 2 * num_pairs)
    taps = torch.from_numpy((np.sinc(times / 2) * np.kaiser(len(times), beta))[::2].copy())
    return taps / (2 * taps.sum())


HALF_BANDS = tuple(_half_band(stage) for stage in range(len(FACTORS) - 1))


def _filtered(x: Tensor, stage: int, gain: float) -> tuple[Tensor, int]:
    """Run the short convolution, and return the delay of the middle tap."""
    h = gain * HALF_BANDS[stage].to(x)
    return FIRConvolution()(x, h[None, None]), len(h) // 2


def _delayed(x: Tensor, num_samples: int) -> Tensor:
    return with_past(x, num_samples)[..., : x.shape[-1]]


def _interpolate(x: Tensor, stage: int) -> Tensor:
    between, middle = _filtered(x, stage, 2.0)
    return torch.stack([between, _delayed(x, middle - 1)], -1).flatten(-2)


def _decimate(x: Tensor, stage: int) -> Tensor:
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    filtered, middle = _filtered(even, stage, 1.0)
    return filtered + 0.5 * _delayed(odd, middle)
