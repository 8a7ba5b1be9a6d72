"""Compiled kernels of :mod:`.state_space` for the CPU. Imported on first use, since numba is slow to load.

Eight rows run side by side in the lanes of vectors.
"""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import hand_over, kernel, put_lanes, put_samples, run_rows, take_lanes, take_samples, tiny
from ..backends.numba_vectors import LANES, load, splat, store
from ..operators import empty


def state_space(u: Tensor, system: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    rows, length = u.shape
    y, final = empty(u), empty(state)
    checkpoints = torch.empty(rows, -(-length // chunk), state.shape[1], dtype=state.dtype)
    arguments = u, system, state[..., None], chunk, tiny(u), y, final[..., None], checkpoints[..., None]
    run_rows(state_space_rows, *arguments, work=system[0].numel() if rows else 1, lanes=LANES)
    return y, final, checkpoints


def state_space_backward(
    grad: Tensor, grad_final: Tensor, u: Tensor, system: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    grads = empty(u), empty(system), empty(grad_final)
    arguments = grad, grad_final[..., None], u, system, checkpoints[..., None], chunk, tiny(u)
    outputs = grads[0], grads[1], grads[2][..., None]
    run_rows(state_space_backward_rows, *arguments, *outputs, work=system.shape[1] ** 2, lanes=LANES)
    return grads


@kernel
def advance(system, u, size, z, y):
    """Advance (x[n], u[n]) in ``z`` at each sample to x[n + 1], and compute y[n], for eight rows."""
    width = system.shape[0]
    for n in range(size):
        now, after = z[n], z[n + 1]
        store(now, (width - 1) * LANES, load(u, n * LANES))
        for i in range(width):
            total = splat(0.0)
            for j in range(width):
                total += load(system, (i * width + j) * LANES) * load(now, j * LANES)
            if i < width - 1:
                store(after, i * LANES, total)
            else:
                store(y, n * LANES, total)


@kernel
def retreat(system, g, size, z, costate, grad_system):
    """Run the transposed system, backwards in time: ``g`` holds the gradients to the outputs, then to the inputs."""
    width = system.shape[0]
    q = np.empty((width, LANES))
    for n in range(size - 1, -1, -1):
        now = z[n]
        store(costate, (width - 1) * LANES, load(g, n * LANES))
        for j in range(width):
            total = splat(0.0)
            for i in range(width):
                at = (i * width + j) * LANES
                q_i = load(costate, i * LANES)
                total += load(system, at) * q_i
                store(grad_system, at, load(grad_system, at) + q_i * load(now, j * LANES))
            store(q, j * LANES, total)
        for j in range(width - 1):
            store(costate, j * LANES, load(q, j * LANES))
        store(g, n * LANES, load(q, (width - 1) * LANES))


@kernel
def state_space_rows(start, stop, u, system, state, chunk, tiny, y, final, checkpoints):
    length, order = u.shape[1], state.shape[1]
    block, z = np.empty((chunk, LANES)), np.empty((chunk + 1, order + 1, LANES))
    m, x = np.empty((order + 1, order + 1, LANES)), np.empty((order, 1, LANES))
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop) - 1
        take_lanes(system, first, last, m)
        take_lanes(state, first, last, x)
        for begin in range(0, length, chunk):
            end = min(begin + chunk, length)
            put_lanes(x, first, last, checkpoints[:, begin // chunk])
            take_samples(u, first, last, begin, end, block)
            hand_over(x, z[0], order, tiny)
            advance(m, block, end - begin, z, block)
            hand_over(z[end - begin], x, order, tiny)
            put_samples(block, first, last, begin, end, y)
        put_lanes(x, first, last, final)


@kernel
def state_space_backward_rows(
    start, stop, grad, grad_final, u, system, checkpoints, chunk, tiny, grad_u, grad_system, grad_state
):
    length, order = u.shape[1], grad_final.shape[1]
    block, g, z = np.empty((chunk, LANES)), np.empty((chunk, LANES)), np.empty((chunk + 1, order + 1, LANES))
    m, grad_m = np.empty((order + 1, order + 1, LANES)), np.empty((order + 1, order + 1, LANES))
    x, q = np.empty((order, 1, LANES)), np.empty((order + 1, 1, LANES))
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop) - 1
        take_lanes(system, first, last, m)
        take_lanes(grad_final, first, last, q)
        grad_m[:] = 0.0
        for i in range(checkpoints.shape[1] - 1, -1, -1):
            begin, end = i * chunk, min((i + 1) * chunk, length)
            take_samples(u, first, last, begin, end, block)
            take_lanes(checkpoints[:, i], first, last, x)
            hand_over(x, z[0], order, tiny)
            advance(m, block, end - begin, z, g)
            take_samples(grad, first, last, begin, end, g)
            retreat(m, g, end - begin, z, q, grad_m)
            hand_over(q, q, order, tiny)
            put_samples(g, first, last, begin, end, grad_u)
        put_lanes(grad_m, first, last, grad_system)
        put_lanes(q[:order], first, last, grad_state)
