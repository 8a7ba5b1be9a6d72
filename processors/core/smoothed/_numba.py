"""Compiled kernels of :mod:`.smoothed` for the CPU."""

import math

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import kernel


def smooth(u: Tensor, y: Tensor, *rest: Tensor | int) -> None:
    *rows, place, taps, begin, end = rest
    signals = (_flat(part) for part in (u, y, *rows[:2]))
    smooth_rows(*signals, *(_vector(part) for part in rows[2:]), place, taps, begin, end)


def follow_ramp(x: Tensor, energy: Tensor, floor: float, side: int, numbers: Tensor) -> Tensor:
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    follow_rows(x.detach().contiguous().numpy(), _flat(energy), floor, side, numbers.numpy(), y.numpy())
    return y


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy().reshape(-1, tensor.shape[-1])


def _vector(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy().reshape(-1)


@kernel
def smooth_rows(u, y, present, before, alpha, forgotten, last, last_after, place, taps, begin, end):
    """Write a part into the present window, and smooth it."""
    window = present.shape[1]
    for row in range(len(u)):
        a, left, state = alpha[row], forgotten[row], last[row]
        for i in range(begin, end):
            present[row, place + i - begin] = u[row, i]
        for i in range(begin, end):
            old = place + i - begin - taps
            past = present[row, old] if old >= 0 else before[row, window + old]
            state = a * state + (1 - a) * (np.float64(u[row, i]) - left * np.float64(past))
            y[row, i] = state
        last_after[row] = state


@kernel
def follow_rows(x, energy, floor, side, numbers, y):
    one = x.dtype.type(1)
    for row in range(len(x)):
        threshold, slope, width, makeup = numbers[row]
        for i in range(x.shape[2]):
            over = side * (math.log(energy[row, i] + floor * one) - threshold)
            if width > 0:
                t = over / width + one / 2
                c = min(max(t, 0 * one), one)
                k = (t - c / 2) * c * width
            else:
                k = max(over, 0 * one)
            gain = makeup * math.exp(slope * k)
            for channel in range(x.shape[1]):
                y[row, channel, i] = x[row, channel, i] * gain
