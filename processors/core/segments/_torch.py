"""The operators of :mod:`.segments` in plain torch, for every device without compiled kernels."""

import torch
from torch import Tensor

from ..backends.torch_envelopes import fall, slope_of


def segments(shapes: Tensor, linear: list[bool], length: int, dtype: torch.dtype, first: int) -> Tensor:
    y = shapes.new_zeros(shapes.shape[0], length)
    for k, is_linear in enumerate(linear):
        start, base, height, rate = shapes[:, k, :, None].unbind(1)
        time = _times(shapes, length, first) - start
        y = torch.where(time >= 0, base + height * fall(rate * time, is_linear), y)
    return y.to(dtype)


def segments_backward(grad: Tensor, shapes: Tensor, linear: list[bool], first: int) -> Tensor:
    n = _times(shapes, grad.shape[1], first)
    grads = torch.zeros_like(shapes)
    later = torch.zeros_like(grad, dtype=torch.bool)
    for k in range(len(linear) - 1, -1, -1):
        start, _, height, rate = shapes[:, k, :, None].unbind(1)
        g = grad.to(shapes.dtype).masked_fill(later | (n < start), 0)
        later |= n >= start
        time = (n - start).clamp(min=0)
        shape = fall(rate * time, linear[k])
        slope = slope_of(shape, linear[k]) * height
        parts = -slope * rate, torch.ones_like(shape), shape, slope * time
        grads[:, k] = torch.stack([(g * part).sum(1) for part in parts], 1)
    return grads


def _times(like: Tensor, length: int, first: int) -> Tensor:
    return torch.arange(first, first + length, dtype=like.dtype, device=like.device)
