"""The operators of :mod:`.state_space` in plain torch, for every device without compiled kernels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..precision import wide


def state_space(u: Tensor, system: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    length = u.shape[1]
    x = _states(system[:, :-1, :-1], system[:, :-1, -1:] * wide(u)[:, None], state)
    y = (system[:, -1:, :-1] @ x[..., :length])[:, 0] + system[:, -1, -1:] * wide(u)
    return y.to(u.dtype), x[..., -1].clone(), x[..., :length:chunk].mT.contiguous()


def state_space_backward(
    grad: Tensor, grad_final: Tensor, u: Tensor, system: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    length = u.shape[1]
    if length == 0:
        return torch.empty_like(u), torch.zeros_like(system), grad_final.clone()
    x = _states(system[:, :-1, :-1], system[:, :-1, -1:] * wide(u)[:, None], checkpoints[:, 0])[..., :length]
    driven = system[:, -1, :-1, None] * wide(grad)[:, None]
    costates = _states(system[:, :-1, :-1].mT, driven.flip(2), grad_final).flip(2)
    later = torch.cat([costates[..., 1:], wide(grad)[:, None]], 1)
    grad_u = (system[..., -1:].mT @ later)[:, 0]
    grad_system = later @ torch.cat([x, wide(u)[:, None]], 1).mT
    return grad_u.to(u.dtype), grad_system, costates[..., 0].clone()


def _states(a: Tensor, v: Tensor, initial: Tensor) -> Tensor:
    """Compute x[n + 1] = A·x[n] + v[n] from x[0], by doubling the summed span of each sample."""
    x, span = F.pad(v, (1, 0)), 1
    x = torch.cat([initial[..., None], x[..., 1:]], 2)
    while span < x.shape[2]:
        x = torch.cat([x[..., :span], x[..., span:] + a @ x[..., :-span]], 2)
        a = a @ a
        span *= 2
    return x
