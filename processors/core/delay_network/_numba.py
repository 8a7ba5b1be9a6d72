"""Compiled kernels of :mod:`.delay_network` for the CPU. Imported on first use, since numba is slow to load.

In the time domain, eight delay lines run side by side in the lanes of vectors, in blocks shorter than every line,
within which lines are independent. In the frequency domain, the lanes are eight frequencies.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_biquads import TURN, adjoint_turn, filter_turn
from ..backends.numba_rows import kernel, run_rows, tiny
from ..backends.numba_vectors import LANES, load, splat, store
from ..operators import empty


def run(
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    past: Tensor,
    state: Tensor,
    chunk: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rows, _, length = u.shape
    lines = torch.empty(rows, past.shape[1], past.shape[2] + length, dtype=past.dtype)
    lines[..., : past.shape[2]] = past
    y, final = torch.empty(rows, c.shape[1], length, dtype=u.dtype), empty(state)
    kept = torch.empty(rows, -(-length // chunk), *state.shape[1:], dtype=state.dtype)
    arguments = u.contiguous(), _integers(delays), sos, matrix, b, c, state, chunk, tiny(u), y, lines, final, kept
    _run(network_rows, *arguments)
    return y, lines, final, kept


def run_backward(
    grad: Tensor,
    grad_lines: Tensor,
    grad_final: Tensor,
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    lines: Tensor,
    kept: Tensor,
    chunk: int,
) -> tuple[Tensor, ...]:
    grad_lines = grad_lines.clone(memory_format=torch.contiguous_format)
    grads = empty(u), empty(sos), empty(matrix), empty(b), empty(c), empty(grad_final)
    arguments = (
        grad,
        grad_lines,
        grad_final,
        u,
        _integers(delays),
        sos,
        matrix,
        b,
        c,
        lines,
        kept,
        chunk,
        tiny(u),
        *grads,
    )
    _run(network_backward_rows, *arguments)
    past = grad_lines[..., : lines.shape[2] - u.shape[2]]
    return *grads[:5], past.clone(), grads[5]


def solve(
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    log_radius: float,
    num_points: int,
) -> tuple[Tensor, Tensor]:
    rows, _, bins = u.shape
    signals = torch.empty(rows, sos.shape[1], bins, 2, dtype=torch.float64)
    y = torch.empty(rows, c.shape[1], bins, 2, dtype=torch.float64)
    arguments = _real(u), _integers(delays), sos, matrix, b, c, log_radius, _circle(num_points), y, signals
    _run(solve_rows, *arguments, work=bins * sos.shape[1] ** 2)
    return torch.view_as_complex(y), torch.view_as_complex(signals)


def solve_backward(
    grad: Tensor,
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    signals: Tensor,
    log_radius: float,
    num_points: int,
) -> tuple[Tensor, ...]:
    grad_u = torch.empty(*u.shape, 2, dtype=torch.float64)
    grads = empty(sos), empty(matrix), empty(b), empty(c)
    arguments = (
        _real(grad),
        _real(u),
        _integers(delays),
        sos,
        matrix,
        b,
        c,
        _real(signals),
        log_radius,
        _circle(num_points),
    )
    _run(solve_backward_rows, *arguments, grad_u, *grads, work=u.shape[-1] * sos.shape[1] ** 2)
    return torch.view_as_complex(grad_u), *grads


def _run(row_kernel, *arguments, work: int = 1) -> None:
    """Rows of the first argument with any number of axes."""
    first = arguments[0]
    run_rows(_skip_first(row_kernel), first.reshape(len(first), first[:1].numel()), *arguments, work=work)


def _skip_first(row_kernel):
    return lambda start, stop, flat, *arrays: row_kernel(start, stop, *arrays)


def _integers(delays: Sequence[int]) -> Tensor:
    return torch.tensor(list(delays), dtype=torch.int64)


def _real(values: Tensor) -> Tensor:
    return torch.view_as_real(values.resolve_conj().contiguous())


def _circle(num_points: int) -> Tensor:
    angles = torch.arange(num_points, dtype=torch.float64) * (2 * math.pi / num_points)
    return torch.stack([angles.cos(), angles.sin()], -1)


# --- In time


@kernel
def take_lines(lines, delays, begin, end, block):
    """Read the output of each line; ``begin`` is the position of the first input sample of the block."""
    for i in range(delays.shape[0]):
        group, lane, shift = i // LANES, i % LANES, begin - delays[i]
        for n in range(end - begin):
            block[group, n, lane] = lines[i, shift + n]


@kernel
def pad_lines(values, padded):
    """Regroup numbers (i, k, …) of lines as (group, k, …, lane), padded with zeros."""
    padded[:] = 0.0
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            for j in range(values.shape[2]):
                padded[i // LANES, k, j, i % LANES] = values[i, k, j]


@kernel
def unpad_lines(padded, values):
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            for j in range(values.shape[2]):
                values[i, k, j] = padded[i // LANES, k, j, i % LANES]


@kernel
def pad_columns(matrix, padded):
    """Transpose a matrix (i, j) to (j, i), padded with zeros to whole vectors."""
    padded[:] = 0.0
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            padded[j, i] = matrix[i, j]


@kernel
def filter_block(signals, size, coefficients, state, tiny):
    """Run all sections of a group of lines; signals[k] is the input of section k."""
    sections = coefficients.shape[0]
    for n in range(0, size, TURN):
        for k in range(sections):
            filter_turn(signals[k], n, min(n + TURN, size), coefficients[k], state[k], tiny, signals[k + 1])


@kernel
def mix(columns, signals, size, groups, mixed):
    """Multiply samples (n, j) by columns (j, i), four samples at a time, to share loads."""
    width = columns.shape[0]
    stride = groups * LANES
    for n in range(0, size, 4):
        for group in range(groups):
            a, b, c, d = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            for j in range(width):
                column = load(columns, j * stride + group * LANES)
                a += column * splat(signals[n, j])
                b += column * splat(signals[n + 1, j])
                c += column * splat(signals[n + 2, j])
                d += column * splat(signals[n + 3, j])
            place = n * stride + group * LANES
            store(mixed, place, a)
            store(mixed, place + stride, b)
            store(mixed, place + 2 * stride, c)
            store(mixed, place + 3 * stride, d)


@kernel
def outer(left, right, size, products):
    """Accumulate the outer products of all samples, (n, i) and (n, j), in (i, j)."""
    wide, groups = products.shape[0], products.shape[1] // LANES
    for i in range(wide):
        for group in range(groups):
            place = group * LANES
            a = load(products, i * groups * LANES + place)
            for n in range(size):
                a += splat(left[n, i]) * load(right, n * groups * LANES + place)
            store(products, i * groups * LANES + place, a)


@kernel
def network_rows(start, stop, u, delays, sos, matrix, b, c, state, size, tiny, y, lines, final, kept):
    _, inputs, length = u.shape
    count, sections = sos.shape[1], sos.shape[2]
    groups = (count + LANES - 1) // LANES
    width, past = groups * LANES, lines.shape[2] - length
    filters, s = np.empty((groups, sections, 5, LANES)), np.empty((groups, sections, 2, LANES))
    columns, outs = np.empty((width + inputs, width)), np.zeros((width, LANES))
    signals = np.zeros((groups, sections + 1, size + 4, LANES))
    heard, mixed, sums = np.zeros((size + 4, width + inputs)), np.zeros((size + 4, width)), np.zeros((size + 4, LANES))
    for row in range(start, stop):
        pad_lines(sos[row], filters)
        pad_lines(state[row], s)
        columns[:] = 0.0
        pad_columns(matrix[row], columns[:count])
        pad_columns(b[row], columns[width:])
        pad_columns(c[row], outs[:count])
        for begin in range(0, length, size):
            held = min(size, length - begin)
            unpad_lines(s, kept[row, begin // size])
            take_lines(lines[row], delays, past + begin, past + begin + held, signals[:, 0])
            for group in range(groups):
                filter_block(signals[group], held, filters[group], s[group], tiny)
                for n in range(held):
                    for lane in range(LANES):
                        heard[n, group * LANES + lane] = signals[group, sections, n, lane]
            for k in range(inputs):
                for n in range(held):
                    heard[n, width + k] = u[row, k, begin + n]
            mix(columns, heard, held, groups, mixed)
            mix(outs, heard, held, 1, sums)
            for i in range(count):
                for n in range(held):
                    lines[row, i, past + begin + n] = mixed[n, i]
            for k in range(y.shape[1]):
                for n in range(held):
                    y[row, k, begin + n] = sums[n, k]
        unpad_lines(s, final[row])


@kernel
def network_backward_rows(
    start,
    stop,
    grad,
    grad_lines,
    grad_final,
    u,
    delays,
    sos,
    matrix,
    b,
    c,
    lines,
    kept,
    size,
    tiny,
    grad_u,
    grad_sos,
    grad_matrix,
    grad_b,
    grad_c,
    grad_state,
):
    _, inputs, length = u.shape
    count, sections, outputs = sos.shape[1], sos.shape[2], c.shape[1]
    groups = (count + LANES - 1) // LANES
    width, past = groups * LANES, lines.shape[2] - length
    filters, grad_filters = np.empty((groups, sections, 5, LANES)), np.empty((groups, sections, 5, LANES))
    s, q = np.empty((groups, sections, 2, LANES)), np.empty((groups, sections, 2, LANES))
    into, back = np.empty((width + outputs, width)), np.empty((width, LANES))
    signals, g = np.zeros((groups, sections + 1, size + 4, LANES)), np.zeros((groups, size + 4, LANES))
    given = np.zeros((size + 4, width + outputs))
    mixed, sums = np.zeros((size + 4, width)), np.zeros((size + 4, LANES))
    heard, products = np.zeros((size + 4, width)), np.empty((width + outputs, width))
    driven, by_input = np.zeros((size + 4, LANES)), np.empty((width, LANES))
    for row in range(start, stop):
        pad_lines(sos[row], filters)
        pad_lines(grad_final[row], q)
        grad_filters[:] = 0.0
        products[:] = 0.0
        by_input[:] = 0.0
        into[:] = 0.0
        pad_columns(matrix[row].T, into[:count])
        pad_columns(c[row].T, into[width:])
        back[:] = 0.0
        pad_columns(b[row].T, back[:count])
        for i in range(kept.shape[1] - 1, -1, -1):
            begin = i * size
            held = min(size, length - begin)
            pad_lines(kept[row, i], s)
            take_lines(lines[row], delays, past + begin, past + begin + held, signals[:, 0])
            for group in range(groups):
                filter_block(signals[group], held, filters[group], s[group], tiny)
                for n in range(held):
                    for lane in range(LANES):
                        heard[n, group * LANES + lane] = signals[group, sections, n, lane]
            for j in range(count):
                for n in range(held):
                    given[n, j] = grad_lines[row, j, past + begin + n]
            for k in range(outputs):
                for n in range(held):
                    given[n, width + k] = grad[row, k, begin + n]
            for k in range(inputs):
                for n in range(held):
                    driven[n, k] = u[row, k, begin + n]
            mix(into, given, held, groups, mixed)
            mix(back, given, held, 1, sums)
            outer(given, heard, held, products)
            outer(given, driven, held, by_input)
            for k in range(inputs):
                for n in range(held):
                    grad_u[row, k, begin + n] = sums[n, k]
            for group in range(groups):
                for n in range(held):
                    for lane in range(LANES):
                        g[group, n, lane] = mixed[n, group * LANES + lane]
                for n in range((held - 1) // TURN * TURN, -1, -TURN):
                    for k in range(sections - 1, -1, -1):
                        until = min(n + TURN, held)
                        x, after = signals[group, k], signals[group, k + 1]
                        adjoint_turn(
                            g[group], n, until, filters[group, k], q[group, k], tiny, x, after, grad_filters[group, k]
                        )
            for j in range(count):
                shift = past + begin - delays[j]
                for n in range(held):
                    grad_lines[row, j, shift + n] += g[j // LANES, n, j % LANES]
        unpad_lines(grad_filters, grad_sos[row])
        unpad_lines(q, grad_state[row])
        grad_matrix[row] = products[:count, :count]
        grad_c[row] = products[width:, :count]
        grad_b[row] = by_input[:count, :inputs]


# --- In frequency


@kernel
def loops(first, bins, delays, sos, log_radius, circle, inverse, over, under):
    """Compute the reciprocal of each line and its filters at eight frequencies, (i, part, lane).

    ``over`` and ``under`` are numerators and denominators of all sections, (i, k, part, lane).
    """
    points, radius = circle.shape[0], math.exp(-log_radius)
    cos, sin, cos2, sin2 = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    turn = np.empty((2, LANES))
    for lane in range(LANES):  # 1/z and its square
        k = min(first + lane, bins - 1)
        cos[lane], sin[lane] = radius * circle[k, 0], -radius * circle[k, 1]
        cos2[lane] = cos[lane] * cos[lane] - sin[lane] * sin[lane]
        sin2[lane] = 2 * cos[lane] * sin[lane]
    re1, im1, re2, im2 = load(cos, 0), load(sin, 0), load(cos2, 0), load(sin2, 0)
    for i in range(delays.shape[0]):
        growth = math.exp(log_radius * delays[i])
        for lane in range(LANES):
            k = min(first + lane, bins - 1)
            place = (k * delays[i]) % points
            turn[0, lane], turn[1, lane] = growth * circle[place, 0], growth * circle[place, 1]
        re, im = load(turn, 0), load(turn, LANES)
        for k in range(sos.shape[1]):
            c = sos[i, k]
            b0, b1, b2, a1, a2 = splat(c[0]), splat(c[1]), splat(c[2]), splat(c[3]), splat(c[4])
            top_re, top_im = b0 + b1 * re1 + b2 * re2, b1 * im1 + b2 * im2
            low_re, low_im = splat(1.0) + a1 * re1 + a2 * re2, a1 * im1 + a2 * im2
            place = (i * sos.shape[1] + k) * 2 * LANES
            store(over, place, top_re)
            store(over, place + LANES, top_im)
            store(under, place, low_re)
            store(under, place + LANES, low_im)
            scale = splat(1.0) / (top_re * top_re + top_im * top_im)
            ratio_re, ratio_im = low_re * top_re + low_im * top_im, low_im * top_re - low_re * top_im
            ratio_re, ratio_im = ratio_re * scale, ratio_im * scale
            re, im = re * ratio_re - im * ratio_im, re * ratio_im + im * ratio_re
        store(inverse, i * 2 * LANES, re)
        store(inverse, i * 2 * LANES + LANES, im)


@kernel
def factorize(matrix, inverse, m):
    """Factor D⁻¹ − A in place, (i, j, part, lane), with the reciprocals of the pivots on the diagonal.

    No pivoting is needed: the rest after each step is again D⁻¹, larger than 1, minus a contraction.
    """
    count = matrix.shape[0]
    for i in range(count):
        for j in range(count):
            place = (i * count + j) * 2 * LANES
            store(m, place, splat(-matrix[i, j]))
            store(m, place + LANES, splat(0.0))
        place = (i * count + i) * 2 * LANES
        store(m, place, load(m, place) + load(inverse, i * 2 * LANES))
        store(m, place + LANES, load(inverse, i * 2 * LANES + LANES))
    for k in range(count):
        at = (k * count + k) * 2 * LANES
        re, im = load(m, at), load(m, at + LANES)
        scale = splat(1.0) / (re * re + im * im)
        pivot_re, pivot_im = re * scale, splat(0.0) - im * scale
        store(m, at, pivot_re)
        store(m, at + LANES, pivot_im)
        for i in range(k + 1, count):
            place = (i * count + k) * 2 * LANES
            re, im = load(m, place), load(m, place + LANES)
            f_re, f_im = re * pivot_re - im * pivot_im, re * pivot_im + im * pivot_re
            store(m, place, f_re)
            store(m, place + LANES, f_im)
            for j in range(k + 1, count):
                here, above = (i * count + j) * 2 * LANES, (k * count + j) * 2 * LANES
                re, im = load(m, above), load(m, above + LANES)
                store(m, here, load(m, here) - f_re * re + f_im * im)
                store(m, here + LANES, load(m, here + LANES) - f_re * im - f_im * re)


@kernel
def substitute(m, x, count):
    """Solve for (i, part, lane) in place."""
    for i in range(count):
        re, im = load(x, i * 2 * LANES), load(x, i * 2 * LANES + LANES)
        for j in range(i):
            at = (i * count + j) * 2 * LANES
            a, b = load(m, at), load(m, at + LANES)
            c, d = load(x, j * 2 * LANES), load(x, j * 2 * LANES + LANES)
            re, im = re - a * c + b * d, im - a * d - b * c
        store(x, i * 2 * LANES, re)
        store(x, i * 2 * LANES + LANES, im)
    for i in range(count - 1, -1, -1):
        re, im = load(x, i * 2 * LANES), load(x, i * 2 * LANES + LANES)
        for j in range(i + 1, count):
            at = (i * count + j) * 2 * LANES
            a, b = load(m, at), load(m, at + LANES)
            c, d = load(x, j * 2 * LANES), load(x, j * 2 * LANES + LANES)
            re, im = re - a * c + b * d, im - a * d - b * c
        at = (i * count + i) * 2 * LANES
        a, b = load(m, at), load(m, at + LANES)
        store(x, i * 2 * LANES, a * re - b * im)
        store(x, i * 2 * LANES + LANES, a * im + b * re)


@kernel
def substitute_adjoint(m, x, count):
    """Solve the conjugate transpose in place."""
    for i in range(count):
        re, im = load(x, i * 2 * LANES), load(x, i * 2 * LANES + LANES)
        for j in range(i):
            at = (j * count + i) * 2 * LANES
            a, b = load(m, at), load(m, at + LANES)
            c, d = load(x, j * 2 * LANES), load(x, j * 2 * LANES + LANES)
            re, im = re - a * c - b * d, im - a * d + b * c
        at = (i * count + i) * 2 * LANES
        a, b = load(m, at), load(m, at + LANES)
        store(x, i * 2 * LANES, a * re + b * im)
        store(x, i * 2 * LANES + LANES, a * im - b * re)
    for i in range(count - 1, -1, -1):
        re, im = load(x, i * 2 * LANES), load(x, i * 2 * LANES + LANES)
        for j in range(i + 1, count):
            at = (j * count + i) * 2 * LANES
            a, b = load(m, at), load(m, at + LANES)
            c, d = load(x, j * 2 * LANES), load(x, j * 2 * LANES + LANES)
            re, im = re - a * c - b * d, im - a * d + b * c
        store(x, i * 2 * LANES, re)
        store(x, i * 2 * LANES + LANES, im)


@kernel
def take_bins(values, first, bins, taken):
    """Load complex numbers (i, bin) at eight frequencies as (i, part, lane)."""
    for i in range(values.shape[0]):
        for lane in range(LANES):
            k = min(first + lane, bins - 1)
            taken[i, 0, lane], taken[i, 1, lane] = values[i, k, 0], values[i, k, 1]


@kernel
def put_bins(taken, first, bins, values):
    for i in range(values.shape[0]):
        for lane in range(min(LANES, bins - first)):
            values[i, first + lane, 0], values[i, first + lane, 1] = taken[i, 0, lane], taken[i, 1, lane]


@kernel
def combine(weights, x, y):
    """Compute y = weights · x, of (i, j) and (j, part, lane)."""
    for i in range(weights.shape[0]):
        re, im = splat(0.0), splat(0.0)
        for j in range(weights.shape[1]):
            weight = splat(weights[i, j])
            re += weight * load(x, j * 2 * LANES)
            im += weight * load(x, j * 2 * LANES + LANES)
        store(y, i * 2 * LANES, re)
        store(y, i * 2 * LANES + LANES, im)


@kernel
def solve_rows(start, stop, u, delays, sos, matrix, b, c, log_radius, circle, y, signals):
    bins, count, sections = u.shape[2], sos.shape[1], sos.shape[2]
    inverse, m = np.empty((count, 2, LANES)), np.empty((count, count, 2, LANES))
    over, under = np.empty((count, sections, 2, LANES)), np.empty((count, sections, 2, LANES))
    x, driven, heard = np.empty((count, 2, LANES)), np.empty((u.shape[1], 2, LANES)), np.empty((y.shape[1], 2, LANES))
    for row in range(start, stop):
        for first in range(0, bins, LANES):
            loops(first, bins, delays, sos[row], log_radius, circle, inverse, over, under)
            factorize(matrix[row], inverse, m)
            take_bins(u[row], first, bins, driven)
            combine(b[row], driven, x)
            substitute(m, x, count)
            combine(c[row], x, heard)
            put_bins(x, first, bins, signals[row])
            put_bins(heard, first, bins, y[row])


@kernel
def correlate(a, b, sums):
    """Add the real parts of a · conj(b), of (i, part, lane) and (j, part, lane), to (i, j, lane)."""
    wide = b.shape[0]
    for i in range(a.shape[0]):
        re, im = load(a, i * 2 * LANES), load(a, i * 2 * LANES + LANES)
        for j in range(wide):
            at = (i * wide + j) * LANES
            other = re * load(b, j * 2 * LANES) + im * load(b, j * 2 * LANES + LANES)
            store(sums, at, load(sums, at) + other)


@kernel
def slopes(first, bins, sos, log_radius, circle, inverse, over, under, g, x, sums):
    """Compute gradients of the coefficients of all filters, (i, k, coefficient, lane)."""
    radius, count, sections = math.exp(-log_radius), sos.shape[0], sos.shape[1]
    turn = np.empty((4, LANES))
    for lane in range(LANES):
        k = min(first + lane, bins - 1)
        re, im = radius * circle[k, 0], -radius * circle[k, 1]
        turn[0, lane], turn[1, lane] = re, im
        turn[2, lane], turn[3, lane] = re * re - im * im, 2 * re * im
    re1, im1, re2, im2 = load(turn, 0), load(turn, LANES), load(turn, 2 * LANES), load(turn, 3 * LANES)
    for i in range(count):
        at = i * 2 * LANES
        g_re, g_im, x_re, x_im = load(g, at), load(g, at + LANES), load(x, at), load(x, at + LANES)
        d_re, d_im = load(inverse, at), load(inverse, at + LANES)
        # −g · conj(x) · conj(1/D)
        p_re, p_im = g_re * x_re + g_im * x_im, g_im * x_re - g_re * x_im
        w_re = splat(0.0) - (p_re * d_re + p_im * d_im)
        w_im = splat(0.0) - (p_im * d_re - p_re * d_im)
        for k in range(sections):
            place = (i * sections + k) * 2 * LANES
            target = (i * sections + k) * 5 * LANES
            a, b = load(over, place), load(over, place + LANES)
            scale = splat(1.0) / (a * a + b * b)
            # w / conj(numerator)
            v_re, v_im = (w_re * a - w_im * b) * scale, (w_re * b + w_im * a) * scale
            store(sums, target, load(sums, target) - v_re)
            store(sums, target + LANES, load(sums, target + LANES) - (v_re * re1 + v_im * im1))
            store(sums, target + 2 * LANES, load(sums, target + 2 * LANES) - (v_re * re2 + v_im * im2))
            a, b = load(under, place), load(under, place + LANES)
            scale = splat(1.0) / (a * a + b * b)
            v_re, v_im = (w_re * a - w_im * b) * scale, (w_re * b + w_im * a) * scale
            store(sums, target + 3 * LANES, load(sums, target + 3 * LANES) + (v_re * re1 + v_im * im1))
            store(sums, target + 4 * LANES, load(sums, target + 4 * LANES) + (v_re * re2 + v_im * im2))


@kernel
def solve_backward_rows(
    start,
    stop,
    grad,
    u,
    delays,
    sos,
    matrix,
    b,
    c,
    signals,
    log_radius,
    circle,
    grad_u,
    grad_sos,
    grad_matrix,
    grad_b,
    grad_c,
):
    bins, count, sections, inputs = u.shape[2], sos.shape[1], sos.shape[2], u.shape[1]
    outputs = grad.shape[1]
    inverse, m = np.empty((count, 2, LANES)), np.empty((count, count, 2, LANES))
    over, under = np.empty((count, sections, 2, LANES)), np.empty((count, sections, 2, LANES))
    x, g = np.empty((count, 2, LANES)), np.empty((count, 2, LANES))
    driven, heard = np.empty((inputs, 2, LANES)), np.empty((outputs, 2, LANES))
    by_filter, by_matrix = np.empty((count, sections, 5, LANES)), np.empty((count, count, LANES))
    by_b, by_c = np.empty((count, inputs, LANES)), np.empty((outputs, count, LANES))
    for row in range(start, stop):
        to_lines, to_inputs = c[row].T.copy(), b[row].T.copy()
        by_filter[:] = 0.0
        by_matrix[:] = 0.0
        by_b[:] = 0.0
        by_c[:] = 0.0
        for first in range(0, bins, LANES):
            loops(first, bins, delays, sos[row], log_radius, circle, inverse, over, under)
            factorize(matrix[row], inverse, m)
            take_bins(grad[row], first, bins, heard)
            take_bins(signals[row], first, bins, x)
            take_bins(u[row], first, bins, driven)
            for lane in range(bins - first, LANES):  # beyond the last frequency
                heard[:, :, lane] = 0.0
            combine(to_lines, heard, g)
            substitute_adjoint(m, g, count)
            correlate(g, x, by_matrix)
            correlate(g, driven, by_b)
            correlate(heard, x, by_c)
            slopes(first, bins, sos[row], log_radius, circle, inverse, over, under, g, x, by_filter)
            combine(to_inputs, g, driven)
            put_bins(driven, first, bins, grad_u[row])
        for i in range(count):
            for k in range(sections):
                for j in range(5):
                    grad_sos[row, i, k, j] = by_filter[i, k, j].sum()
            for j in range(count):
                grad_matrix[row, i, j] = by_matrix[i, j].sum()
            for j in range(inputs):
                grad_b[row, i, j] = by_b[i, j].sum()
            for j in range(outputs):
                grad_c[row, j, i] = by_c[j, i].sum()
