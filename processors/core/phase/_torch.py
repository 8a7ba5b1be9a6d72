"""The operators of :mod:`.phase` in plain torch, for every device without compiled kernels."""

import torch
from torch import Tensor

from ..precision import wide

BITS = 53  # phases are counted in units of 2⁻⁵³ cycles
UNUSED = 64 - BITS


def phase(
    frequency: Tensor, modulation: Tensor, offset: Tensor, initial: Tensor, sample_rate: float, num_samples: int
) -> tuple[Tensor, Tensor]:
    start = _units(initial)[:, None]
    if modulation.shape[1]:
        steps = _units((frequency[:, None] + wide(modulation)) / sample_rate)
        units = torch.cat([start, start + steps.cumsum(1)], 1)
    else:
        steps = _units(frequency / sample_rate)[:, None]
        units = start + steps * torch.arange(num_samples + 1, device=offset.device)
    turned = _cycles(units[:, :num_samples]) + offset
    return (turned - turned.round()).to(offset.dtype), _cycles(units[:, num_samples].clone())


def phase_backward(
    grad: Tensor, grad_final: Tensor, modulation: Tensor, sample_rate: float
) -> tuple[Tensor, Tensor, Tensor]:
    grad = wide(grad)
    later = torch.cat([grad, grad_final[:, None]], 1).flip(1).cumsum(1).flip(1)
    by_step = later[:, 1:] / sample_rate
    by_modulation = by_step[:, : modulation.shape[1]].to(modulation.dtype, copy=True)
    return by_step.sum(1), by_modulation, later[:, 0].contiguous()


def _units(cycles: Tensor) -> Tensor:
    """Convert a part of a cycle to an integer."""
    return ((cycles - cycles.round()) * 2**BITS).round().long()


def _cycles(units: Tensor) -> Tensor:
    """Convert back from an integer, ignoring the bits of whole cycles."""
    return wide((units << UNUSED) >> UNUSED) * 2.0**-BITS
