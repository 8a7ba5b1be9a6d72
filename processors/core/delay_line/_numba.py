"""Compiled kernels of :mod:`.delay_line` for the CPU. Imported on first use, since numba is slow to load.

Eight samples are read at a time. ``kind`` selects the interpolation, a constant in the innermost loops.
"""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import inline, kernel, run_rows
from ..backends.numba_vectors import (
    LANES,
    at_least,
    gather,
    larger,
    least,
    load,
    ramp,
    scatter_add,
    smaller,
    splat,
    store,
    total,
    truncate,
    where,
)
from ..operators import empty
from ..precision import wide
from . import ALLPASS, CUBIC, LEADS, LINEAR

MOST = 4  # samples that are read for one


def read_line(
    line: Tensor, times: Tensor, base: Tensor, rows: Tensor, past: int, limit: float, scale: float, kind: int
) -> Tensor:
    y = torch.empty(rows.shape[1], line.shape[1] - past, dtype=line.dtype)
    run_rows(read_rows, y, line, times, wide(base), rows, past, limit, scale, kind)
    return y


def read_line_to_line(
    grad: Tensor,
    line: Tensor,
    times: Tensor,
    base: Tensor,
    rows: Tensor,
    past: int,
    limit: float,
    scale: float,
    kind: int,
) -> Tensor:
    grad_line = empty(line)
    run_rows(line_gradient_rows, grad_line, grad, times, wide(base), rows, past, limit, scale, kind)
    return grad_line


def read_line_to_times(
    grad: Tensor,
    line: Tensor,
    times: Tensor,
    base: Tensor,
    rows: Tensor,
    past: int,
    limit: float,
    scale: float,
    kind: int,
) -> tuple[Tensor, Tensor]:
    grads = empty(times), empty(wide(base))
    run_rows(time_gradient_rows, grads[0], grads[1], grad, line, times, wide(base), rows, past, limit, scale, kind)
    return grads[0], grads[1].to(base.dtype)


def allpass_poles(times: Tensor, base: Tensor, limit: float, scale: float) -> Tensor:
    poles = empty(times)
    run_rows(pole_rows, poles, times, wide(base), limit, scale)
    return poles


def allpass_poles_backward(
    grad: Tensor, times: Tensor, base: Tensor, limit: float, scale: float
) -> tuple[Tensor, Tensor]:
    grads = empty(times), empty(wide(base))
    run_rows(pole_gradient_rows, grads[0], grads[1], grad, times, wide(base), limit, scale)
    return grads[0], grads[1].to(base.dtype)


@inline
def clip(time, limit):
    """Clip to the length of the line; NaN stays NaN."""
    return smaller(splat(limit), larger(splat(0.0), time))


@inline
def inside(time, limit, value):
    """Return the value where the time was not clipped, and zero elsewhere."""
    zeros = splat(0.0)
    return where(at_least(time, zeros), where(at_least(splat(limit), time), value, zeros), zeros)


@inline
def newest(t, kind):
    """Return the age of the newest sample that is read."""
    return truncate(larger(t - splat(LEADS[kind]), splat(0.0)))


@inline
def weights(t, kind):
    """Compute the weights of the newest sample and the previous ones, where the time is the age plus t.

    For an allpass filter, the third is its pole.
    """
    half, one, two = splat(0.5), splat(1.0), splat(2.0)
    if kind == LINEAR:
        return one - t, t, t, t
    if kind == CUBIC:
        a, b, c = t - one, t - two, t - splat(3.0)
        usual = at_least(t, one)
        return (
            a * b * where(usual, c * splat(-1 / 6), half),
            t * b * where(usual, c * half, splat(-1.0)),
            t * a * where(usual, c * splat(-0.5), half),
            t * a * where(usual, b * splat(1 / 6), splat(0.0)),
        )
    usual = at_least(t, half)
    scale = one / where(usual, one + t, two - t)
    return (
        where(usual, one - t, two - t * splat(3.0)) * scale,
        where(usual, one, splat(3.0) * t * scale),
        where(usual, t - one, splat(0.0) - t) * scale,
        t,
    )


