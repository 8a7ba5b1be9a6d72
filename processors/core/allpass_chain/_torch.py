"""The operators of :mod:`.allpass_chain` in plain torch, for every device without compiled kernels."""

import torch
from torch import Tensor

from ..precision import wide


def allpass_chain(x: Tensor, coefficient: Tensor, feedback: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    y, s = torch.empty_like(wide(x)), list(state.unbind(1))
    for n, (c, d) in enumerate(_turns(coefficient, x.shape[1])):
        rest = _series(c, d, s)
        e = (x[:, n] + feedback * rest) / (1 - feedback * c ** len(s))
        for k, s_k in enumerate(s):
            e, s[k] = c * e + d * s_k, d * e - c * s_k
        y[:, n] = e
    return y.to(x.dtype), torch.stack(s, 1)


def allpass_chain_backward(
    grad: Tensor, grad_final: Tensor, coefficient: Tensor, feedback: Tensor, y: Tensor, final: Tensor
) -> tuple[Tensor, ...]:
    # The last stage comes first, since the recursion runs backwards.
    s, by_s = list(final.flip(1).unbind(1)), list(grad_final.flip(1).unbind(1))
    by_x, by_coefficient = torch.empty_like(wide(y)), torch.empty_like(wide(y))
    for n, (c, d) in reversed(list(enumerate(_turns(coefficient, y.shape[1])))):
        e, by_c = wide(y[:, n]), 0.0
        by_e = (grad[:, n] + feedback * _series(c, d, by_s)) / (1 - feedback * c ** len(s))
        for k, (s_k, by_k) in enumerate(zip(s, by_s, strict=True)):
            # A rotation is its own inverse, and its own transpose.
            e, s[k] = c * e + d * s_k, d * e - c * s_k
            by_c = by_c + by_e * (e - c / d * s[k]) - by_k * (c / d * e + s[k])
            by_e, by_s[k] = c * by_e + d * by_k, d * by_e - c * by_k
        by_x[:, n], by_coefficient[:, n] = by_e, by_c
    if coefficient.shape[1] == 1:
        by_coefficient = by_coefficient.sum(1, keepdim=True)
    by_state = torch.stack(by_s[::-1], 1)
    return by_x.to(y.dtype), by_coefficient.to(coefficient.dtype), (by_x * y).sum(1), by_state


def _turns(coefficient: Tensor, length: int) -> list[tuple[Tensor, Tensor]]:
    """Compute cosine and sine of each rotation, sample by sample."""
    c = wide(coefficient).expand(-1, length)
    return list(zip(c.unbind(1), ((1 - c) * (1 + c)).sqrt().unbind(1), strict=True))


def _series(c: Tensor, d: Tensor, states: list[Tensor]) -> Tensor:
    """Compute the response of the states alone."""
    total = torch.zeros_like(c)
    for state in states:
        total = c * total + d * state
    return total
