"""Linear and exponential segments in plain torch."""

import torch
from torch import Tensor


def fall(x: Tensor, is_linear: bool) -> Tensor:
    """Evaluate f(x) of a segment; before its start, return a finite number."""
    return (1 - x.clamp(min=0)).clamp(min=0) if is_linear else torch.exp(-x.clamp(min=0))


def slope_of(shape: Tensor, is_linear: bool) -> Tensor:
    """Compute the derivative of f at x from f(x)."""
    return -(shape > 0).to(shape.dtype) if is_linear else -shape
