"""Compiled kernels of :mod:`.freeverb` for the CPU. Imported on first use, since numba is slow to load.

Eight comb filters run side by side in the lanes of vectors. For this, blocks of eight samples are transposed, since no
delay is shorter. Allpass filters process eight samples at once.
"""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import kernel, run_rows, tiny
from ..backends.numba_vectors import LANES, below, load, load_rows, splat, store, store_rows, where
from ..operators import empty
from . import CHUNK, num_checkpoints

WORK = 12


def run(
    x: Tensor, delays: Tensor, loop: Tensor, gain: float, past: Tensor, inner: Tensor, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    rows, count = x.shape[0], num_checkpoints(x.shape[1], keep)
    lines, final = past.clone(memory_format=torch.contiguous_format), inner.clone()
    kept = past.new_empty(rows, count, *past.shape[1:]), inner.new_empty(rows, count, LANES)
    y = empty(x)
    run_rows(reverb_rows, x, delays, loop, gain, tiny(x), y, lines, final, *kept, work=WORK)
    return y, lines, final, *kept


def run_backward(
    grad: Tensor,
    grad_lines: Tensor,
    grad_final: Tensor,
    x: Tensor,
    delays: Tensor,
    loop: Tensor,
    gain: float,
    past: Tensor,
    inner: Tensor,
    kept_lines: Tensor,
    kept_inner: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grads = empty(x), empty(loop), empty(past), empty(inner)
    starts = past, inner, kept_lines, kept_inner
    arguments = grad, grad_lines, grad_final, x, delays, loop, gain, tiny(x), *starts, *grads
    run_rows(reverb_backward_rows, *arguments, work=3 * WORK)
    return grads


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
def reverb_rows(start, stop, x, delays, loop, gain, tiny, y, lines, final, kept_lines, kept_inner):
    """Process with a memory of the past alone, which is updated to the past after the signals."""
    length, past = x.shape[1], lines.shape[2]
    v = np.empty((lines.shape[1], past + CHUNK))
    for row in range(start, stop):
        b, d = loop[row, 0], loop[row, 1]
        v[:, :past] = lines[row]
        for begin in range(0, length, CHUNK):
            chunk = begin // CHUNK - 1
            if 0 <= chunk < kept_lines.shape[1]:
                kept_lines[row, chunk], kept_inner[row, chunk] = v[:, :past], final[row]
            end = min(begin + CHUNK, length)
            filter_span(x[row], begin, end, past - begin, delays[row], b, d, gain, tiny, final[row], v, y[row])
            for i in range(v.shape[0]):
                for n in range(past):
                    v[i, n] = v[i, n + end - begin]
        lines[row] = v[:, :past]


@kernel
def reverb_backward_rows(
    start,
    stop,
    grad,
    grad_lines,
    grad_final,
    x,
    delays,
    loop,
    gain,
    tiny,
    lines,
    inner,
    kept_lines,
    kept_inner,
    grad_x,
    grad_loop,
    grad_past,
    grad_inner,
):
    """Compute the lines of a chunk again, then its gradients, for the last chunk first."""
    length, past = x.shape[1], lines.shape[2]
    v, g = np.empty((2, lines.shape[1], past + CHUNK))
    y, q, p, sums = np.empty(CHUNK, x.dtype), np.empty(LANES), np.empty(LANES), np.empty((2, LANES))
    for row in range(start, stop):
        m, b, d = delays[row], loop[row, 0], loop[row, 1]
        q[:] = grad_final[row]
        sums[:] = 0.0
        grad_past[row] = grad_lines[row]
        for chunk in range((length - 1) // CHUNK, -1, -1):
            begin, end = chunk * CHUNK, min((chunk + 1) * CHUNK, length)
            count = end - begin
            before = kept_lines[row, chunk - 1] if chunk else lines[row]
            first = kept_inner[row, chunk - 1] if chunk else inner[row]
            v[:, :past] = before
            p[:] = first
            filter_span(x[row, begin:end], 0, count, past, m, b, d, gain, tiny, p, v, y)
            g[:, : past + count] = 0.0
            g[:, count : count + past] = grad_past[row]
            span = grad[row, begin:end], x[row, begin:end], grad_x[row, begin:end]
            reverse_span(*span, past, m, b, d, gain, first, v, g, q, sums)
            grad_past[row] = g[:, :past]
        grad_loop[row, 0], grad_loop[row, 1] = sums[0].sum(), sums[1].sum()
        grad_inner[row] = q


@kernel
def reverse_span(grad, x, grad_x, past, m, b, d, gain, inner, v, g, q, sums):
    """Process samples of one signal backwards; ``inner`` are the outputs of the filters in the loops before them."""
    length, stride = x.size, v.shape[1]
    late, turned, before = np.empty((LANES, LANES)), np.empty((LANES, LANES)), np.empty((LANES, LANES))
    given = np.empty((LANES, LANES))
    allpasses = m.size - LANES
    whole = length // LANES * LANES
    for n in range(length - 1, whole - 1, -1):
        by_output = grad[n]
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
            sums[1, i] += by_filter * (v[i, past + n - 1] - x[n - 1] if n > 0 else inner[i])
            g[i, past + n - m[i]] += b * by_filter + by_output
            q[i] = d * by_filter
        grad_x[n] = by_input
    state, by_b, by_d = load(q, 0), load(sums, 0), load(sums, LANES)
    for n in range(whole - LANES, -1, -LANES):
        sample = load(grad, n)
        for i in range(LANES + allpasses - 1, LANES - 1, -1):
            to_v = load(g, i * stride + past + n)
            place = i * stride + past + n - m[i]
            store(g, place, load(g, place) + splat(gain) * to_v + sample)
            sample = to_v - sample
        to_x = splat(0.0)
        for i in range(LANES):
            to_x += load(g, i * stride + past + n)
            store(late, i * LANES, load(v, i * stride + past + n - m[i]))
        store(grad_x, n, to_x)
        load_rows(late, 0, LANES - 1, 0, turned, 0)
        load_rows(g, 0, LANES - 1, past + n, given, 0)
        if n > 0:
            load_rows(v, 0, LANES - 1, past + n - 1, before, 0)
        else:
            for i in range(LANES):
                before[0, i] = inner[i]
                for t in range(1, LANES):
                    before[t, i] = v[i, past + t - 1]
        for t in range(LANES - 1, -1, -1):
            to_p = load(given, t * LANES) + state
            earlier = load(before, t * LANES)
            if n + t > 0:
                earlier = earlier - splat(float(x[n + t - 1]))
            by_b += to_p * load(turned, t * LANES)
            by_d += to_p * earlier
            store(turned, t * LANES, splat(b) * to_p)
            state = splat(d) * to_p
        store_rows(late, 0, LANES - 1, 0, turned, 0)
        for i in range(LANES):
            place = i * stride + past + n - m[i]
            store(g, place, load(g, place) + load(late, i * LANES) + sample)
    store(q, 0, state)
    store(sums, 0, by_b)
    store(sums, LANES, by_d)
