"""Compiled kernels of :mod:`.allpass_chain` for the CPU. Imported on first use, for numba takes long to load."""

import math

import numpy as np
from torch import Tensor

from ._numba_rows import empty, kernel, run_rows, tiny


def allpass_chain(x: Tensor, coefficient: Tensor, feedback: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    y, final = empty(x), empty(state)
    run_rows(chain_rows, y, x, coefficient, feedback, state, tiny(x), final, work=state.shape[1])
    return y, final


def allpass_chain_backward(
    grad: Tensor, grad_final: Tensor, coefficient: Tensor, feedback: Tensor, y: Tensor, final: Tensor
) -> tuple[Tensor, ...]:
    grads = tuple(map(empty, (y, coefficient, feedback, final)))
    arguments = grad, grad_final, coefficient, feedback, y, final
    run_rows(chain_gradient_rows, *arguments, *grads, work=2 * final.shape[1])
    return grads


@kernel
def chain_rows(start, stop, y, x, coefficients, feedback, state, tiny, final):
    length, stages = y.shape[1], state.shape[1]
    moves = coefficients.shape[1] > 1
    s, rest = np.empty(stages), np.empty(stages + 1)
    for r in range(start, stop):
        s[:] = state[r]
        gain = feedback[r]
        for n in range(length):
            c = np.float64(coefficients[r, n if moves else 0])
            d = math.sqrt((1.0 - c) * (1.0 + c))
            # What the states alone give, to which the input of the loop adds its powers of c.
            rest[0], power = 0.0, 1.0
            for k in range(stages):
                rest[k + 1] = c * rest[k] + d * s[k]
                power *= c
            e = (x[r, n] + gain * rest[stages]) / (1.0 - gain * power)
            y[r, n] = rest[stages] + power * e
            power = e
            for k in range(stages):
                s[k] = d * (rest[k] + power) - c * s[k]
                power *= c
            if abs(e) < tiny:
                for k in range(stages):
                    if abs(s[k]) < tiny:
                        s[k] = 0.0
        final[r] = s


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
    grad_x,
    grad_coefficients,
    grad_feedback,
    grad_state,
):
    length, stages = grad.shape[1], final.shape[1]
    moves = coefficients.shape[1] > 1
    s, by_s = np.empty(stages), np.empty(stages)
    for r in range(start, stop):
        s[:], by_s[:] = final[r], grad_final[r]
        gain, by_gain, by_constant = feedback[r], 0.0, 0.0
        for n in range(length - 1, -1, -1):
            c = np.float64(coefficients[r, n if moves else 0])
            d = math.sqrt((1.0 - c) * (1.0 + c))
            rest, power = 0.0, 1.0
            for k in range(stages - 1, -1, -1):
                rest = c * rest + d * by_s[k]
                power *= c
            e, by_e, by_c = np.float64(y[r, n]), (grad[r, n] + gain * rest) / (1.0 - gain * power), 0.0
            output = e
            for k in range(stages - 1, -1, -1):
                # A turn is its own inverse, and its own transpose.
                e_before, s_before = c * e + d * s[k], d * e - c * s[k]
                by_c += by_e * (e_before - c / d * s_before) - by_s[k] * (c / d * e_before + s_before)
                by_e, by_s[k] = c * by_e + d * by_s[k], d * by_e - c * by_s[k]
                e, s[k] = e_before, s_before
            grad_x[r, n] = by_e
            by_gain += by_e * output
            by_constant += by_c
            if moves:
                grad_coefficients[r, n] = by_c
        if not moves:
            grad_coefficients[r] = by_constant
        grad_feedback[r] = by_gain
        grad_state[r] = by_s
