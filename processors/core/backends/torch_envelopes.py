"""Straight lines and exponential falls in plain torch."""

import torch
from torch import Tensor


def fall(x: Tensor, is_linear: bool) -> Tensor:
    """f(x) of a segment; before its start, a number that is finite."""
    return (1 - x.clamp(min=0)).clamp(min=0) if is_linear else torch.exp(-x.clamp(min=0))


def slope_of(shape: Tensor, is_linear: bool) -> Tensor:
    """The slope of f at x, from f(x)."""
    return -(shape > 0).to(shape.dtype) if is_linear else -shape
