"""Extremes within a window that slides over a signal."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..errors import ParameterError


def sliding_maximum(u: Tensor, size: int) -> Tensor:
    r"""Largest of each sample and those that follow it in a window.

    .. math:: y[n] = \max(u[n], \dots, u[n + N - 1])

    Windows of doubling size are combined, so that the cost grows with log₂ N. It can be differentiated once; the first
    of equal samples gets the gradient.

    Args:
        u: signals of shape ``(..., L)``.
        size: N, from 1 to L + 1.

    Returns:
        Maxima of shape ``(..., L − N + 1)``.

    Raises:
        ParameterError: ``size`` does not fit.
    """
    length = u.shape[-1]
    if not 1 <= size <= length + 1:
        raise ParameterError(f"size is that of a window within {length} samples and cannot be {size}.")
    return _SlidingMaximum.apply(u, size)


def _shifts(size: int) -> list[int]:
    """By how much a signal is shifted against itself, step by step, for windows to reach a size."""
    width, shifts = 1, []
    while width < size:
        shifts.append(min(width, size - width))
        width += shifts[-1]
    return shifts


class _SlidingMaximum(Function):
    @staticmethod
    def forward(ctx, u: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(u)
        ctx.shifts = _shifts(size)
        y = u.clone()
        for shift in ctx.shifts:
            y = torch.maximum(y[..., :-shift], y[..., shift:])
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        steps = [u]
        for shift in ctx.shifts[:-1]:
            steps.append(torch.maximum(steps[-1][..., :-shift], steps[-1][..., shift:]))
        for y, shift in zip(reversed(steps), reversed(ctx.shifts), strict=False):
            later = grad * (y[..., shift:] > y[..., :-shift]).to(grad.dtype)
            grad = F.pad(grad - later, (0, shift))
            grad[..., shift:] += later
        return grad, None
