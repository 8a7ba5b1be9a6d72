"""Extremes within a window that slides over a signal."""

import torch
from torch import Tensor

from ..errors import ParameterError


def sliding_maximum(u: Tensor, size: int) -> Tensor:
    r"""Largest of each sample and those that follow it in a window.

    .. math:: y[n] = \max(u[n], \dots, u[n + N - 1])

    Windows of doubling size are combined, so that the cost grows with log₂ N.

    Args:
        u: signals of shape ``(..., L)``.
        size: N, from 1 to L.

    Returns:
        Maxima of shape ``(..., L − N + 1)``.

    Raises:
        ParameterError: ``size`` does not fit.
    """
    length = u.shape[-1]
    if not 1 <= size <= length:
        raise ParameterError(f"size is that of a window within {length} samples and cannot be {size}.")
    width = 1
    while 2 * width <= size:
        u, width = torch.maximum(u[..., :-width], u[..., width:]), 2 * width
    rest = size - width
    return torch.maximum(u[..., :-rest], u[..., rest:]) if rest else u
