"""Values measured once per frame, and their interpolation over samples."""

from __future__ import annotations  # those within functions would be evaluated when they are compiled

import torch
import torch.nn.functional as F
from torch import Tensor

from ..backends.dispatch import kernels
from ..gain import apply_gain, channel_dot
from ..operators import formula, is_plain
from ..streaming import remember
from . import _torch as by_torch


def frame_energies(x: Tensor, size: int) -> tuple[Tensor, int]:
    """Compute energies of the frames that a signal, or a block of it, completes.

    Args:
        x: Signals ``(B, C, L)``.
        size: Length H of a frame.

    Returns:
        Mean squares over the channels and samples of each frame ``(B, K)``, and the number of samples of the first
        frame in previous blocks.
    """

    def step(past: Tensor | None) -> tuple[tuple[Tensor, int], Tensor]:
        begun = 0 if past is None else past.shape[-1]
        extended = x if past is None else torch.cat([past, x], -1)
        whole = extended.shape[-1] // size * size
        return (_frame_energies(extended[..., :whole], size), begun), extended[..., whole:].clone()

    return remember(step, "frame begun")


def between_frames(values: Tensor, size: int, begun: int, length: int) -> Tensor:
    r"""Interpolate linearly from the value of each frame to that of the next.

    During a frame, only the values of the two previous frames are known, so it interpolates between them:

    .. math:: y[kH + i] = v[k-2] + \frac{i + 1}{H} (v[k-1] - v[k-2]), \quad 0 \le i < H

    Args:
        values: ``(B, K + 2)``, of the two frames before the completed ones, and of these.
        size: H.
        begun: Number of samples of the first frame that have passed.
        length: L, length of the signal or block.

    Returns:
        ``(B, L)``.
    """
    return _between_frames(values, size, begun, length)


def scale_between_frames(x: Tensor, values: Tensor, size: int, begun: int) -> Tensor:
    """Multiply signals ``(B, C, L)`` by what :func:`between_frames` gives."""
    if len(x) != len(values):
        return apply_gain(x, between_frames(values, size, begun, x.shape[-1]))
    return _scaled(x, values, size, begun)


def _are_for_kernels(*tensors: Tensor) -> bool:
    return is_plain(*tensors) and all(t.dtype == torch.float32 and t.device.type == "cpu" for t in tensors)


def _energies(x: Tensor, size: int) -> Tensor:
    return (kernels("frames", x) if _are_for_kernels(x) else by_torch).energies(x, size)


def _energies_gradient(grad: Tensor, needed: tuple, x: Tensor, size: int) -> tuple[Tensor, None]:
    backend = kernels("frames", x) if _are_for_kernels(grad, x) else by_torch
    return backend.energies_backward(grad, x, size), None


def _scale(x: Tensor, values: Tensor, size: int, begun: int) -> Tensor:
    return (kernels("frames", x) if _are_for_kernels(x, values) else by_torch).scaled(x, values, size, begun)


def _scale_gradient(grad: Tensor, needed: tuple, x: Tensor, values: Tensor, size: int, begun: int) -> tuple:
    if _are_for_kernels(grad, x, values):
        return *kernels("frames", x).scaled_backward(grad, x, values, size, begun), None, None
    lines = by_torch.lines(values, size, begun, x.shape[-1])
    by_lines = channel_dot(grad, x)
    return grad * lines.unsqueeze(1), *_lines_gradient(by_lines, needed, values, size, begun, x.shape[-1])[:3]


def _lines_gradient(grad: Tensor, needed: tuple, values: Tensor, size: int, begun: int, length: int) -> tuple:
    count = values.shape[-1] - 1
    frames = F.pad(grad, (begun, count * size - begun - grad.shape[-1])).unflatten(-1, (count, size))
    share = by_torch.shares(grad, size)
    by_start, by_end = (frames @ torch.stack([1 - share, share], -1)).unbind(-1)
    return F.pad(by_start, (0, 1)) + F.pad(by_end, (1, 0)), None, None, None


_frame_energies = formula(_energies, _energies_gradient, "frame_energies")
_between_frames = formula(by_torch.lines, _lines_gradient, "between_frames")
_scaled = formula(_scale, _scale_gradient, "scale_between_frames")