@inline
def slopes(t, kind):
    """Compute the derivatives of the weights."""
    half, one, two, three = splat(0.5), splat(1.0), splat(2.0), splat(3.0)
    if kind == LINEAR:
        return splat(-1.0), one, one, one
    if kind == CUBIC:
        f = t - one
        square, usual = three * f * f, at_least(t, one)
        return (
            where(usual, (square - splat(6.0) * f + two) * splat(-1 / 6), f - half),
            where(usual, (square - splat(4.0) * f - one) * half, splat(-2.0) * f),
            where(usual, (square - two * f - two) * splat(-0.5), f + half),
            where(usual, (square - one) * splat(1 / 6), splat(0.0)),
        )
    usual = at_least(t, half)
    root = one / where(usual, one + t, two - t)
    square = root * root
    return (
        where(usual, splat(-2.0), splat(-4.0)) * square,
        where(usual, splat(0.0), splat(6.0)) * square,
        where(usual, two, splat(-2.0)) * square,
        t,
    )


@inline
def heard(row, place, offset):
    """Load samples of a line, preceded by silence."""
    place = place + splat(offset)
    zeros = splat(0.0)
    return where(at_least(place, zeros), gather(row, larger(place, zeros), 0), zeros)


@inline
def weigh(row, place, w, kind):
    """Accumulate weighted samples of a line, from the newest one to earlier ones."""
    place = smaller(place, splat(float(row.size - 1)))
    if least(place) >= MOST - 1.0:
        y = w[0] * gather(row, place, 0) + w[1] * gather(row, place, -1)
        if kind == CUBIC:
            y += w[2] * gather(row, place, -2) + w[3] * gather(row, place, -3)
        return y
    y = w[0] * heard(row, place, 0.0) + w[1] * heard(row, place, -1.0)
    if kind == CUBIC:
        y += w[2] * heard(row, place, -2.0) + w[3] * heard(row, place, -3.0)
    return y


@kernel
def rest(row, whole):
    """Load the remainder after whole vectors, padded with zeros."""
    lanes = np.zeros(LANES, row.dtype)
    lanes[: row.size - whole] = row[whole:]
    return lanes


@kernel
def rest_of_times(row, whole):
    return rest(row, whole) if row.size > 1 else row


@inline
def moment(time, n, base, scale):
    """Load times of eight samples from n on, or a constant."""
    own = load(time, n) if time.size > 1 else splat(np.float64(time[0]))
    return splat(base) + splat(scale) * own


@inline
def read_as(kind, line, time, base, scale, begin, limit, y):
    for n in range(0, y.size, LANES):
        t = clip(moment(time, n, base, scale), limit)
        age = newest(t, kind)
        store(y, n, weigh(line, ramp(begin + n) - age, weights(t - age, kind), kind))


@kernel
def read(kind, line, time, base, scale, begin, limit, y):
    """Read a tap, in whole vectors from sample ``begin`` of its line on."""
    if kind == LINEAR:
        read_as(LINEAR, line, time, base, scale, begin, limit, y)
    elif kind == CUBIC:
        read_as(CUBIC, line, time, base, scale, begin, limit, y)
    else:
        read_as(ALLPASS, line, time, base, scale, begin, limit, y)


@kernel
def read_rows(start, stop, y, lines, times, bases, rows, past, limit, scale, kind):
    length = y.shape[1]
    whole = length // LANES * LANES
    lanes = np.empty(LANES, y.dtype)
    for r in range(start, stop):
        line, time, base = lines[rows[0, r]], times[rows[1, r]], bases[rows[1, r]]
        read(kind, line, time, base, scale, past, limit, y[r, :whole])
        if whole < length:
            read(kind, line, rest_of_times(time, whole), base, scale, past + whole, limit, lanes)
            y[r, whole:] = lanes[: length - whole]


@inline
def write_as(kind, grad, time, base, scale, begin, limit, sums):
    highest = splat(sums.size - MOST - 1.0)
    for n in range(0, grad.size, LANES):
        t = clip(moment(time, n, base, scale), limit)
        age = newest(t, kind)
        w, g = weights(t - age, kind), load(grad, n)
        place = larger(smaller(ramp(begin + n) - age, highest), splat(-1.0))
        scatter_add(sums, place, MOST, w[0] * g)
        scatter_add(sums, place, MOST - 1, w[1] * g)
        if kind == CUBIC:
            scatter_add(sums, place, MOST - 2, w[2] * g)
            scatter_add(sums, place, MOST - 3, w[3] * g)


@kernel
def write(kind, grad, time, base, scale, begin, limit, sums):
    """Run the adjoint of ``read``, added to sums the first of which are from before the line."""
    if kind == LINEAR:
        write_as(LINEAR, grad, time, base, scale, begin, limit, sums)
    elif kind == CUBIC:
        write_as(CUBIC, grad, time, base, scale, begin, limit, sums)
    else:
        write_as(ALLPASS, grad, time, base, scale, begin, limit, sums)


