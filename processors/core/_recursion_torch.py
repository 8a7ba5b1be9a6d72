"""The operators of :mod:`.recursion` in plain torch, for every device without compiled kernels."""

import torch
import torch.nn.functional as F
from torch import Tensor


def onepole(u: Tensor, alpha: Tensor, initial: Tensor, taps: int) -> Tensor:
    a = alpha.to(u.dtype)[:, None]
    driven = linear_recursion((1 - a) * _truncate(u, a, taps), a)
    return driven + initial[:, None] * a ** torch.arange(1, u.shape[1] + 1, device=u.device)


def onepole_backward(
    grad: Tensor, u: Tensor, alpha: Tensor, initial: Tensor, y: Tensor, taps: int
) -> tuple[Tensor, Tensor, Tensor]:
    a = alpha.to(u.dtype)[:, None]
    s = linear_recursion(grad.flip(1), a).flip(1)
    v = _truncate(u, a, taps)
    slope = _delay(y, initial) - v
    if taps < u.shape[1]:
        slope[:, taps:] -= (1 - a) * taps * a ** (taps - 1) * u[:, :-taps]
    grad_u = (1 - a) * _truncate(s.flip(1), a, taps).flip(1)
    grad_initial = (a * s)[:, :1].sum(1)
    return grad_u, (s * slope).sum(1).to(alpha.dtype), grad_initial.to(initial.dtype)


def ballistics(u: Tensor, attack: Tensor, release: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    y, rising = torch.empty_like(u), torch.empty_like(u, dtype=torch.bool)
    state = initial.to(u.dtype)
    for n, x in enumerate(u.unbind(1)):
        rising[:, n] = x >= state
        a = torch.where(rising[:, n], attack, release).to(u.dtype)
        state = a * state + (1 - a) * x
        y[:, n] = state
    return y, rising


def ballistics_backward(
    grad: Tensor, u: Tensor, attack: Tensor, release: Tensor, initial: Tensor, y: Tensor, rising: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    a = torch.where(rising, attack[:, None], release[:, None]).to(u.dtype)
    a_next = F.pad(a[:, 1:], (0, min(1, a.shape[1])))
    s = linear_recursion(grad.flip(1), a_next.flip(1)).flip(1)
    slope = s * (_delay(y, initial) - u)
    grad_attack = torch.where(rising, slope, 0).sum(1)
    grad_release = torch.where(rising, 0, slope).sum(1)
    grad_initial = (a * s)[:, :1].sum(1)
    return (
        (1 - a) * s,
        grad_attack.to(attack.dtype),
        grad_release.to(release.dtype),
        grad_initial.to(initial.dtype),
    )


def linear_recursion(v: Tensor, a: Tensor) -> Tensor:
    """y[n] = a[n]·y[n−1] + v[n] from rest, by doubling the span that each sample has summed up."""
    span = 1
    a = a.expand_as(v)
    while span < v.shape[1]:
        v = torch.cat([v[:, :span], v[:, span:] + a[:, span:] * v[:, :-span]], 1)
        a = torch.cat([a[:, :span], a[:, span:] * a[:, :-span]], 1)
        span *= 2
    return v


def _truncate(u: Tensor, a: Tensor, taps: int) -> Tensor:
    """The input whose one-pole response ends after ``taps`` samples: u[n] − aᵀ·u[n − T]."""
    if taps >= u.shape[1]:
        return u
    return torch.cat([u[:, :taps], u[:, taps:] - a**taps * u[:, :-taps]], 1)


def _delay(y: Tensor, initial: Tensor) -> Tensor:
    """y[n − 1], beginning with the initial state."""
    return torch.cat([initial.to(y.dtype)[:, None], y], 1)[:, : y.shape[1]]
