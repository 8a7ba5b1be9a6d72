"""Compiled kernels of :mod:`.quantize` for the CPU: one pass over memory."""

import numpy as np
from torch import Tensor

from ..backends.numba_rows import kernel, run_rows
from ..operators import empty


def quantize(x: Tensor, step: Tensor) -> Tensor:
    y = empty(x)
    run_rows(quantize_rows, y, x, step)
    return y


def hold(x: Tensor, ticks: Tensor, phases: Tensor, held: Tensor, turn: int) -> Tensor:
    y = empty(x)
    run_rows(hold_rows, y, x, ticks, phases, held, turn)
    return y


@kernel
def quantize_rows(start, stop, ys, xs, steps):
    half = ys.dtype.type(0.5)
    for row in range(start, stop):
        x, y, step = xs[row], ys[row], steps[row, 0]
        for n in range(y.size):
            y[n] = step * np.floor(x[n] / step + half)


@kernel
def hold_rows(start, stop, ys, xs, ticks, phases, helds, turn):
    """Take a sample whenever the phase has begun a new turn."""
    for row in range(start, stop):
        tick, phase, held = ticks[row, 0], phases[row, 0], helds[row, 0]
        for n in range(ys.shape[1]):
            if phase < tick:
                held = xs[row, n]
            ys[row, n] = held
            phase += tick
            if phase >= turn:
                phase -= turn
