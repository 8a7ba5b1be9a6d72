"""FlashFFTConv: half-precision convolutions on the tensor cores of a GPU, if installed."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from ..broadcasting import broadcast_shapes
from ..lasting import lasting
from .switches import is_on

SHORTEST, LONGEST = 2**8, 2**22  # transforms that it has
ROWS = 16  # long transforms take so many rows at a time


def is_supported() -> bool:
    """Whether it is installed and not turned off, and the GPU has the tensor cores that it needs."""
    if not is_on("FLASH_FFT") or find_spec("flashfftconv") is None or not torch.cuda.is_available():
        return False
    return torch.cuda.get_device_capability() >= (8, 0)


def takes(x: Tensor, h: Tensor, delay: int) -> bool:
    """Whether it supports these arguments, see :func:`convolve`."""
    return x.is_cuda and x.dtype == torch.float32 and x.numel() > 0 and _transform_length(x, h, delay) <= LONGEST


def convolve(x: Tensor, h: Tensor, delay: int) -> Tensor:
    """Compute y[n] = Σ h[m] x[n + delay − m], with bfloat16 signals.

    Args:
        x: Signals ``(B, C, L)``.
        h: Filters ``(B, C', N)``. Batch and channels broadcast.
        delay: From 0 to N − 1.
    """
    shape = broadcast_shapes(x.shape[:2], h.shape[:2])
    rows, length = shape.numel(), _transform_length(x, h, delay)
    # It has one filter for each channel, so each signal becomes a channel.
    u, k = (
        F.pad(v.expand(*shape, -1).flatten(0, 1), (0, length // 2 - v.shape[-1], 0, -rows % ROWS)).contiguous()
        for v in (x, h)
    )
    y = _transform(length, x.device)(u.unsqueeze(0).bfloat16(), k.float())
    return y[0, :rows, delay : delay + x.shape[-1]].unflatten(0, shape).to(x.dtype)


def _transform_length(x: Tensor, h: Tensor, delay: int) -> int:
    """Return twice the padded power of two, so that nothing wraps around."""
    longer = max(x.shape[-1] + delay, h.shape[-1])
    return max(SHORTEST, 2 << (longer - 1).bit_length())


@cache
@lasting()
def _transform(length: int, device: torch.device) -> nn.Module:
    return import_module("flashfftconv").FlashFFTConv(length, dtype=torch.bfloat16).to(device)
