"""Triton kernels of :mod:`.ramp` for CUDA. Imported on first use, since triton is optional.

The start of a ramp depends on all previous samples, so they run sample by sample, with a warp for each row.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..backends.triton_blocks import launch
from ._torch import LANDED, MOVED, OVER, STARTED

WARP = 32
OUTSIDE = 4  # added to STARTED and LANDED, for lanes beyond the signal
EVENTS = {"STARTED": STARTED, "LANDED": LANDED}


def ramp(targets: Tensor, duration: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    y, final = _empty(targets), _empty(state)
    events = _empty(targets, torch.uint8)
    inputs = targets.contiguous(), duration, *_strides(duration), state.contiguous()
    outputs = y, final, events
    _launch(ramp_rows, *inputs, *outputs, targets.shape[1], MOVED=MOVED, OVER=OVER)
    return outputs


def ramp_backward(
    grad: Tensor, grad_final: Tensor, targets: Tensor, duration: Tensor, state: Tensor, y: Tensor, events: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    grad_targets, grad_state = _empty(targets), _empty(state)
    slopes = torch.empty_like(targets, dtype=torch.float64, memory_format=torch.contiguous_format)
    signals = (t.contiguous() for t in (grad, grad_final, targets, state, y, events))
    outputs = grad_targets, slopes, grad_state
    _launch(ramp_gradients, *signals, duration, *_strides(duration), *outputs, targets.shape[1], OUTSIDE=OUTSIDE)
    grad_duration = slopes.sum(1, keepdim=True) if duration.shape[1] == 1 else slopes
    return grad_targets, grad_duration.to(duration.dtype), grad_state


def _launch(kernel: Any, signals: Tensor, *arguments: Tensor | int, **constants: Any) -> None:
    launch(kernel, signals.shape[0], signals, *arguments, WARP=WARP, num_warps=1, **EVENTS, **constants)


def _strides(duration: Tensor) -> tuple[int, int]:
    """Return the strides from row to row and from sample to sample, which is zero for a constant duration."""
    return duration.stride(0), duration.stride(1) if duration.shape[1] > 1 else 0


def _empty(like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return like.new_empty(like.shape, dtype=dtype)


@triton.jit
def pick(values, lane: tl.constexpr, WARP: tl.constexpr):
    """Broadcast the value of one lane to all."""
    return tl.gather(values, tl.full([WARP], lane, tl.int32), 0)


@triton.jit
def ramp_rows(
    targets, duration, duration_row, duration_step, state, y, final, events, length,
    WARP: tl.constexpr, STARTED: tl.constexpr, LANDED: tl.constexpr, MOVED: tl.constexpr, OVER: tl.constexpr,
):  # fmt: skip
    """Process with one sample per lane of a warp, and the state in all lanes."""
    row = tl.program_id(0).to(tl.int64)
    lanes = tl.arange(0, WARP)
    every = tl.zeros([WARP], tl.float64)
    value, target = every + tl.load(state + row * 4), every + tl.load(state + row * 4 + 1)
    increment, remaining = every + tl.load(state + row * 4 + 2), every + tl.load(state + row * 4 + 3)
    for start in range(0, length, WARP):
        n = start + lanes
        inside = n < length
        samples = tl.load(targets + row * length + n, inside, 0).to(tl.float64)
        lengths = tl.load(duration + row * duration_row + n * duration_step, inside, 1).to(tl.float64)
        lengths = tl.where(lengths < 1, 1, lengths)
        rates = 1 / lengths
        values, happened = every, tl.zeros([WARP], tl.int32)
        for lane in tl.static_range(WARP):
            x, d, rate = pick(samples, lane, WARP), pick(lengths, lane, WARP), pick(rates, lane, WARP)
            here = start + lane < length
            starts = here & ((remaining <= OVER) | (tl.abs(x - target) > MOVED))
            increment = tl.where(starts, (x - value) * rate, increment)
            target = tl.where(starts, x, target)
            remaining = tl.where(starts, d, tl.where(here, remaining - 1, remaining))
            lands = here & (remaining <= 1)
            value = tl.where(lands, target, tl.where(here, value + increment, value))
            remaining = tl.where(lands, 0, remaining)
            values = tl.where(lanes == lane, value, values)
            event = tl.where(starts, STARTED, 0) + tl.where(lands, LANDED, 0)
            happened = tl.where(lanes == lane, event, happened)
        tl.store(y + row * length + n, values, inside)
        tl.store(events + row * length + n, happened.to(tl.uint8), inside)
    first = lanes == 0
    tl.store(final + row * 4 + lanes, value, first)
    tl.store(final + row * 4 + 1 + lanes, target, first)
    tl.store(final + row * 4 + 2 + lanes, increment, first)
    tl.store(final + row * 4 + 3 + lanes, remaining, first)


@triton.jit
def ramp_gradients(
    grad, grad_final, targets, state, y, events, duration, duration_row, duration_step,
    grad_targets, slopes, grad_state, length,
    WARP: tl.constexpr, STARTED: tl.constexpr, LANDED: tl.constexpr, OUTSIDE: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    lanes = tl.arange(0, WARP)
    every = tl.zeros([WARP], tl.float64)
    value, target = every + tl.load(grad_final + row * 4), every + tl.load(grad_final + row * 4 + 1)
    increment, remaining = every + tl.load(grad_final + row * 4 + 2), every + tl.load(grad_final + row * 4 + 3)
    blocks = tl.cdiv(length, WARP)
    for block in range(0, blocks):
        n = (blocks - 1 - block) * WARP + lanes
        inside = n < length
        grads = tl.load(grad + row * length + n, inside, 0).to(tl.float64)
        happened = tl.load(events + row * length + n, inside, OUTSIDE).to(tl.int32)
        given = tl.load(duration + row * duration_row + n * duration_step, inside, 1).to(tl.float64)
        rates = 1 / tl.where(given < 1, 1, given)
        by_targets, by_distances, by_remaining = every, every, every
        for lane in tl.static_range(WARP - 1, -1, -1):
            event, rate = pick(happened, lane, WARP), pick(rates, lane, WARP)
            starts, lands = (event & STARTED) != 0, (event & LANDED) != 0
            value += pick(grads, lane, WARP)
            target += tl.where(lands, value, 0)
            increment += tl.where((event & (LANDED | OUTSIDE)) == 0, value, 0)
            value = tl.where(lands, 0, value)
            remaining = tl.where(lands, 0, remaining)
            by_distance = tl.where(starts, increment * rate, 0)
            seen = starts & (lanes == lane)
            by_targets = tl.where(seen, target + by_distance, by_targets)
            by_distances = tl.where(seen, by_distance, by_distances)
            by_remaining = tl.where(seen, remaining, by_remaining)
            value -= by_distance
            target = tl.where(starts, 0, target)
            increment = tl.where(starts, 0, increment)
            remaining = tl.where(starts, 0, remaining)
        x = tl.load(targets + row * length + n, inside, 0).to(tl.float64)
        before = tl.load(y + row * length + n - 1, inside & (n > 0), 0).to(tl.float64)
        before += tl.where(n == 0, tl.load(state + row * 4), 0)
        slope = tl.where(given < 1, 0, by_remaining - by_distances * (x - before) * rates)
        tl.store(grad_targets + row * length + n, by_targets, inside)
        tl.store(slopes + row * length + n, slope, inside)
    first = lanes == 0
    tl.store(grad_state + row * 4 + lanes, value, first)
    tl.store(grad_state + row * 4 + 1 + lanes, target, first)
    tl.store(grad_state + row * 4 + 2 + lanes, increment, first)
    tl.store(grad_state + row * 4 + 3 + lanes, remaining, first)
