"""Triton kernels of :mod:`.ladder` for CUDA: a program for each row, which goes from sample to sample.

The backward pass recomputes a chunk at a time from its stored state.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..backends.triton_blocks import launch
from ._torch import STEPS

SMALL = tl.constexpr(0.02)  # below which tanh is a series, since 1 − exp(−2v) has few digits


def ladder(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    rows, length = x.shape
    y, final = x.new_empty(x.shape), state.clone(memory_format=torch.contiguous_format)
    kept = state.new_empty(rows, triton.cdiv(length, chunk), 4)
    launch(
        run, rows, x.contiguous(), coefficients.contiguous(), final, y, kept, length, chunk, num_warps=1, STEPS=STEPS
    )
    return y, final, kept


def ladder_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    rows, length = x.shape
    signals, given = grad.contiguous(), coefficients.contiguous()
    grad_x, grad_c = x.new_empty(x.shape), torch.zeros_like(given)
    costate = grad_final.clone(memory_format=torch.contiguous_format)
    scratch = costate.new_empty(rows, min(chunk, length), 4)
    arguments = signals, x.contiguous(), given, checkpoints.contiguous(), scratch, grad_x, grad_c, costate
    launch(run_backward, rows, *arguments, length, chunk, scratch.shape[1], num_warps=1, STEPS=STEPS)
    return grad_x, grad_c, costate


@triton.jit
def run(x, coefficients, state, y, kept, length, chunk, STEPS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    c, state = coefficients + row * 7, state + row * 4
    g, k = tl.load(c), tl.load(c + 1)
    s0, s1, s2, s3 = tl.load(state), tl.load(state + 1), tl.load(state + 2), tl.load(state + 3)
    kept += row * tl.cdiv(length, chunk) * 4
    for n in range(length):
        if n % chunk == 0:
            store_four(kept + n // chunk * 4, s0, s1, s2, s3)
        x_n = tl.load(x + row * length + n).to(tl.float64)
        u, y1, y2, y3, y4 = taps(x_n, g, k, s0, s1, s2, s3, STEPS)
        mixed = tl.load(c + 2) * u + tl.load(c + 3) * y1 + tl.load(c + 4) * y2
        mixed += tl.load(c + 5) * y3 + tl.load(c + 6) * y4
        tl.store(y + row * length + n, mixed)
        s0, s1, s2, s3 = 2 * y1 - s0, 2 * y2 - s1, 2 * y3 - s2, 2 * y4 - s3
    store_four(state, s0, s1, s2, s3)


@triton.jit
def run_backward(
    grad, x, coefficients, checkpoints, scratch, grad_x, grad_c, costate, length, chunk, most, STEPS: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    c, costate, grad_c = coefficients + row * 7, costate + row * 4, grad_c + row * 7
    g, k = tl.load(c), tl.load(c + 1)
    m0, m1, m2, m3, m4 = tl.load(c + 2), tl.load(c + 3), tl.load(c + 4), tl.load(c + 5), tl.load(c + 6)
    p0, p1, p2, p3 = tl.load(costate), tl.load(costate + 1), tl.load(costate + 2), tl.load(costate + 3)
    scratch += row * most * 4
    chunks = tl.cdiv(length, chunk)
    by_g, by_k = g * 0, g * 0
    by0, by1, by2, by3, by4 = g * 0, g * 0, g * 0, g * 0, g * 0
    for back in range(chunks):
        begin = (chunks - 1 - back) * chunk
        size = tl.minimum(chunk, length - begin)
        kept = checkpoints + (row * chunks + chunks - 1 - back) * 4
        s0, s1, s2, s3 = tl.load(kept), tl.load(kept + 1), tl.load(kept + 2), tl.load(kept + 3)
        for n in range(size):
            store_four(scratch + n * 4, s0, s1, s2, s3)
            x_n = tl.load(x + row * length + begin + n).to(tl.float64)
            u, y1, y2, y3, y4 = taps(x_n, g, k, s0, s1, s2, s3, STEPS)
            s0, s1, s2, s3 = 2 * y1 - s0, 2 * y2 - s1, 2 * y3 - s2, 2 * y4 - s3
        tl.debug_barrier()
        for step in range(size):
            n = size - 1 - step
            at = row * length + begin + n
            s0, s1 = tl.load(scratch + n * 4), tl.load(scratch + n * 4 + 1)
            s2, s3 = tl.load(scratch + n * 4 + 2), tl.load(scratch + n * 4 + 3)
            u, y1, y2, y3, y4 = taps(tl.load(x + at).to(tl.float64), g, k, s0, s1, s2, s3, STEPS)
            d = tl.load(grad + at).to(tl.float64)
            q0, q1, q2, q3 = m1 * d + 2 * p0, m2 * d + 2 * p1, m3 * d + 2 * p2, m4 * d + 2 * p3
            # Gradient of the saturation; through the feedback, that of the last tap is reduced by k times it.
            through = m0 * d + g * (q0 + g * (q1 + g * (q2 + g * q3)))
            bend = 1 - u * u
            to_x = bend * through / (1 + k * g * g * g * g * bend)
            tl.store(grad_x + at, to_x)
            by_k -= to_x * y4
            q3 -= k * to_x
            q2 += g * q3
            q1 += g * q2
            q0 += g * q1
            by_g += q0 * (u - s0) + q1 * (y1 - s1) + q2 * (y2 - s2) + q3 * (y3 - s3)
            p0, p1, p2, p3 = (1 - g) * q0 - p0, (1 - g) * q1 - p1, (1 - g) * q2 - p2, (1 - g) * q3 - p3
            by0 += d * u
            by1 += d * y1
            by2 += d * y2
            by3 += d * y3
            by4 += d * y4
        tl.debug_barrier()
    store_four(costate, p0, p1, p2, p3)
    tl.store(grad_c, by_g)
    tl.store(grad_c + 1, by_k)
    tl.store(grad_c + 2, by0)
    store_four(grad_c + 3, by1, by2, by3, by4)


@triton.jit
def taps(x, g, k, s0, s1, s2, s3, STEPS: tl.constexpr):
    """Compute the saturated input, and the outputs of the four low-passes."""
    w = x - k * (1 - g) * (((s0 * g + s1) * g + s2) * g + s3)
    u = saturated(w, k * g * g * g * g, STEPS)
    y1 = s0 + g * (u - s0)
    y2 = s1 + g * (y1 - s1)
    y3 = s2 + g * (y2 - s2)
    y4 = s3 + g * (y3 - s3)
    return u, y1, y2, y3, y4


@triton.jit
def saturated(w, a, STEPS: tl.constexpr):
    """Compute tanh v where v + a tanh v = w, by Halley's method."""
    level = tl.abs(w)
    v = tl.maximum(level / (1 + a), level - a)
    for _ in tl.static_range(STEPS):  # pyright: ignore[reportGeneralTypeIssues]
        u = tanh(v)
        bend = a * (1 - u * u)
        miss = v + a * u - level
        slope = 1 + bend
        v -= miss * slope / (slope * slope + miss * u * bend)
    u = tanh(v)
    return tl.where(w < 0, -u, u)


@triton.jit
def tanh(v):
    level = tl.abs(v)
    rest = tl.exp(-2 * level)
    square = v * v
    series = v * (1 - square * (1 / 3 - square * (2 / 15 - square * (17 / 315 - square * 62 / 2835))))
    large = (1 - rest) / (1 + rest)
    return tl.where(level < SMALL, series, tl.where(v < 0, -large, large))


@triton.jit
def store_four(place, a, b, c, d):
    tl.store(place, a)
    tl.store(place + 1, b)
    tl.store(place + 2, c)
    tl.store(place + 3, d)
