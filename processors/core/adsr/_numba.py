"""Compiled kernels of :mod:`.adsr` for the CPU. Imported on first use, since numba is slow to load.

A stage follows an edge of the gate. The sample of the edge itself belongs to the stage before it, and is the initial
level of the new one.
"""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_envelopes import draw_fall, draw_line, fall_gradient, sample_at, sums
from ..backends.numba_rows import kernel, run_rows
from ..operators import empty

STRIDE = 64  # samples that are searched for an edge at once


def adsr(held: Tensor, values: Tensor, state: Tensor, linear: bool, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    y, final = empty(held, dtype), empty(state)
    run_rows(adsr_rows, held, values, state, linear, torch.finfo(dtype).tiny, y, final)
    return y, final


def adsr_backward(
    grad: Tensor, grad_final: Tensor, held: Tensor, values: Tensor, state: Tensor, y: Tensor, linear: bool
) -> tuple[Tensor, Tensor]:
    grads = empty(values), empty(state)
    run_rows(adsr_backward_rows, held, grad, grad_final, values, state, y, linear, *grads)
    return grads


@kernel
def draw_stage(y, start, stop, time, on, level, values, linear, tiny):
    """Compute samples from ``start`` to ``stop`` of a stage that began before the first of them."""
    attack, decay, sustain, release = values
    if not on:
        draw_fall(y, start, stop, time, 0.0, level, release, linear, tiny)
        return
    rise = (1.0 - level) / attack
    peak = sample_at(start - time + rise, start, stop)
    draw_line(y, start, peak, level + attack * time, attack)
    draw_fall(y, peak, stop, peak - start + time - rise, sustain, 1.0 - sustain, decay, linear, tiny)


@kernel
def stage_gradient(g, start, stop, time, on, level, values, linear, grad_values):
    """Add the gradients to the values, and return that to the initial level of the stage."""
    attack, decay, sustain, release = values
    if not on:
        _, _, by_level, by_rate = fall_gradient(g, start, stop, time, level, release, linear)
        grad_values[3] += by_rate
        return by_level
    rise = (1.0 - level) / attack
    peak = sample_at(start - time + rise, start, stop)
    by_level, _, by_slope = sums(g, start, peak, 1.0, 0.0, time)
    since = peak - start + time - rise
    by_peak, by_base, by_height, by_rate = fall_gradient(g, peak, stop, since, 1.0 - sustain, decay, linear)
    grad_values[0] += by_slope - by_peak * rise / attack
    grad_values[1] += by_rate
    grad_values[2] += by_base - by_height
    return by_level - by_peak / attack


@kernel
def next_edge(held, n, on):
    """Return the first sample, from n on, where the gate changes; or the number of samples."""
    while n + STRIDE <= held.size:
        others = 0
        for i in range(STRIDE):
            others += held[n + i] != on
        if others > 0:
            break
        n += STRIDE
    while n < held.size and held[n] == on:
        n += 1
    return n


@kernel
def adsr_rows(start, stop, held, values, state, linear, tiny, y, final):
    length, at_edge = held.shape[1], np.empty(1)
    for row in range(start, stop):
        level, elapsed, on = state[row, 0], state[row, 1], state[row, 2] > 0.5
        begin = 0
        while begin < length:
            edge = next_edge(held[row], begin, on)
            end = min(edge + 1, length)
            draw_stage(y[row], begin, end, elapsed, on, level, values[row], linear, tiny)
            elapsed += end - begin
            if edge < length:
                draw_stage(at_edge, 0, 1, elapsed - 1.0, on, level, values[row], linear, tiny)
                level, elapsed, on = at_edge[0], 1.0, not on
            begin = end
        final[row, 0], final[row, 1], final[row, 2] = level, elapsed, on


@kernel
def is_on(held, was_on, n):
    """Whether the gate was open before sample n, which determines its stage."""
    return held[n - 1] if n > 0 else was_on


@kernel
def adsr_backward_rows(start, stop, held, grad, grad_final, values, state, y, linear, grad_values, grad_state):
    length, at_edge = held.shape[1], np.empty(1)
    for row in range(start, stop):
        was_on, by_level, end = state[row, 2] > 0.5, grad_final[row, 0], length
        grad_values[row] = 0.0
        while end > 0:
            on, begin = is_on(held[row], was_on, end - 1), end - 1
            while begin > 0 and is_on(held[row], was_on, begin - 1) == on:
                begin -= 1
            level, elapsed = state[row, 0], state[row, 1]
            if begin > 0:
                level, elapsed = np.float64(y[row, begin - 1]), 1.0
            at_edge[0] = 0.0
            if held[row, end - 1] != on:  # the stage after this one starts from its last sample
                at_edge[0], by_level = by_level, 0.0
            by_level += stage_gradient(
                at_edge, 0, 1, elapsed + (end - 1 - begin), on, level, values[row], linear, grad_values[row]
            )
            by_level += stage_gradient(grad[row], begin, end, elapsed, on, level, values[row], linear, grad_values[row])
            end = begin
        grad_state[row, 0], grad_state[row, 1], grad_state[row, 2] = by_level, 0.0, 0.0
