"""The operators of :mod:`.ladder` in plain torch, sample by sample, for every device without compiled kernels."""

import torch
from torch import Tensor

from ..precision import wide

STEPS = 3


def ladder(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    taps, states = _run(x, coefficients, state)
    y = (coefficients[:, 2:, None] * taps).sum(1)
    kept = states[:, :, : x.shape[1] : chunk].transpose(1, 2)
    return y.to(x.dtype), states[:, :, -1].clone(), kept.clone(memory_format=torch.contiguous_format)


def ladder_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    initial = checkpoints[:, 0] if x.shape[1] else torch.zeros_like(grad_final)
    taps, states = _run(x, coefficients, initial)
    g, k = coefficients[:, :2].unbind(1)
    bends = 1 - taps[:, 0].square()
    to_taps = coefficients[:, 2:, None] * wide(grad)[:, None]
    grad_x, costate = torch.zeros_like(wide(x)), grad_final
    grad_g, grad_k = torch.zeros_like(g), torch.zeros_like(k)
    for n in range(x.shape[1] - 1, -1, -1):
        y, s = taps[:, :, n], states[:, :, n]
        q = list((to_taps[:, 1:, n] + 2 * costate).unbind(1))
        back = q[3]
        for tap in (q[2], q[1], q[0], to_taps[:, 0, n]):
            back = tap + g * back
        # Gradient of the saturation; through the feedback, that of the last tap is reduced by k times it.
        grad_x[:, n] = bends[:, n] * back / (1 + k * g**4 * bends[:, n])
        grad_k = grad_k - grad_x[:, n] * y[:, 4]
        q[3] = q[3] - k * grad_x[:, n]
        for i in (2, 1, 0):
            q[i] = q[i] + g * q[i + 1]
        into = torch.stack(q, 1)
        grad_g = grad_g + (into * (y[:, :4] - s)).sum(1)
        costate = (1 - g)[:, None] * into - costate
    grad_mix = (taps * wide(grad)[:, None]).sum(2)
    grad_coefficients = torch.cat([grad_g[:, None], grad_k[:, None], grad_mix], 1)
    return grad_x.to(x.dtype), grad_coefficients, costate.clone()


def _run(x: Tensor, coefficients: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Compute all taps ``(rows, 5, L)``, and the states before each sample and after the last, ``(rows, 4, L + 1)``."""
    g, k = coefficients[:, :2].unbind(1)
    taps, states = [], [state]
    for x_n in wide(x).unbind(1):
        s = states[-1].unbind(1)
        u = _saturated(x_n - k * (1 - g) * (((s[0] * g + s[1]) * g + s[2]) * g + s[3]), k * g**4)
        y = [u]
        for s_i in s:
            y.append(s_i + g * (y[-1] - s_i))
        taps.append(torch.stack(y, 1))
        states.append(2 * taps[-1][:, 1:] - states[-1])
    nothing = state.new_zeros(len(x), 5, 0)
    return torch.stack(taps, 2) if taps else nothing, torch.stack(states, 2)


def _saturated(w: Tensor, a: Tensor) -> Tensor:
    """Compute tanh v where v + a tanh v = w, by Halley's method."""
    level = w.abs()
    v = torch.maximum(level / (1 + a), level - a)
    for _ in range(STEPS):
        u = torch.tanh(v)
        bend = a * (1 - u * u)
        miss, slope = v + a * u - level, 1 + bend
        v = v - miss * slope / (slope * slope + miss * u * bend)
    return torch.tanh(v) * w.sign()
