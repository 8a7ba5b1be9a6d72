"""Crossovers as recursive filters, whose frequencies are learned.

:mod:`.crossover` has the responses of such networks for signals that are filtered by Fourier transforms.
"""

import math

import torch
from torch import Tensor

from .cookbook import all_pass, high_pass, low_pass
from .precision import wide


def crossover_sections(frequencies: Tensor, sample_rate: float) -> Tensor:
    r"""Biquads of the bands of a fourth-order Linkwitz–Riley crossover network.

    With second-order Butterworth filters :math:`B_{l,j}`, :math:`B_{h,j}` at each frequency, which are 3 dB down there,

    .. math:: H_k = \Big(\prod_{j < k} B_{h,j}^2\Big)\, B_{l,k}^2\, \prod_{j > k} A_j, \quad
        A_j = B_{l,j}^2 + B_{h,j}^2

    where :math:`A_j` is an allpass filter of second order. So all bands stay in phase, and sum to :math:`\prod_j A_j`,
    whatever the order of the frequencies.

    Args:
        frequencies: K − 1 crossovers ``(…, K − 1)`` in Hz, between 0 and half the sample rate.
        sample_rate: in Hz.

    Returns:
        Sections ``(…, K, 2 (K − 1), 6)`` of each band, for :func:`~grafx.processors.core.biquad.biquad_cascade`.

    Source: Linkwitz, "Active crossover networks for noncoincident drivers", JAES 24(1), 1976; the allpass filters,
    D'Appolito, "Active realization of multiway all-pass crossover systems", JAES 35(4), 1987.
    """
    w0 = wide(frequencies) * (2 * math.pi / sample_rate)
    q_inv = torch.full_like(w0, math.sqrt(2))
    low, high, through = (torch.cat(kind(w0, q_inv), -1) for kind in (low_pass, high_pass, all_pass))
    nothing = w0.new_tensor([1, 0, 0, 1, 0, 0]).expand_as(through)
    stages = torch.stack([low, high, through, nothing], -2)  # (…, K - 1, 4, 6)
    crossover = torch.arange(w0.shape[-1], device=w0.device)
    band = torch.arange(w0.shape[-1] + 1, device=w0.device)[:, None]
    first = torch.where(band == crossover, 0, torch.where(band > crossover, 1, 2))
    second = torch.where(band < crossover, 3, first)
    return stages[..., crossover[:, None], torch.stack([first, second], -1), :].flatten(-3, -2)
