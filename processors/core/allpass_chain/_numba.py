"""Compiled kernels of :mod:`.allpass_chain` for the CPU. Imported on first use, since numba is slow to load.

Eight rows run side by side in the lanes of vectors, since each sample depends on the previous one of its row.
"""

import numpy as np
from torch import Tensor

from ..backends.numba_rows import kernel, put_samples, run_rows, take_samples, tiny
from ..backends.numba_vectors import LANES, below, load, splat, store, where
from ..operators import empty

CHUNK = 128  # samples that are brought into lanes at once


def allpass_chain(x: Tensor, coefficient: Tensor, feedback: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    y, final = empty(x), empty(state)
    run_rows(chain_rows, y, x, coefficient, feedback, state, tiny(x), final, work=state.shape[1], lanes=LANES)
    return y, final


def allpass_chain_backward(
    grad: Tensor, grad_final: Tensor, coefficient: Tensor, feedback: Tensor, y: Tensor, final: Tensor
) -> tuple[Tensor, ...]:
    grads = tuple(map(empty, (y, coefficient, feedback, final)))
    arguments = grad, grad_final, coefficient, feedback, y, final, tiny(y)
    run_rows(chain_gradient_rows, *arguments, *grads, work=2 * final.shape[1], lanes=LANES)
    return grads


@kernel
def take(values, first, last, lanes):
    """Transpose numbers (row, k) of eight rows, or fewer padded with the last one, to (k, lane)."""
    for lane in range(LANES):
        for k in range(values.shape[1]):
            lanes[k, lane] = values[min(first + lane, last), k]


@kernel
def put(lanes, first, last, values):
    for lane in range(min(LANES, last - first + 1)):
        for k in range(values.shape[1]):
            values[first + lane, k] = lanes[k, lane]


@kernel
def take_turns(coefficients, first, last, start, stop, cosines, sines):
    """Compute the rotation of each sample."""
    if coefficients.shape[1] > 1:
        take_samples(coefficients, first, last, start, stop, cosines)
    else:
        for lane in range(LANES):
            cosines[:, lane] = coefficients[min(first + lane, last), 0]
    for n in range(stop - start):
        for lane in range(LANES):
            c = cosines[n, lane]
            sines[n, lane] = np.sqrt((1.0 - c) * (1.0 + c))


@kernel
def settle(s, tiny):
    """Flush tiny values to zero, since subnormal arithmetic is slow."""
    for k in range(0, s.size, LANES):
        v = load(s, k)
        store(s, k, where(below(v, tiny), splat(0.0), v))


@kernel
def chain(x, count, cosines, sines, gain, s, rest):
    """Process samples of eight rows, in place."""
    g, one = load(gain, 0), splat(1.0)
    for n in range(0, count * LANES, LANES):
        c, d = load(cosines, n), load(sines, n)
        # The response of the states alone, to which the input of the loop adds its powers of c.
        total, power = splat(0.0), one
        for k in range(0, s.size, LANES):
            store(rest, k, total)
            total = c * total + d * load(s, k)
            power *= c
        e = (load(x, n) + g * total) * (one / (one - g * power))
        store(x, n, total + power * e)
        for k in range(0, s.size, LANES):
            store(s, k, d * (load(rest, k) + e) - c * load(s, k))
            e *= c


@kernel
def chain_rows(start, stop, y, x, coefficients, feedback, state, tiny, final):
    length, stages = y.shape[1], state.shape[1]
    s, rest, gain = np.empty((stages, LANES)), np.empty((stages, LANES)), np.empty(LANES)
    block, cosines, sines = np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES))
    for first in range(start, stop, LANES):
        last = stop - 1
        take(state, first, last, s)
        for lane in range(LANES):
            gain[lane] = feedback[min(first + lane, last)]
        for begin in range(0, length, CHUNK):
            end = min(begin + CHUNK, length)
            take_samples(x, first, last, begin, end, block)
            take_turns(coefficients, first, last, begin, end, cosines, sines)
            chain(block, end - begin, cosines, sines, gain, s, rest)
            put_samples(block, first, last, begin, end, y)
            settle(s, tiny)
        put(s, first, last, final)


@kernel
def chain_back(grad, y, count, cosines, sines, gain, s, by_s, by_gain):
    """Run the adjoint backwards in time, in place: gradients to the input in ``grad``, to cosines in ``cosines``."""
    g, one, sums = load(gain, 0), splat(1.0), load(by_gain, 0)
    for n in range((count - 1) * LANES, -LANES, -LANES):
        c, d = load(cosines, n), load(sines, n)
        rest, power = splat(0.0), one
        for k in range(s.size - LANES, -LANES, -LANES):
            rest = c * rest + d * load(by_s, k)
            power *= c
        output = load(y, n)
        e, by_e = output, (load(grad, n) + g * rest) * (one / (one - g * power))
        by_c, ratio = splat(0.0), c / d
        for k in range(s.size - LANES, -LANES, -LANES):
            # A rotation is its own inverse, and its own transpose.
            s_after, by_after = load(s, k), load(by_s, k)
            e_before, s_before = c * e + d * s_after, d * e - c * s_after
            by_c += by_e * (e_before - ratio * s_before) - by_after * (ratio * e_before + s_before)
            store(by_s, k, d * by_e - c * by_after)
            store(s, k, s_before)
            e, by_e = e_before, c * by_e + d * by_after
        sums += by_e * output
        store(grad, n, by_e)
        store(cosines, n, by_c)
    store(by_gain, 0, sums)


@kernel
def chain_gradient_rows(
    start,
    stop,
    grad,
    grad_final,
    coefficients,
    feedback,
    y,
    final,
    tiny,
    grad_x,
    grad_coefficients,
    grad_feedback,
    grad_state,
):
    length, stages = grad.shape[1], final.shape[1]
    moves = coefficients.shape[1] > 1
    s, by_s, gain, by_gain = np.empty((stages, LANES)), np.empty((stages, LANES)), np.empty(LANES), np.empty(LANES)
    block, outputs = np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES))
    cosines, sines, constant = np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES)), np.empty((1, LANES))
    for first in range(start, stop, LANES):
        last = stop - 1
        take(final, first, last, s)
        take(grad_final, first, last, by_s)
        by_gain[:], constant[:] = 0.0, 0.0
        for lane in range(LANES):
            gain[lane] = feedback[min(first + lane, last)]
        end = length
        while end > 0:
            begin = max(0, end - CHUNK)
            take_samples(grad, first, last, begin, end, block)
            take_samples(y, first, last, begin, end, outputs)
            take_turns(coefficients, first, last, begin, end, cosines, sines)
            chain_back(block, outputs, end - begin, cosines, sines, gain, s, by_s, by_gain)
            put_samples(block, first, last, begin, end, grad_x)
            if moves:
                put_samples(cosines, first, last, begin, end, grad_coefficients)
            else:
                for n in range(end - begin):
                    constant[0] += cosines[n]
            settle(s, tiny)
            settle(by_s, tiny)
            end = begin
        if not moves:
            put(constant, first, last, grad_coefficients)
        put(by_s, first, last, grad_state)
        for lane in range(min(LANES, last - first + 1)):
            grad_feedback[first + lane] = by_gain[lane]
