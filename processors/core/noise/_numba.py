"""Compiled kernels of :mod:`.noise` for the CPU. Imported on first use, since numba is slow to load."""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import kernel, run_rows
from ._torch import FACTORS, SHIFTS, STEP, keys

__all__ = ["keys", "uniform"]
FIRST_SHIFT, SECOND_SHIFT, LAST_SHIFT = map(np.uint64, SHIFTS)
FIRST_FACTOR, SECOND_FACTOR = map(np.uint64, FACTORS)
GOLDEN = np.uint64(STEP)


def uniform(keys: Tensor, num_samples: int, start: int, dtype: torch.dtype) -> Tensor:
    noise = torch.empty(keys.numel(), num_samples, dtype=dtype)
    run_rows(uniform_rows, noise, keys.flatten(), start)
    return noise.reshape(*keys.shape, num_samples)


@kernel
def uniform_rows(first, last, noise, keys, start):
    for row in range(first, last):
        key = np.uint64(keys[row]) + np.uint64(start + 1) * GOLDEN
        for n in range(noise.shape[1]):
            bits = key + np.uint64(n) * GOLDEN
            bits = (bits ^ (bits >> FIRST_SHIFT)) * FIRST_FACTOR
            bits = (bits ^ (bits >> SECOND_SHIFT)) * SECOND_FACTOR
            bits ^= bits >> LAST_SHIFT
            noise[row, n] = np.float64(np.int64(bits) >> 11) * 2.0**-52
