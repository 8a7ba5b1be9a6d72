"""Compiled kernels of :mod:`.segments` for the CPU. Imported on first use, since numba is slow to load."""

import torch
from torch import Tensor

from ..backends.numba_envelopes import (
    draw_fall,
    fall_gradient,
    sample_at,
)
from ..backends.numba_rows import kernel, run_rows


def segments(shapes: Tensor, linear: list[bool], length: int, dtype: torch.dtype, first_sample: int) -> Tensor:
    y = torch.empty(shapes.shape[0], length, dtype=dtype)
    run_rows(segment_rows, y, shapes, torch.tensor(linear), first_sample, torch.finfo(dtype).tiny)
    return y


def segments_backward(grad: Tensor, shapes: Tensor, linear: list[bool], first_sample: int) -> Tensor:
    grads = torch.empty_like(shapes)
    run_rows(segment_backward_rows, grad, shapes, torch.tensor(linear), first_sample, grads)
    return grads


@kernel
def segment_rows(start, stop, y, shapes, linear, first_sample, tiny):
    length, count = y.shape[1], linear.size
    for row in range(start, stop):
        begin = length
        for k in range(count - 1, -1, -1):
            end = begin
            time, base, height, rate = shapes[row, k]
            begin = sample_at(time - first_sample, 0, end)
            draw_fall(y[row], begin, end, first_sample + begin - time, base, height, rate, linear[k], tiny)
        y[row, :begin] = 0.0


@kernel
def segment_backward_rows(start, stop, grad, shapes, linear, first_sample, grads):
    for row in range(start, stop):
        begin = grad.shape[1]
        for k in range(linear.size - 1, -1, -1):
            end = begin
            time, _, height, rate = shapes[row, k]
            begin = sample_at(time - first_sample, 0, end)
            grads[row, k] = fall_gradient(grad[row], begin, end, first_sample + begin - time, height, rate, linear[k])
