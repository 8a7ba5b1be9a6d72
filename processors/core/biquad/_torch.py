"""The operators of :mod:`.biquad` in plain torch, for every device without compiled kernels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..precision import wide


def biquads(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    y, states = wide(x), []
    for section, initial in zip(coefficients.unbind(1), state.unbind(1), strict=True):
        y, states_of_section = _filter(y, section, initial)
        states.append(states_of_section)
    if not states:
        return x.clone(), state.clone(), state.new_empty(len(x), -(-x.shape[1] // chunk), 0, 2)
    states = torch.stack(states, 2)
    return y.to(x.dtype).contiguous(), states[:, -1].clone(), states[:, : x.shape[1] : chunk].clone()


def biquads_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    sections, length = coefficients.unbind(1), x.shape[1]
    states = checkpoints[:, 0] if length > 0 else torch.zeros_like(grad_final)
    signals = [wide(x)]
    for section, initial in zip(sections, states.unbind(1), strict=True):
        signals.append(_filter(signals[-1], section, initial)[0])
    g, grad_coefficients, grad_state = wide(grad), torch.empty_like(coefficients), torch.empty_like(grad_final)
    for k in range(len(sections) - 1, -1, -1):
        b0, b1, b2, a1, a2 = sections[k][:, :, None].unbind(1)
        end = grad_final[:, k]
        handed_over = F.pad(
            torch.stack([-(sections[k][:, 3:] * end).sum(1), -sections[k][:, 4] * end[:, 0]], 1), (0, length)
        )
        s = torch.cat([_all_pole(g.flip(1) + handed_over[:, :length], a1, a2).flip(1), end], 1)
        s0, s1, s2 = s[:, :length], s[:, 1 : length + 1], s[:, 2:]
        x_k, y_k = signals[k : k + 2]
        products = s0 * x_k, s1 * x_k, s2 * x_k, -s1 * y_k, -s2 * y_k
        grad_coefficients[:, k] = torch.stack([product.sum(1) for product in products], 1)
        grad_state[:, k] = s[:, :2]
        g = b0 * s0 + b1 * s1 + b2 * s2
    return g.to(x.dtype, copy=True), grad_coefficients, grad_state


def _filter(x: Tensor, section: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Run one section, and return its output, and its state before each sample and after the last."""
    b0, b1, b2, a1, a2 = section[:, :, None].unbind(1)
    past = F.pad(x, (2, 0))
    driven = b0 * x + b1 * past[:, 1:-1] + b2 * past[:, :-2] + F.pad(state, (0, x.shape[1]))[:, : x.shape[1]]
    y = _all_pole(driven, a1, a2)
    state_2 = torch.cat([state[:, 1:], b2 * x - a2 * y], 1)
    state_1 = torch.cat([state[:, :1], b1 * x - a1 * y + state_2[:, :-1]], 1)
    return y, torch.stack([state_1, state_2], 2)


def _all_pole(v: Tensor, a1: Tensor, a2: Tensor) -> Tensor:
    """Compute y[n] = v[n] − a₁·y[n−1] − a₂·y[n−2] from rest, by doubling the summed span of each sample."""
    step = transition(a1[:, 0], a2[:, 0])
    pairs = torch.stack([v, step[:, 0, :1] * v], 1)
    span = 1
    while span < v.shape[1]:
        pairs = torch.cat([pairs[:, :, :span], pairs[:, :, span:] + step @ pairs[:, :, :-span]], 2)
        step = step @ step
        span *= 2
    return pairs[:, 0]


def transition(a1: Tensor, a2: Tensor) -> Tensor:
    """Make the matrix [σ 1; δ σ] of two poles σ ± √δ, of shape ``(rows, 2, 2)``.

    It advances y[n−1] and σ·y[n−1] − a₂·y[n−2] by one step. Its powers stay exact for close poles near the unit circle.
    Those of the companion matrix [−a₁ −a₂; 1 0] cancel there, and lose all digits.
    """
    middle = -a1 / 2
    # The square as a sum of two numbers, after Dekker, since its difference from a₂ sets the distance of the poles.
    upper = middle * (2**27 + 1)
    upper = upper - (upper - middle)
    lower = middle - upper
    square = middle * middle
    rounded_off = lower * lower - ((square - upper * upper) - 2 * upper * lower)
    spread = (square - a2) + rounded_off
    return torch.stack([middle, torch.ones_like(middle), spread, middle], -1).unflatten(-1, (2, 2))
