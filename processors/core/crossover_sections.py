"""Crossovers as recursive filters, with learnable frequencies.

:mod:`.crossover_responses` has frequency responses of such networks, for filtering by Fourier transforms.
"""

import math

import torch
from torch import Tensor

from . import butterworth
from .precision import wide


def crossover_sections(frequencies: Tensor, sample_rate: float, order: int = 4) -> Tensor:
    r"""Design the biquads of the bands of a Linkwitz–Riley crossover network.

    With Butterworth filters :math:`B_{l,j}`, :math:`B_{h,j}` of half the order, N, at each frequency, with −3 dB
    there,

    .. math:: H_k = \Big(\prod_{j < k} (-1)^N B_{h,j}^2\Big)\, B_{l,k}^2\, \prod_{j > k} A_j, \quad
        A_j = B_{l,j}^2 + (-1)^N B_{h,j}^2

    where :math:`A_j` is an allpass filter of order N. So all bands stay in phase, and sum to :math:`\prod_j A_j`, for
    any order of the frequencies. For odd N, the upper side is inverted.

    Args:
        frequencies: K − 1 crossovers ``(…, K − 1)`` in Hz, between 0 and half the sample rate.
        sample_rate: In Hz.
        order: 2 N, an even number; the slopes are 6 dB per octave times the order.

    Returns:
        Sections ``(…, K, N (K − 1), 6)`` of each band, for :func:`~grafx.processors.core.biquad.biquad_cascade`.

    References:
        Linkwitz, "Active crossover networks for noncoincident drivers", JAES 24(1), 1976; the allpass filters,
        D'Appolito, "Active realization of multiway all-pass crossover systems", JAES 35(4), 1987.
    """
    w0, half = wide(frequencies) * (2 * math.pi / sample_rate), order // 2
    low, high = (_twice(*side(w0, half), half) for side in (butterworth.low_pass, butterworth.high_pass))
    if half % 2:
        high = torch.cat([high[..., :-1, :], high[..., -1:, :] * high.new_tensor([-1, -1, -1, 1, 1, 1])], -2)
    through = torch.cat(butterworth.all_pass(w0, half), -1)
    nothing = w0.new_tensor([1, 0, 0, 1, 0, 0]).expand(*through.shape[:-2], half - through.shape[-2], 6)
    stages = torch.stack([low, high, torch.cat([through, nothing], -2)], -3)  # (…, K - 1, 3, N, 6)
    crossover = torch.arange(w0.shape[-1], device=w0.device)
    band = torch.arange(w0.shape[-1] + 1, device=w0.device)[:, None]
    kind = torch.where(band == crossover, 0, torch.where(band > crossover, 1, 2))
    return stages[..., crossover, kind, :, :].flatten(-3, -2)


def _twice(b: Tensor, a: Tensor, order: int) -> Tensor:
    """Make N sections: a filter of order N cascaded twice, whose first-order sections are merged."""
    pairs = order // 2
    second = torch.cat([b[..., :pairs, :], a[..., :pairs, :]], -1).repeat_interleave(2, -2)
    if order % 2 == 0:
        return second
    return torch.cat([second, torch.cat([_square(c[..., -1:, :]) for c in (b, a)], -1)], -2)


def _square(c: Tensor) -> Tensor:
    """Compute (c₀ + c₁/z)²."""
    c0, c1, _ = c.unbind(-1)
    return torch.stack([c0 * c0, 2 * c0 * c1, c1 * c1], -1)
