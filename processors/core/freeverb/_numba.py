"""Compiled kernels of :mod:`.freeverb` for the CPU. Imported on first use, since numba is slow to load.

Eight comb filters run side by side in the lanes of vectors. For this, blocks of eight samples are transposed, since no
delay is shorter. Allpass filters process eight samples at once.
"""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import kernel, run_rows, tiny
from ..backends.numba_vectors import LANES, below, load, load_rows, splat, store, store_rows, total, where
from ..operators import empty

WORK = 12
CHUNK = 4096


def run(
    x: Tensor, delays: Tensor, loop: Tensor, gain: float, past: Tensor, inner: Tensor, keep: bool
) -> tuple[Tensor, Tensor, Tensor]:
    lines = torch.empty(*past.shape[:2], past.shape[2] + (x.shape[1] if keep else 0), dtype=past.dtype)
    lines[..., : past.shape[2]] = past
    y, final = empty(x), inner.clone()
    row_kernel = reverb_rows if keep else reverb_rows_in_chunks
    run_rows(row_kernel, x, delays, loop, gain, tiny(x), y, lines, final, work=WORK)
    return y, lines, final


def run_backward(
    grad: Tensor,
    grad_lines: Tensor,
    grad_final: Tensor,
    x: Tensor,
    delays: Tensor,
    loop: Tensor,
    gain: float,
    lines: Tensor,
    inner: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grad_lines = grad_lines.clone(memory_format=torch.contiguous_format)
    grads = empty(x), empty(loop), empty(inner)
    arguments = grad, grad_lines, grad_final, x, delays, loop, gain, lines, inner, *grads
    run_rows(reverb_backward_rows, *arguments, work=WORK)
    return grads[0], grads[1], grad_lines[..., : lines.shape[2] - x.shape[1]].clone(), grads[2]


@kernel
def filter_span(x, begin, end, shift, m, b, d, gain, tiny, p, v, y):
    """Process samples of one signal; sample n is at shift + n in the lines."""
    stride, count = v.shape[1], v.shape[0]
    late, turned = np.empty((LANES, LANES)), np.empty((LANES, LANES))
    whole = begin + (end - begin) // LANES * LANES
    state = load(p, 0)
    for n in range(begin, whole, LANES):
        heard = splat(0.0)
        for i in range(LANES):
            last = load(v, i * stride + shift + n - m[i])
            heard += last
            store(late, i * LANES, last)
        load_rows(late, 0, LANES - 1, 0, turned, 0)
        for t in range(LANES):
            state = splat(b) * load(turned, t * LANES) + splat(d) * state
            sample = state + splat(float(x[n + t]))
            # Subnormal arithmetic is slow.
            store(turned, t * LANES, where(below(sample, tiny), splat(0.0), sample))
        store_rows(v, 0, LANES - 1, shift + n, turned, 0)
        for i in range(LANES, count):
            last = load(v, i * stride + shift + n - m[i])
            store(v, i * stride + shift + n, heard + splat(gain) * last)
            heard = last - heard
        store(y, n, heard)
    store(p, 0, state)
    for n in range(whole, end):
        out = 0.0
        for i in range(LANES):
            before = v[i, shift + n - m[i]]
            out += before
            p[i] = b * before + d * p[i]
            v[i, shift + n] = x[n] + p[i]
        for i in range(LANES, count):
            before = v[i, shift + n - m[i]]
            v[i, shift + n] = out + gain * before
            out = before - out
        y[n] = out


@kernel
def reverb_rows(start, stop, x, delays, loop, gain, tiny, y, lines, final):
    length = x.shape[1]
    past = lines.shape[2] - length
    for row in range(start, stop):
        b, d = loop[row, 0], loop[row, 1]
        filter_span(x[row], 0, length, past, delays[row], b, d, gain, tiny, final[row], lines[row], y[row])


@kernel
def reverb_rows_in_chunks(start, stop, x, delays, loop, gain, tiny, y, lines, final):
    """Process with a memory of the past alone, which is updated to the past after the signals."""
    length, past = x.shape[1], lines.shape[2]
    v = np.empty((lines.shape[1], past + CHUNK))
    for row in range(start, stop):
        b, d = loop[row, 0], loop[row, 1]
        v[:, :past] = lines[row]
        for begin in range(0, length, CHUNK):
            end = min(begin + CHUNK, length)
            filter_span(x[row], begin, end, past - begin, delays[row], b, d, gain, tiny, final[row], v, y[row])
            for i in range(v.shape[0]):
                for n in range(past):
                    v[i, n] = v[i, n + end - begin]
        lines[row] = v[:, :past]


@kernel
def reverb_backward_rows(
    start, stop, grad, grad_lines, grad_final, x, delays, loop, gain, lines, inner, grad_x, grad_loop, grad_inner
):
    length = x.shape[1]
    past, stride = lines.shape[2] - length, lines.shape[2]
    late, turned, before = np.empty((LANES, LANES)), np.empty((LANES, LANES)), np.empty((LANES, LANES))
    given, q, sums = np.empty((LANES, LANES)), np.empty(LANES), np.empty((2, LANES))
    allpasses = delays.shape[1] - LANES
    for row in range(start, stop):
        v, g, m = lines[row], grad_lines[row], delays[row]
        b, d = loop[row, 0], loop[row, 1]
        q[:] = grad_final[row]
        sums[:] = 0.0
        whole = length // LANES * LANES
        for n in range(length - 1, whole - 1, -1):
            by_output = grad[row, n]
            for i in range(LANES + allpasses - 1, LANES - 1, -1):
                by_line = g[i, past + n]
                g[i, past + n - m[i]] += gain * by_line + by_output
                by_output = by_line - by_output
            by_input = 0.0
            for i in range(LANES):
                by_line = g[i, past + n]
                by_input += by_line
                by_filter = by_line + q[i]
                sums[0, i] += by_filter * v[i, past + n - m[i]]
                sums[1, i] += by_filter * (v[i, past + n - 1] - x[row, n - 1] if n > 0 else inner[row, i])
                g[i, past + n - m[i]] += b * by_filter + by_output
                q[i] = d * by_filter
            grad_x[row, n] = by_input
        state, by_b, by_d = load(q, 0), load(sums, 0), load(sums, LANES)
        for n in range(whole - LANES, -1, -LANES):
            sample = load(grad, row * length + n)
            for i in range(LANES + allpasses - 1, LANES - 1, -1):
                to_v = load(g, i * stride + past + n)
                place = i * stride + past + n - m[i]
                store(g, place, load(g, place) + splat(gain) * to_v + sample)
                sample = to_v - sample
            to_x = splat(0.0)
            for i in range(LANES):
                to_x += load(g, i * stride + past + n)
                store(late, i * LANES, load(v, i * stride + past + n - m[i]))
            store(grad_x, row * length + n, to_x)
            load_rows(late, 0, LANES - 1, 0, turned, 0)
            load_rows(g, 0, LANES - 1, past + n, given, 0)
            if n > 0:
                load_rows(v, 0, LANES - 1, past + n - 1, before, 0)
            else:
                for i in range(LANES):
                    before[0, i] = inner[row, i]
                    for t in range(1, LANES):
                        before[t, i] = v[i, past + t - 1]
            for t in range(LANES - 1, -1, -1):
                to_p = load(given, t * LANES) + state
                earlier = load(before, t * LANES)
                if n + t > 0:
                    earlier = earlier - splat(float(x[row, n + t - 1]))
                by_b += to_p * load(turned, t * LANES)
                by_d += to_p * earlier
                store(turned, t * LANES, splat(b) * to_p)
                state = splat(d) * to_p
            store_rows(late, 0, LANES - 1, 0, turned, 0)
            for i in range(LANES):
                place = i * stride + past + n - m[i]
                store(g, place, load(g, place) + load(late, i * LANES) + sample)
        store(q, 0, state)
        grad_loop[row, 0], grad_loop[row, 1] = total(by_b), total(by_d)
        for i in range(LANES):
            grad_inner[row, i] = q[i]
