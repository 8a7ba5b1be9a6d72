"""Plain-torch kernels of :mod:`.frames` for every device."""

import torch
from torch import Tensor


def energies(x: Tensor, size: int) -> Tensor:
    frames = x.unflatten(-1, (-1, size))
    return torch.linalg.vecdot(frames, frames).sum(1).div_(x.shape[1] * size)


def energies_backward(grad: Tensor, x: Tensor, size: int) -> Tensor:
    scale = (grad * (2 / (x.shape[1] * size)))[:, None, :, None]
    return (x.unflatten(-1, (-1, size)) * scale).flatten(-2)


def scaled(x: Tensor, values: Tensor, size: int, begun: int) -> Tensor:
    return x * lines(values, size, begun, x.shape[-1]).unsqueeze(1)


def lines(values: Tensor, size: int, begun: int, length: int) -> Tensor:
    # Unlike a sum with the difference, it ends exactly at the value, however small.
    found = torch.lerp(values[:, :-1, None], values[:, 1:, None], shares(values, size))
    return found.flatten(1)[:, begun : begun + length]


def shares(like: Tensor, size: int) -> Tensor:
    return torch.arange(1, size + 1, device=like.device, dtype=like.dtype) / size
