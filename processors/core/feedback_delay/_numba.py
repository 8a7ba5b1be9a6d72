"""Compiled kernels of :mod:`.feedback_delay` for the CPU. Imported on first use, since numba is slow to load."""

import numpy as np
from torch import Tensor

from ..backends.numba_rows import inline, kernel, run_rows, tiny
from ..operators import empty
from . import SHORTEST


def feedback_delay(
    x: Tensor, times: Tensor, base: Tensor, feedback: Tensor, past: Tensor, limit: float, scale: float
) -> tuple[Tensor, Tensor]:
    taps, final = empty(x), empty(past)
    run_rows(tap_rows, taps, x, times, base, feedback, past, limit, scale, tiny(x), final)
    return taps, final


def feedback_delay_backward(
    grad: Tensor,
    grad_final: Tensor,
    x: Tensor,
    times: Tensor,
    base: Tensor,
    feedback: Tensor,
    past: Tensor,
    taps: Tensor,
    limit: float,
    scale: float,
) -> tuple[Tensor, ...]:
    grads = tuple(map(empty, (x, times, base, feedback, past)))
    arguments = grad, grad_final, x, times, base, feedback, past, taps, limit, scale
    run_rows(tap_gradient_rows, *arguments, *grads, work=2)
    return grads


@inline
def clip(time, limit):
    """Clip the time; NaN is clipped too, since it is used as an index."""
    if not time >= SHORTEST:
        return SHORTEST
    return min(time, limit)


@kernel
def tap_rows(start, stop, taps, x, times, bases, feedback, past, limit, scale, tiny, final):
    length, before = taps.shape[1], past.shape[1]
    moves = times.shape[1] > 1
    line = np.empty(before + length)
    for r in range(start, stop):
        line[:before] = past[r]
        base, gain = bases[r], feedback[r]
        for n in range(length):
            t = clip(base + scale * times[r, n if moves else 0], limit)
            age = int(t)
            place = before + n - age
            tap = line[place] + (t - age) * (line[place - 1] - line[place])
            v = x[r, n] + gain * tap
            taps[r, n] = tap
            # A loop without input decays to the subnormal range, where arithmetic is slow.
            line[before + n] = v if abs(v) >= tiny else 0.0
        final[r] = line[length:]


@kernel
def tap_gradient_rows(
    start,
    stop,
    grad,
    grad_final,
    x,
    times,
    bases,
    feedback,
    past,
    taps,
    limit,
    scale,
    grad_x,
    grad_times,
    grad_bases,
    grad_feedback,
    grad_past,
):
    length, before = grad.shape[1], past.shape[1]
    moves = times.shape[1] > 1
    line, later = np.empty(before + length), np.empty(before + length)
    for r in range(start, stop):
        base, gain = bases[r], feedback[r]
        line[:before] = past[r]
        for n in range(length):
            line[before + n] = x[r, n] + gain * taps[r, n]
        later[:] = 0.0
        later[length:] = grad_final[r]
        by_time, by_gain = 0.0, 0.0
        for n in range(length - 1, -1, -1):
            now = base + scale * times[r, n if moves else 0]
            t = clip(now, limit)
            age = int(t)
            place, part = before + n - age, t - age
            by_v = later[before + n]
            by_tap = grad[r, n] + gain * by_v
            later[place] += (1.0 - part) * by_tap
            later[place - 1] += part * by_tap
            slope = by_tap * (line[place - 1] - line[place]) if SHORTEST <= now <= limit else 0.0
            by_time += slope
            by_gain += by_v * taps[r, n]
            grad_x[r, n] = by_v
            if moves:
                grad_times[r, n] = scale * slope
        if not moves:
            grad_times[r] = scale * by_time
        grad_bases[r], grad_feedback[r] = by_time, by_gain
        grad_past[r] = later[:before]
