"""Compiled kernels of :mod:`.comb` for the CPU. Imported on first use, since numba is slow to load.

A row is processed in blocks no longer than its delay, within which the output of the delay is known in advance.
"""

import torch
from torch import Tensor

from ..backends.numba_rows import kernel, run_rows, tiny
from ..operators import empty


def comb(x: Tensor, delays: Tensor, coefficients: Tensor, past: Tensor, inner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    y, line, final = empty(x), torch.cat([past, past.new_empty(x.shape)], 1), inner.clone()
    run_rows(comb_rows, x, delays, coefficients, tiny(x), y, line, final, work=2)
    return y, line, final


def comb_backward(
    grad: Tensor, grad_line: Tensor, grad_final: Tensor, x: Tensor, delays: Tensor, coefficients: Tensor, line: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grads = empty(x), empty(coefficients), grad_line.clone(), grad_final.clone()
    run_rows(comb_backward_rows, grad, x, delays, coefficients, tiny(x), line, *grads, work=4)
    return grads[0], grads[1], grads[2][:, : line.shape[1] - x.shape[1]].clone(), grads[3]


@kernel
def is_gain(c):
    return c[1] == 0 and c[2] == 0 and c[3] == 0 and c[4] == 0


@kernel
def by_gain(x, u, b0, mix, tiny, v, y):
    for n in range(x.size):
        p_n = b0 * u[n]
        v_n = x[n] + p_n
        v[n] = 0.0 if abs(v_n) < tiny else v_n
        y[n] = mix[0] * v_n + mix[1] * u[n] + mix[2] * p_n


@kernel
def by_filter(x, u, c, state, tiny, v, y):
    """Run the filter in transposed direct form II."""
    b0, b1, b2, a1, a2, c0, c1, c2 = c
    s1, s2 = state
    for n in range(x.size):
        u_n = u[n]
        p_n = b0 * u_n + s1
        s1 = (b1 * u_n + s2) - a1 * p_n
        s2 = b2 * u_n - a2 * p_n
        v_n = x[n] + p_n
        v[n] = 0.0 if abs(v_n) < tiny else v_n
        y[n] = c0 * v_n + c1 * u_n + c2 * p_n
    hand_over(state, s1, s2, tiny)


@kernel
def hand_over(state, s1, s2, tiny):
    """Return both numbers, or zeros if both are tiny, since subnormal arithmetic is slow."""
    quiet = abs(s1) < tiny and abs(s2) < tiny
    state[0] = 0.0 if quiet else s1
    state[1] = 0.0 if quiet else s2


@kernel
def comb_rows(start, stop, x, delays, coefficients, tiny, y, lines, finals):
    length = x.shape[1]
    past = lines.shape[1] - length
    for r in range(start, stop):
        delay, c, line = delays[r], coefficients[r], lines[r]
        for begin in range(0, length, delay):
            end = min(begin + delay, length)
            u, v = line[past + begin - delay : past + end - delay], line[past + begin : past + end]
            if is_gain(c) and finals[r, 0] == 0 and finals[r, 1] == 0:
                by_gain(x[r, begin:end], u, c[0], c[5:], tiny, v, y[r, begin:end])
            else:
                by_filter(
                    x[r, begin:end],
                    u,
                    (c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]),
                    finals[r],
                    tiny,
                    v,
                    y[r, begin:end],
                )


@kernel
def adjoint(grad, x, u, v, c, tiny, grad_x, grad_u, grad_v, grad_c, costate):
    """Run one block backwards in time. ``grad_v`` holds the gradients of later samples; ``grad_u`` is added to."""
    b0, b1, b2, a1, a2, c0, c1, c2 = c
    q1, q2 = costate
    d0 = d1 = d2 = e1 = e2 = m0 = m1 = m2 = 0.0
    for n in range(x.size - 1, -1, -1):
        g, u_n, v_n = grad[n], u[n], v[n]
        p_n = v_n - x[n]
        g_v = grad_v[n] + c0 * g
        grad_x[n] = g_v
        q0 = (g_v + c2 * g - a2 * q2) - a1 * q1
        grad_u[n] += b0 * q0 + (b1 * q1 + b2 * q2) + c1 * g
        d0 += q0 * u_n
        d1 += q1 * u_n
        d2 += q2 * u_n
        e1 -= q1 * p_n
        e2 -= q2 * p_n
        m0 += g * v_n
        m1 += g * u_n
        m2 += g * p_n
        q2 = q1
        q1 = q0
    hand_over(costate, q1, q2, tiny)
    sums = (d0, d1, d2, e1, e2, m0, m1, m2)
    for i in range(8):
        grad_c[i] += sums[i]


@kernel
def comb_backward_rows(
    start, stop, grad, x, delays, coefficients, tiny, lines, grad_x, grad_coefficients, grad_lines, costates
):
    length = x.shape[1]
    past = lines.shape[1] - length
    for r in range(start, stop):
        delay, c, line, grad_line = delays[r], coefficients[r], lines[r], grad_lines[r]
        grad_coefficients[r] = 0.0
        for begin in range((length - 1) // delay * delay, -1, -delay):
            end = min(begin + delay, length)
            early, now = slice(past + begin - delay, past + end - delay), slice(past + begin, past + end)
            adjoint(
                grad[r, begin:end],
                x[r, begin:end],
                line[early],
                line[now],
                (c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]),
                tiny,
                grad_x[r, begin:end],
                grad_line[early],
                grad_line[now],
                grad_coefficients[r],
                costates[r],
            )
