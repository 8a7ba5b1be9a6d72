"""The operators of :mod:`.recursion` in plain torch, for every device without compiled kernels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..precision import wide


def onepole(u: Tensor, alpha: Tensor, initial: Tensor, taps: int) -> Tensor:
    a = wide(alpha)[:, None]
    return linear_recursion((1 - a) * _truncate(wide(u), a, taps), a, wide(initial)).to(u.dtype)


def onepole_backward(
    grad: Tensor, u: Tensor, alpha: Tensor, initial: Tensor, y: Tensor, taps: int
) -> tuple[Tensor, Tensor, Tensor]:
    a, u_wide = wide(alpha)[:, None], wide(u)
    s = linear_recursion(wide(grad).flip(1), a).flip(1)
    slope = _delay(y, initial) - _truncate(u_wide, a, taps)
    if taps < u.shape[1]:
        slope[:, taps:] -= (1 - a) * taps * a ** (taps - 1) * u_wide[:, :-taps]
    grad_u = (1 - a) * _truncate(s.flip(1), a, taps).flip(1)
    grad_initial = (a * s)[:, :1].sum(1)
    return grad_u.to(u.dtype), (s * slope).sum(1).to(alpha.dtype), grad_initial.to(initial.dtype)


def first_order(u: Tensor, a: Tensor, initial: Tensor) -> Tensor:
    return linear_recursion(wide(u), wide(a), wide(initial)).to(u.dtype)


def first_order_backward(grad: Tensor, a: Tensor, initial: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a_wide = wide(a).conj()
    s = linear_recursion(wide(grad).flip(1), _next(a_wide, y).flip(1)).flip(1)
    slope = s * _delay(y, initial).conj()
    grad_a = slope.sum(1, keepdim=True) if a.shape[1] == 1 else slope
    grad_initial = (a_wide[:, :1] * s[:, :1]).sum(1)
    return s.to(y.dtype), grad_a.to(a.dtype), grad_initial.to(initial.dtype)


def ballistics(u: Tensor, attack: Tensor, release: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    y, rising = torch.empty_like(u), torch.empty_like(u, dtype=torch.bool)
    state, attack, release = wide(initial), wide(attack), wide(release)
    for n, x in enumerate(wide(u).unbind(1)):
        rising[:, n] = x >= state
        a = torch.where(rising[:, n], attack, release)
        state = a * state + (1 - a) * x
        y[:, n] = state
    return y, rising


def ballistics_backward(
    grad: Tensor, u: Tensor, attack: Tensor, release: Tensor, initial: Tensor, y: Tensor, rising: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    a = torch.where(rising, wide(attack)[:, None], wide(release)[:, None])
    s = linear_recursion(wide(grad).flip(1), _next(a, y).flip(1)).flip(1)
    slope = s * (_delay(y, initial) - wide(u))
    grad_attack = torch.where(rising, slope, 0).sum(1)
    grad_release = torch.where(rising, 0, slope).sum(1)
    grad_initial = (a * s)[:, :1].sum(1)
    return (
        ((1 - a) * s).to(u.dtype),
        grad_attack.to(attack.dtype),
        grad_release.to(release.dtype),
        grad_initial.to(initial.dtype),
    )


def linear_recursion(v: Tensor, a: Tensor, initial: Tensor | None = None) -> Tensor:
    """Compute y[n] = a[n]·y[n−1] + v[n], by doubling the summed span of each sample."""
    span, constant = 1, a.shape[1] == 1
    if initial is not None:
        v = torch.cat([v[:, :1] + a[:, :1] * initial[:, None], v[:, 1:]], 1)
    while span < v.shape[1]:
        v = torch.cat([v[:, :span], v[:, span:] + (a if constant else a[:, span:]) * v[:, :-span]], 1)
        a = a * a if constant else torch.cat([a[:, :span], a[:, span:] * a[:, :-span]], 1)
        span *= 2
    return v


def _truncate(u: Tensor, a: Tensor, taps: int) -> Tensor:
    """Compute the input for a one-pole response truncated to ``taps`` samples: u[n] − aᵀ·u[n − T]."""
    if taps >= u.shape[1]:
        return u
    return torch.cat([u[:, :taps], u[:, taps:] - a**taps * u[:, :-taps]], 1)


def _delay(y: Tensor, initial: Tensor) -> Tensor:
    """Return y[n − 1], beginning with the initial state."""
    return torch.cat([wide(initial)[:, None], wide(y)], 1)[:, : y.shape[1]]


def _next(a: Tensor, y: Tensor) -> Tensor:
    """Return a[n + 1], ending with zero; or the same if constant."""
    return a if a.shape[1] == 1 else F.pad(a[:, 1:], (0, min(1, y.shape[1])))
