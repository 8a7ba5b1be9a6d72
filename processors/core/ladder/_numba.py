"""Compiled kernels of :mod:`.ladder` for the CPU. Imported on first use, since numba is slow to load.

Eight rows run side by side in the lanes of vectors.
"""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import (
    hand_over,
    inline,
    kernel,
    put_lanes,
    put_samples,
    run_rows,
    take_lanes,
    take_samples,
    tiny,
)
from ..backends.numba_vectors import LANES, larger, load, smaller, splat, store
from ..operators import empty

WORK = 64  # operations for each sample
FLAT = 20.0  # where the hyperbolic tangent is 1 to the last digit


def ladder(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    rows, length = x.shape
    y, final = empty(x), empty(state)
    checkpoints = torch.empty(rows, -(-length // chunk), 4, dtype=state.dtype)
    arguments = x, coefficients[..., None], state[..., None], chunk, tiny(x)
    run_rows(ladder_rows, *arguments, y, final[..., None], checkpoints[..., None], work=WORK, lanes=LANES)
    return y, final, checkpoints


def ladder_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    grads = empty(x), empty(coefficients), empty(grad_final)
    arguments = grad, grad_final[..., None], x, coefficients[..., None], checkpoints[..., None], chunk, tiny(x)
    outputs = grads[0], grads[1][..., None], grads[2][..., None]
    run_rows(ladder_backward_rows, *arguments, *outputs, work=2 * WORK, lanes=LANES)
    return grads


@inline
def tanh(v):
    """Compute numerator and denominator of a continued fraction of v/8, which are doubled three times.

    For large v/8 it is inaccurate, but within rounding wherever the hyperbolic tangent is not saturated.
    """
    t = larger(splat(-FLAT), smaller(splat(FLAT), v)) * splat(1 / 8)
    q = t * t
    p = ((splat(1 / 135135) * q + splat(378 / 135135)) * q + splat(17325 / 135135)) * q + splat(1.0)
    d = ((splat(28 / 135135) * q + splat(3150 / 135135)) * q + splat(62370 / 135135)) * q + splat(1.0)
    p = p * t
    for _ in range(3):
        both = p * d
        d = p * p + d * d
        p = both + both
    return p, d


@inline
def miss(v, p, d, w, a):
    """Compute Halley's step for v + a tanh v − w, with all fractions multiplied out."""
    square = d * d
    bend = a * (square - p * p)
    off, slope = (v - w) * d + a * p, square + bend
    return off * slope * d / (slope * slope + off * p * bend)


@inline
def saturated(w, a):
    """Compute tanh v where v + a tanh v = w, starting from approximations for low and for high levels."""
    small, far = w / (splat(1.0) + a), w - larger(splat(0.0) - a, smaller(a, w))
    v = larger(larger(small, far), splat(0.0)) + smaller(smaller(small, far), splat(0.0))
    p, d = tanh(v)
    v = v - miss(v, p, d, w, a)
    p, d = tanh(v)
    v = v - miss(v, p, d, w, a)
    p, d = tanh(v)
    u = p / d
    # The last step is so small that its square is below rounding.
    return u - (splat(1.0) - u * u) * miss(v, p, d, w, a)


@kernel
def advance(c, x, size, z, taps, y):
    """Advance the states in ``z`` at each sample, and compute the taps and their mix."""
    g, k = load(c, 0), load(c, LANES)
    c0, c1, c2, c3, c4 = (
        load(c, 2 * LANES),
        load(c, 3 * LANES),
        load(c, 4 * LANES),
        load(c, 5 * LANES),
        load(c, 6 * LANES),
    )
    a, rest = k * g * g * g * g, k * (splat(1.0) - g)
    s1, s2, s3, s4 = load(z, 0), load(z, LANES), load(z, 2 * LANES), load(z, 3 * LANES)
    for n in range(size):
        w = load(x, n * LANES) - rest * (((s1 * g + s2) * g + s3) * g + s4)
        u = saturated(w, a)
        y1 = s1 + g * (u - s1)
        y2 = s2 + g * (y1 - s2)
        y3 = s3 + g * (y2 - s3)
        y4 = s4 + g * (y3 - s4)
        s1, s2, s3, s4 = y1 + y1 - s1, y2 + y2 - s2, y3 + y3 - s3, y4 + y4 - s4
        after = (n + 1) * 4 * LANES
        store(z, after, s1)
        store(z, after + LANES, s2)
        store(z, after + 2 * LANES, s3)
        store(z, after + 3 * LANES, s4)
        store(taps, n * LANES, u)
        store(y, n * LANES, c0 * u + c1 * y1 + c2 * y2 + c3 * y3 + c4 * y4)


@kernel
def retreat(c, g_y, size, z, taps, costate, grad_c):
    """Run the adjoint, backwards in time: ``g_y`` holds the gradients to the outputs, then to the inputs."""
    g, k = load(c, 0), load(c, LANES)
    c0, c1, c2, c3, c4 = (
        load(c, 2 * LANES),
        load(c, 3 * LANES),
        load(c, 4 * LANES),
        load(c, 5 * LANES),
        load(c, 6 * LANES),
    )
    one = splat(1.0)
    a, rest = k * g * g * g * g, one - g
    l1, l2, l3, l4 = load(costate, 0), load(costate, LANES), load(costate, 2 * LANES), load(costate, 3 * LANES)
    d_g, d_k = load(grad_c, 0), load(grad_c, LANES)
    d0, d1, d2 = load(grad_c, 2 * LANES), load(grad_c, 3 * LANES), load(grad_c, 4 * LANES)
    d3, d4 = load(grad_c, 5 * LANES), load(grad_c, 6 * LANES)
    for n in range(size - 1, -1, -1):
        now = n * 4 * LANES
        s1, s2, s3, s4 = load(z, now), load(z, now + LANES), load(z, now + 2 * LANES), load(z, now + 3 * LANES)
        u, grad = load(taps, n * LANES), load(g_y, n * LANES)
        y1 = s1 + g * (u - s1)
        y2 = s2 + g * (y1 - s2)
        y3 = s3 + g * (y2 - s3)
        y4 = s4 + g * (y3 - s4)
        d0 += grad * u
        d1 += grad * y1
        d2 += grad * y2
        d3 += grad * y3
        d4 += grad * y4
        q1, q2, q3, q4 = c1 * grad + l1 + l1, c2 * grad + l2 + l2, c3 * grad + l3 + l3, c4 * grad + l4 + l4
        # Gradient of the saturation; through the feedback, that of y₄ is reduced by k times it.
        bend = one - u * u
        to_x = bend * (c0 * grad + g * (q1 + g * (q2 + g * (q3 + g * q4)))) / (one + a * bend)
        d_k -= to_x * y4
        q4 -= k * to_x
        q3 += g * q4
        q2 += g * q3
        q1 += g * q2
        d_g += q4 * (y3 - s4) + q3 * (y2 - s3) + q2 * (y1 - s2) + q1 * (u - s1)
        l1, l2, l3, l4 = rest * q1 - l1, rest * q2 - l2, rest * q3 - l3, rest * q4 - l4
        store(g_y, n * LANES, to_x)
    store(costate, 0, l1)
    store(costate, LANES, l2)
    store(costate, 2 * LANES, l3)
    store(costate, 3 * LANES, l4)
    store(grad_c, 0, d_g)
    store(grad_c, LANES, d_k)
    store(grad_c, 2 * LANES, d0)
    store(grad_c, 3 * LANES, d1)
    store(grad_c, 4 * LANES, d2)
    store(grad_c, 5 * LANES, d3)
    store(grad_c, 6 * LANES, d4)


@kernel
def ladder_rows(start, stop, x, coefficients, state, chunk, tiny, y, final, checkpoints):
    length = x.shape[1]
    block, taps, z = np.empty((chunk, LANES)), np.empty((chunk, LANES)), np.empty((chunk + 1, 4, LANES))
    c, s = np.empty((7, 1, LANES)), np.empty((4, 1, LANES))
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop) - 1
        take_lanes(coefficients, first, last, c)
        take_lanes(state, first, last, s)
        for begin in range(0, length, chunk):
            end = min(begin + chunk, length)
            put_lanes(s, first, last, checkpoints[:, begin // chunk])
            take_samples(x, first, last, begin, end, block)
            hand_over(s, z[0], 4, tiny)
            advance(c, block, end - begin, z, taps, block)
            hand_over(z[end - begin], s, 4, tiny)
            put_samples(block, first, last, begin, end, y)
        put_lanes(s, first, last, final)


@kernel
def ladder_backward_rows(
    start, stop, grad, grad_final, x, coefficients, checkpoints, chunk, tiny, grad_x, grad_coefficients, grad_state
):
    length = x.shape[1]
    block, g, taps = np.empty((chunk, LANES)), np.empty((chunk, LANES)), np.empty((chunk, LANES))
    z = np.empty((chunk + 1, 4, LANES))
    c, grad_c = np.empty((7, 1, LANES)), np.empty((7, 1, LANES))
    s, q = np.empty((4, 1, LANES)), np.empty((4, 1, LANES))
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop) - 1
        take_lanes(coefficients, first, last, c)
        take_lanes(grad_final, first, last, q)
        grad_c[:] = 0.0
        for i in range(checkpoints.shape[1] - 1, -1, -1):
            begin, end = i * chunk, min((i + 1) * chunk, length)
            take_samples(x, first, last, begin, end, block)
            take_lanes(checkpoints[:, i], first, last, s)
            hand_over(s, z[0], 4, tiny)
            advance(c, block, end - begin, z, taps, g)
            take_samples(grad, first, last, begin, end, g)
            retreat(c, g, end - begin, z, taps, q, grad_c)
            hand_over(q, q, 4, tiny)
            put_samples(g, first, last, begin, end, grad_x)
        put_lanes(grad_c, first, last, grad_coefficients)
        put_lanes(q, first, last, grad_state)
