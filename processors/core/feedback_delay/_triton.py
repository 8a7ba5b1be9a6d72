"""Triton kernels of :mod:`.feedback_delay` for CUDA: a program for each row, which goes from sample to sample."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..backends.triton_blocks import launch
from ..precision import wide
from ._torch import gradients, places


def feedback_delay(
    x: Tensor, times: Tensor, base: Tensor, feedback: Tensor, past: Tensor, limit: float, scale: float
) -> tuple[Tensor, Tensor]:
    _, place, part = places(x, times, base, past, limit, scale)
    line, taps = torch.cat([past, wide(x)], 1), torch.empty_like(wide(x))
    launch(run, len(x), line, place, part, feedback.contiguous(), taps, past.shape[1], x.shape[1], num_warps=1)
    return taps.to(x.dtype, copy=True), line[:, x.shape[1] :].clone()


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
    now, place, part = places(x, times, base, past, limit, scale)
    before, length = past.shape[1], x.shape[1]
    later = torch.cat([past.new_zeros(len(x), length), grad_final], 1)
    by_tap = wide(grad).clone(memory_format=torch.contiguous_format)
    launch(run_backward, len(x), later, place, part, feedback.contiguous(), by_tap, before, length, num_warps=1)
    return gradients(by_tap, later, (x, times, feedback, past, taps), (now, place), limit, scale)


@triton.jit
def run(line, place, part, feedback, taps, before, length):
    """Write the taps, and add what returns to the line, which holds the past and the input."""
    row = tl.program_id(0).to(tl.int64)
    line += row * (before + length)
    g = tl.load(feedback + row)
    for n in range(length):
        at = row * length + n
        newest, older = tl.load(place + at), tl.load(part + at)
        newer_value, older_value = tl.load(line + newest), tl.load(line + newest - 1)
        tap = newer_value + older * (older_value - newer_value)
        tl.store(taps + at, tap)
        tl.store(line + before + n, tl.load(line + before + n) + g * tap)
        tl.debug_barrier()


@triton.jit
def run_backward(later, place, part, feedback, by_tap, before, length):
    """Complete the gradients of the taps, and of the line, which holds that of the final past."""
    row = tl.program_id(0).to(tl.int64)
    later += row * (before + length)
    g = tl.load(feedback + row)
    for back in range(length):
        n = length - 1 - back
        at = row * length + n
        newest, older = tl.load(place + at), tl.load(part + at)
        to_tap = tl.load(by_tap + at) + g * tl.load(later + before + n)
        tl.store(by_tap + at, to_tap)
        tl.store(later + newest, tl.load(later + newest) + (1 - older) * to_tap)
        tl.store(later + newest - 1, tl.load(later + newest - 1) + older * to_tap)
        tl.debug_barrier()
