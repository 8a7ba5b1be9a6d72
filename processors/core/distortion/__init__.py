"""Distortion by a curve without memory, between two gains."""

from typing import Any

import torch
from torch import Tensor

from ..backends.dispatch import kernels
from ..operators import formula, is_plain
from ..shapes import as_rows
from . import _torch as by_torch

COMPILED = "hard", "cubic", "tanh", "tube"
"""Curves of which there are kernels."""


def distort(u: Tensor, drive: Tensor, bias: Tensor, gain: Tensor, shape: str) -> Tensor:
    r"""Compute :math:`g\,(f(d u + b) - f(b))`.

    Args:
        u: Signals ``(…, L)``.
        drive: d, ``(…, 1)``.
        bias: b, ``(…, 1)``.
        gain: g, ``(…, 1)``.
        shape: Name of the curve f in :data:`~grafx.processors.core.waveshapes.WAVESHAPES`.

    Returns:
        The distorted signals ``(…, L)``.
    """
    tensors = u, drive, bias, gain
    if shape not in COMPILED or any(t.dtype != torch.float32 or t.device.type != "cpu" for t in tensors):
        return by_torch.distort(*tensors, shape)
    return _distort(*tensors, shape)


def _value(u: Tensor, drive: Tensor, bias: Tensor, gain: Tensor, shape: str) -> Tensor:
    if not is_plain(u, drive, bias, gain):
        return by_torch.distort(u, drive, bias, gain, shape)
    leading, *rows = _rows(u, drive, bias, gain)
    by_kernels: Any = kernels("distortion", u)
    return by_kernels.distort(*rows, shape).reshape(*leading, u.shape[-1])


def _gradient(grad: Tensor, needed: tuple, *arguments: Any) -> tuple:
    tensors, shape = arguments[:4], arguments[4]
    if is_plain(grad, *tensors):
        leading, *rows = _rows(*tensors)
        grads = kernels("distortion", grad).distort_backward(grad.reshape(rows[0].shape), *rows, shape)
        grads = [g.reshape(*leading, g.shape[-1]) for g in grads]
    else:
        grads = by_torch.distort_backward(grad, *tensors, shape)  # pyright: ignore[reportCallIssue]
    return *(g.sum_to_size(v.shape) for g, v in zip(grads, tensors, strict=True)), None


def _rows(u: Tensor, drive: Tensor, bias: Tensor, gain: Tensor) -> tuple:
    return as_rows(u=(u, u.shape[-1]), drive=(drive, 1), bias=(bias, 1), gain=(gain, 1))


_distort = formula(_value, _gradient, "distort")
