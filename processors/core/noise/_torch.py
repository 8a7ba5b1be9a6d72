"""The operators of :mod:`.noise` in plain torch, for every device without compiled kernels.

Torch has no arithmetic of unsigned 64-bit integers: sums and products of signed ones have the same bits, and shifts are
masked.
"""

import torch
from torch import Tensor

from ..precision import wide_dtype

STEP = 0x9E3779B97F4A7C15
FACTORS = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
SHIFTS = 30, 27, 31


def with_sign(bits: int) -> int:
    """Reinterpret an unsigned 64-bit integer as signed."""
    return bits - 2**64 if bits >= 2**63 else bits


def mixed(state: Tensor) -> Tensor:
    """Compute the output of SplitMix64 for a state."""
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        state = (state ^ _right(state, shift)) * with_sign(factor)
    return state ^ _right(state, SHIFTS[-1])


def keys(seed: Tensor, num_channels: int) -> Tensor:
    """Compute initial states far from each other, ``(B, channels)``."""
    channels = torch.arange(num_channels, device=seed.device)
    return mixed(mixed(seed + with_sign(STEP))[:, None] + channels)


def uniform(keys: Tensor, num_samples: int, start: int, dtype: torch.dtype) -> Tensor:
    steps = torch.arange(start + 1, start + num_samples + 1, device=keys.device) * with_sign(STEP)
    bits = mixed(keys.unsqueeze(-1) + steps) >> 11
    return (bits.to(wide_dtype(False, keys.device)) * 2.0**-52).to(dtype)


def _right(state: Tensor, shift: int) -> Tensor:
    return (state >> shift) & ((1 << (64 - shift)) - 1)
