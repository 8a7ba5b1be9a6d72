"""Sliding extremes of signals."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ParameterError
from .operators import formula


def sliding_maximum(u: Tensor, size: int) -> Tensor:
    r"""Compute the maximum of each sample and the following ones in a window.

    .. math:: y[n] = \max(u[n], \dots, u[n + N - 1])

    Windows of doubling size are combined, so that the cost grows with log₂ N. It can be differentiated once; the first
    of equal samples gets the gradient.

    Args:
        u: Signals of shape ``(..., L)``.
        size: N, from 1 to L + 1.

    Returns:
        Maxima of shape ``(..., L − N + 1)``.

    Raises:
        ParameterError: ``size`` does not fit.
    """
    length = u.shape[-1]
    if not 1 <= size <= length + 1:
        raise ParameterError(f"size is that of a window within {length} samples and cannot be {size}.")
    return _sliding_maximum(u, size)


def _shifts(size: int) -> list[int]:
    """Return the shifts, step by step, that extend windows to a size."""
    width, shifts = 1, []
    while width < size:
        shifts.append(min(width, size - width))
        width += shifts[-1]
    return shifts


def _maximum(u: Tensor, size: int) -> Tensor:
    y = u
    for shift in _shifts(size):
        y = torch.maximum(y[..., :-shift], y[..., shift:])
    return y.clone() if y is u else y


def _maximum_gradient(grad: Tensor, needed: tuple, u: Tensor, size: int) -> tuple[Tensor, None]:
    steps, shifts = [u], _shifts(size)
    for shift in shifts[:-1]:
        steps.append(torch.maximum(steps[-1][..., :-shift], steps[-1][..., shift:]))
    for y, shift in zip(reversed(steps), reversed(shifts), strict=False):
        later = grad * (y[..., shift:] > y[..., :-shift]).to(grad.dtype)
        grad = F.pad(grad - later, (0, shift))
        grad[..., shift:] += later
    return grad, None


# For equal samples, its gradient differs from that of autograd.
_sliding_maximum = formula(_maximum, _maximum_gradient, "sliding_maximum", surrogate=True)