@kernel
def line_gradient_rows(start, stop, grad_lines, grad, times, bases, rows, past, limit, scale, kind):
    length = grad.shape[1]
    whole = length // LANES * LANES
    sums = np.empty(MOST + grad_lines.shape[1])
    for r in range(start, stop):
        sums[:] = 0.0
        for tap in np.flatnonzero(rows[0] == r):
            time, base = times[rows[1, tap]], bases[rows[1, tap]]
            write(kind, grad[tap, :whole], time, base, scale, past, limit, sums)
            if whole < length:
                left = rest_of_times(time, whole)
                write(kind, rest(grad[tap], whole), left, base, scale, past + whole, limit, sums)
        grad_lines[r] = sums[MOST:]


@inline
def tilt_as(kind, grad, line, time, base, scale, begin, limit, grad_time):
    sums = splat(0.0)
    for n in range(0, grad.size, LANES):
        now = moment(time, n, base, scale)
        t = clip(now, limit)
        age = newest(t, kind)
        slope = weigh(line, ramp(begin + n) - age, slopes(t - age, kind), kind)
        slope = inside(now, limit, slope * load(grad, n))
        sums += slope
        if time.size > 1:
            store(grad_time, n, load(grad_time, n) + splat(scale) * slope)
    return total(sums)


@kernel
def tilt(kind, grad, line, time, base, scale, begin, limit, grad_time):
    """Add to the gradient of a tap's times unless they are constant, and return that of their base."""
    if kind == LINEAR:
        return tilt_as(LINEAR, grad, line, time, base, scale, begin, limit, grad_time)
    if kind == CUBIC:
        return tilt_as(CUBIC, grad, line, time, base, scale, begin, limit, grad_time)
    return tilt_as(ALLPASS, grad, line, time, base, scale, begin, limit, grad_time)


@kernel
def time_gradient_rows(start, stop, grad_times, grad_bases, grad, lines, times, bases, rows, past, limit, scale, kind):
    length = grad.shape[1]
    whole = length // LANES * LANES
    for r in range(start, stop):
        time, base, grad_time, sums = times[r], bases[r], grad_times[r], 0.0
        grad_time[:] = 0.0
        for tap in np.flatnonzero(rows[1] == r):
            line = lines[rows[0, tap]]
            sums += tilt(kind, grad[tap, :whole], line, time, base, scale, past, limit, grad_time)
            if whole < length:
                g, left, lanes = rest(grad[tap], whole), rest_of_times(time, whole), rest_of_times(grad_time, whole)
                sums += tilt(kind, g, line, left, base, scale, past + whole, limit, lanes)
                if time.size > 1:
                    grad_time[whole:] = lanes[: length - whole]
        grad_bases[r] = sums
        if time.size == 1:
            grad_time[0] = scale * sums


@kernel
def poles_of(time, base, scale, limit, poles):
    for n in range(0, poles.size, LANES):
        t = clip(moment(time, n, base, scale), limit)
        store(poles, n, weights(t - newest(t, ALLPASS), ALLPASS)[2])


@kernel
def pole_rows(start, stop, poles, times, bases, limit, scale):
    length = times.shape[1]
    whole = length // LANES * LANES
    lanes = np.empty(LANES, poles.dtype)
    for r in range(start, stop):
        poles_of(times[r], bases[r], scale, limit, poles[r, :whole])
        if whole < length:
            poles_of(rest(times[r], whole), bases[r], scale, limit, lanes)
            poles[r, whole:] = lanes[: length - whole]


@kernel
def pole_gradient(grad, time, base, scale, limit, grad_time):
    """Write the gradient of times, and return that of their base."""
    sums = splat(0.0)
    for n in range(0, grad.size, LANES):
        now = moment(time, n, base, scale)
        t = clip(now, limit)
        slope = inside(now, limit, slopes(t - newest(t, ALLPASS), ALLPASS)[2] * load(grad, n))
        sums += slope
        store(grad_time, n, splat(scale) * slope)
    return total(sums)


@kernel
def pole_gradient_rows(start, stop, grad_times, grad_bases, grad, times, bases, limit, scale):
    length = times.shape[1]
    whole = length // LANES * LANES
    lanes = np.empty(LANES, grad_times.dtype)
    for r in range(start, stop):
        sums = pole_gradient(grad[r, :whole], times[r], bases[r], scale, limit, grad_times[r])
        if whole < length:
            sums += pole_gradient(rest(grad[r], whole), rest(times[r], whole), bases[r], scale, limit, lanes)
            grad_times[r, whole:] = lanes[: length - whole]
        grad_bases[r] = sums
