r"""Running a nonlinearity at a multiple of the sample rate.

Each doubling of the rate has a half-band filter of linear phase, once to interpolate and once to decimate. Of its taps
every other one is zero but for the middle one, so half of the samples are those of the input, and the others a short
convolution. Only the first doubling needs a steep filter; those after it have room.

Source of the filters: Kaiser, "Nonrecursive digital filter design using the I₀-sinh window function", ISCAS 1974.
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

    The passband reaches to 0.45 of the sample rate. Images and aliases are 100 dB down, but for those that come from
    between 0.45 and 0.55 of the sample rate, which stay between them.

    Args:
        function: of signals ``(B, C, factor · L)``, which it does not make longer or shorter.
        x: ``(B, C, L)``.
        factor: 1, 2, 4 or 8.
        latency: by how many of its samples the function is late.
        stage: how often the rate has been doubled before.

    Returns:
        ``(B, C, L)``, late by :func:`oversampling_latency`.
    """
    if factor == 1:
        return function(x)
    inside = oversampling_latency(factor // 2, latency, stage + 1)
    y = oversampled(function, _interpolate(x, stage), factor // 2, latency, stage + 1)
    return _decimate(with_past(y, inside % 2)[..., : y.shape[-1]], stage)


def oversampling_latency(factor: int, latency: int = 0, stage: int = 0) -> int:
    """By how many samples :func:`oversampled` is late, given the same arguments."""
    if factor == 1:
        return latency
    inside = oversampling_latency(factor // 2, latency, stage + 1)
    return len(HALF_BANDS[stage]) - 1 + (inside + 1) // 2


def check_factor(factor: int) -> None:
    """Refuse what is no factor of oversampling.

    Raises:
        ParameterError: the message names the factors.
    """
    check_option("oversampling", factor, FACTORS)


def _half_band(stage: int) -> Tensor:
    """The 2K taps besides the middle one of 4K − 1, without the zeros: h[0], h[2], …; their sum is a half."""
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
    """The short convolution, and by how many samples the middle tap is late."""
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
