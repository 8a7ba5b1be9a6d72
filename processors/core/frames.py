"""Values measured once per frame, and their interpolation over samples."""

from __future__ import annotations  # those within functions would be evaluated when they are compiled

import torch
import torch.nn.functional as F
from torch import Tensor

from .operators import formula
from .streaming import remember


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


def _energies(x: Tensor, size: int) -> Tensor:
    frames = x.unflatten(-1, (-1, size))
    return torch.linalg.vecdot(frames, frames).sum(1).div_(x.shape[1] * size)


def _energies_gradient(grad: Tensor, needed: tuple, x: Tensor, size: int) -> tuple[Tensor, None]:
    scale = (grad * (2 / (x.shape[1] * size)))[:, None, :, None]
    return (x.unflatten(-1, (-1, size)) * scale).flatten(-2), None


def _lines(values: Tensor, size: int, begun: int, length: int) -> Tensor:
    # Unlike a sum with the difference, it ends exactly at the value, however small.
    lines = torch.lerp(values[:, :-1, None], values[:, 1:, None], _shares(values, size))
    return lines.flatten(1)[:, begun : begun + length]


def _lines_gradient(grad: Tensor, needed: tuple, values: Tensor, size: int, begun: int, length: int) -> tuple:
    count = values.shape[-1] - 1
    frames = F.pad(grad, (begun, count * size - begun - grad.shape[-1])).unflatten(-1, (count, size))
    share = _shares(grad, size)
    by_start, by_end = (frames @ torch.stack([1 - share, share], -1)).unbind(-1)
    return F.pad(by_start, (0, 1)) + F.pad(by_end, (1, 0)), None, None, None


def _shares(like: Tensor, size: int) -> Tensor:
    return torch.arange(1, size + 1, device=like.device, dtype=like.dtype) / size


_frame_energies = formula(_energies, _energies_gradient, "frame_energies")
_between_frames = formula(_lines, _lines_gradient, "between_frames")
