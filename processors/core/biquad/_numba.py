"""Compiled kernels of :mod:`.biquad` for the CPU. Imported on first use, since numba is slow to load.

Eight rows run side by side in the lanes of vectors. Each section processes a few samples at a time, so that the
processor can work on several sections while it waits for the recursion in one of them.
"""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_biquads import TURN, adjoint_turn, filter_turn
from ..backends.numba_rows import kernel, put_lanes, put_samples, run_rows, take_lanes, take_samples, tiny
from ..backends.numba_vectors import LANES
from ..operators import empty


def biquads(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    rows, length = x.shape
    y, final = empty(x), empty(state)
    checkpoints = torch.empty(rows, -(-length // chunk), *state.shape[1:], dtype=state.dtype)
    arguments = x, coefficients, state, chunk, tiny(x), y, final, checkpoints
    run_rows(biquad_rows, *arguments, work=state.shape[1], lanes=LANES)
    return y, final, checkpoints


def biquads_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    grads = empty(x), empty(coefficients), empty(grad_final)
    arguments = grad, grad_final, x, coefficients, checkpoints, chunk, tiny(x), *grads
    run_rows(biquad_backward_rows, *arguments, work=coefficients.shape[1], lanes=LANES)
    return grads


@kernel
def biquad_rows(start, stop, x, coefficients, state, chunk, tiny, y, final, checkpoints):
    length, sections = x.shape[1], state.shape[1]
    block = np.empty((chunk, LANES))
    c, s = np.empty((sections, 5, LANES)), np.empty((sections, 2, LANES))
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop) - 1
        take_lanes(coefficients, first, last, c)
        take_lanes(state, first, last, s)
        for begin in range(0, length, chunk):
            end = min(begin + chunk, length)
            put_lanes(s, first, last, checkpoints[:, begin // chunk])
            take_samples(x, first, last, begin, end, block)
            for n in range(0, end - begin, TURN):
                for k in range(sections):
                    filter_turn(block, n, min(n + TURN, end - begin), c[k], s[k], tiny, block)
            put_samples(block, first, last, begin, end, y)
        put_lanes(s, first, last, final)


@kernel
def biquad_backward_rows(
    start,
    stop,
    grad,
    grad_final,
    x,
    coefficients,
    checkpoints,
    chunk,
    tiny,
    grad_x,
    grad_coefficients,
    grad_state,
):
    length, sections = x.shape[1], coefficients.shape[1]
    g, signals = np.empty((chunk, LANES)), np.empty((sections + 1, chunk, LANES))
    c, grad_c = np.empty((sections, 5, LANES)), np.empty((sections, 5, LANES))
    s, q = np.empty((sections, 2, LANES)), np.empty((sections, 2, LANES))
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop) - 1
        take_lanes(coefficients, first, last, c)
        take_lanes(grad_final, first, last, q)
        grad_c[:] = 0.0
        for i in range(checkpoints.shape[1] - 1, -1, -1):
            begin = i * chunk
            size = min(chunk, length - begin)
            take_lanes(checkpoints[:, i], first, last, s)
            take_samples(x, first, last, begin, begin + size, signals[0])
            take_samples(grad, first, last, begin, begin + size, g)
            for n in range(0, size, TURN):
                for k in range(sections):
                    filter_turn(signals[k], n, min(n + TURN, size), c[k], s[k], tiny, signals[k + 1])
            for n in range((size - 1) // TURN * TURN, -1, -TURN):
                for k in range(sections - 1, -1, -1):
                    until = min(n + TURN, size)
                    adjoint_turn(g, n, until, c[k], q[k], tiny, signals[k], signals[k + 1], grad_c[k])
            put_samples(g, first, last, begin, begin + size, grad_x)
        put_lanes(grad_c, first, last, grad_coefficients)
        put_lanes(q, first, last, grad_state)
