"""Compiled kernels of :mod:`.ramp` for the CPU. Imported on first use, since numba is slow to load."""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import kernel, run_rows
from ..operators import empty
from ..precision import wide
from ._torch import LANDED, MOVED, OVER, STARTED


def ramp(targets: Tensor, duration: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    outputs = empty(targets), empty(state), empty(targets, torch.uint8)
    run_rows(ramp_rows, targets, _wide_if_constant(duration), state, *outputs)
    return outputs


def ramp_backward(
    grad: Tensor, grad_final: Tensor, targets: Tensor, duration: Tensor, state: Tensor, y: Tensor, events: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    durations = _wide_if_constant(duration)
    grads = empty(targets), empty(durations), empty(state)
    run_rows(ramp_backward_rows, grad, grad_final, targets, durations, state, y, events, *grads)
    return grads[0], grads[1].to(duration.dtype), grads[2]


def _wide_if_constant(duration: Tensor) -> Tensor:
    return wide(duration) if duration.shape[1] == 1 else duration


@kernel
def ramp_rows(start, stop, targets, duration, state, y, final, events):
    varying = duration.shape[1] > 1
    for row in range(start, stop):
        value, target, increment, remaining = state[row]
        n = 0
        while n < targets.shape[1]:
            x = np.float64(targets[row, n])
            event = 0
            if remaining <= OVER or abs(x - target) > MOVED:
                remaining = max(np.float64(duration[row, n if varying else 0]), 1.0)
                increment = (x - value) * (1.0 / remaining)
                target = x
                event = STARTED
            else:
                remaining -= 1.0
            if remaining <= 1.0:
                value = target
                remaining = 0.0
                event += LANDED
            else:
                value += increment
            y[row, n] = value
            events[row, n] = event
            n += 1
            # Within a ramp, which is most of the time, this is all there is to do.
            while n < targets.shape[1] and remaining > 2.0 and abs(targets[row, n] - target) <= MOVED:
                remaining -= 1.0
                value += increment
                y[row, n] = value
                events[row, n] = 0
                n += 1
        final[row, 0], final[row, 1], final[row, 2], final[row, 3] = value, target, increment, remaining


@kernel
def ramp_backward_rows(
    start, stop, grad, grad_final, targets, duration, state, y, events, grad_targets, grad_duration, grad_state
):
    varying = duration.shape[1] > 1
    for row in range(start, stop):
        value, target, increment, remaining = grad_final[row]
        slopes = 0.0
        for n in range(targets.shape[1] - 1, -1, -1):
            event = events[row, n]
            value += grad[row, n]
            if event & LANDED:
                target += value
                value = 0.0
                remaining = 0.0
            else:
                increment += value
            by_target, slope = 0.0, 0.0
            if event & STARTED:
                given = np.float64(duration[row, n if varying else 0])
                rate = 1.0 / max(given, 1.0)
                before = np.float64(y[row, n - 1]) if n > 0 else state[row, 0]
                by_distance = increment * rate
                by_target = target + by_distance
                if given >= 1.0:
                    slope = remaining - by_distance * (targets[row, n] - before) * rate
                value -= by_distance
                target, increment, remaining = 0.0, 0.0, 0.0
            grad_targets[row, n] = by_target
            if varying:
                grad_duration[row, n] = slope
            slopes += slope
        if duration.shape[1] == 1:
            grad_duration[row, 0] = slopes
        grad_state[row, 0], grad_state[row, 1] = value, target
        grad_state[row, 2], grad_state[row, 3] = increment, remaining
