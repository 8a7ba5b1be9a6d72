"""Reproducible noise, equal on every device and in blocks of any sizes."""

import math

import numpy as np
import torch
from torch import Tensor

from ..backends.dispatch import kernels
from ..noise_bands import apply_linkwitz_riley as apply_linkwitz_riley  # where GRAFX has them
from ..noise_bands import get_filtered_noise as get_filtered_noise
from ..noise_bands import octave_band_filterbank as octave_band_filterbank
from ..operators import operator
from ..shapes import require, shaped

LARGEST_SEED = 2.0**53

# Poles of 1/√s, a ladder from above half the sample rate down to below the audible range.
TOP = 32.0
RATIO = 4.0
LOWEST = 10.0  # Hz
# Zeros and poles that convert |1 − 1/z|^(−1/2) to |ω|^(−1/2) up to 0.907 of half the sample rate, within 0.003 dB.
WARPED_ZEROS = -0.60550904, -0.16591055
WARPED_POLES = -0.58093740, -0.10205422


def white_noise(seed: Tensor, num_samples: int, num_channels: int = 1, start: int = 0) -> Tensor:
    r"""Generate independent numbers, uniform in −1 to 1.

    Each sample is a function of the seed, the channel and the time only: the output of the generator SplitMix64 after
    as many steps, from a hash of seed and channel. Its spectrum is white, its RMS :math:`1/\sqrt 3`, and the gradient
    of the seed is 0.

    Args:
        seed: ``(B,)``, rounded to integers within ±2⁵³.
        num_samples: L.
        num_channels: C, the number of independent channels.
        start: Time of the first sample, from 0 on.

    Returns:
        ``(B, C, L)``, of the type of ``seed``.

    References:
        Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    return _white_noise(seed, num_samples, num_channels, start)


def pink_filter(sample_rate: float) -> np.ndarray:
    r"""Design a pinking filter: the power density falls with 1/f, 3 dB per octave; the total power is preserved.

    For :math:`(1 - z^{-1})^{-1/2}`, a ladder of real poles and zeros two octaves apart, down to below 10 Hz; and two
    more for the difference between :math:`|1 - e^{-i\omega}|` and ω. From 20 Hz to 20 kHz, or 90 % of half the sample
    rate, the response is within 0.15 dB of a straight line.

    Args:
        sample_rate: In Hz.

    Returns:
        Sections ``(K, 6)`` as in ``scipy.signal``.

    References:
        Such ladders, Oustaloup et al., "Frequency-band complex noninteger differentiator", IEEE Trans. Circuits and
        Systems I 47(1), 2000.
    """
    rungs = TOP * RATIO ** -np.arange(math.ceil(math.log(TOP * sample_rate / (2 * math.pi * LOWEST), RATIO)) + 1.0)
    poles = np.concatenate([1 / (1 + rungs), WARPED_POLES])
    zeros = np.concatenate([1 / (1 + rungs * math.sqrt(RATIO)), WARPED_ZEROS])
    if len(poles) % 2:
        poles, zeros = np.append(poles, 0), np.append(zeros, 0)
    order = np.argsort(poles)
    sections = np.array(
        [
            [1, -sum(zeros[pair]), np.prod(zeros[pair]), 1, -sum(poles[pair]), np.prod(poles[pair])]
            for pair in order.reshape(-1, 2)
        ]
    )
    sections[0, :3] /= math.sqrt(_mean_power(poles, zeros))
    return sections


def _mean_power(poles: np.ndarray, zeros: np.ndarray) -> float:
    """Compute the mean of the squared magnitude over all frequencies."""
    log_w = np.linspace(math.log(1e-6), math.log(math.pi), 4001)
    z_inv = np.exp(-1j * np.exp(log_w))[:, None]
    power = np.prod(np.abs((1 - zeros * z_inv) / (1 - poles * z_inv)) ** 2, -1)
    return float(np.trapezoid(power * np.exp(log_w), log_w) / math.pi)


@operator("white_noise")
@shaped(seed="R")
def _white_noise(seed: Tensor, num_samples: int, num_channels: int, start: int) -> Tensor:
    require(
        num_samples >= 0 and num_channels >= 0, f"There cannot be {num_channels} channels of {num_samples} samples."
    )
    module = kernels("noise", seed)
    keys = module.keys(seed.clamp(-LARGEST_SEED, LARGEST_SEED).round().long(), num_channels)
    return module.uniform(keys, num_samples, start, seed.dtype)


_white_noise.register_fake(
    lambda seed, num_samples, num_channels, start: seed.new_empty(*seed.shape, num_channels, num_samples)
)
_white_noise.register_autograd(
    lambda ctx, grad: (torch.zeros_like(*ctx.saved_tensors), None, None, None),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(inputs[0]),
)
