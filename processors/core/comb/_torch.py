"""The operators of :mod:`.comb` in plain torch, for every device without compiled kernels.

All rows are processed in blocks no longer than the shortest delay, within which the outputs of the delays are known.
"""

import torch
from torch import Tensor

from ..biquad import biquad_cascade
from ..precision import wide


def comb(x: Tensor, delays: Tensor, coefficients: Tensor, past: Tensor, inner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    length, before = x.shape[1], past.shape[1]
    line = torch.cat([past, past.new_zeros(x.shape)], 1)
    sections, state = _sections(coefficients[:, :5]), inner[:, None]
    for begin, end in _blocks(delays, length):
        p, state = biquad_cascade(line.gather(1, _early(delays, before, begin, end)), sections, state)
        line[:, before + begin : before + end] = x[:, begin:end] + p
    return outputs(x, delays, coefficients, line), line, state[:, 0].clone()


def outputs(x: Tensor, delays: Tensor, coefficients: Tensor, line: Tensor) -> Tensor:
    """Mix the line, its delayed signal, and what returns."""
    before = line.shape[1] - x.shape[1]
    v, u = line[:, before:], line.gather(1, _early(delays, before, 0, x.shape[1]))
    direct, within, around = coefficients[:, 5:, None].unbind(1)
    return (direct * v + within * u + around * (v - x)).to(x.dtype)


def comb_backward(
    grad: Tensor, grad_line: Tensor, grad_final: Tensor, x: Tensor, delays: Tensor, coefficients: Tensor, line: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    length, before = x.shape[1], line.shape[1] - x.shape[1]
    grad, grad_line = wide(grad), grad_line.clone()
    b0, b1, b2, a1, a2, c0, c1, c2 = coefficients[:, :, None].unbind(1)
    one, zero = torch.ones_like(b0[:, 0]), torch.zeros_like(b0[:, 0])
    poles = torch.stack([one, zero, zero, one, a1[:, 0], a2[:, 0]], 1)[:, None]
    # Gradients to the filter's output, and to its two states; of the latter, those of samples after the last.
    s, q = grad.new_empty(len(x), length + 2), grad_final
    s[:, length:] = grad_final
    for begin, end in reversed(list(_blocks(delays, length))):
        now, early = slice(before + begin, before + end), _early(delays, before, begin, end)
        g = grad[:, begin:end]
        grad_line[:, now] += c0 * g
        # Direct form I: y[n] = g[n] − a₁·y[n−1] − a₂·y[n−2], backwards, with the state of a transposed form.
        state = torch.stack([-a1[:, 0] * q[:, 0] - a2[:, 0] * q[:, 1], -a2[:, 0] * q[:, 0]], 1)
        backwards, _ = biquad_cascade((grad_line[:, now] + c2 * g).flip(1), poles, state[:, None])
        s[:, begin:end] = backwards.flip(1)
        taken = b0 * s[:, begin:end] + b1 * s[:, begin + 1 : end + 1] + b2 * s[:, begin + 2 : end + 2] + c1 * g
        grad_line.scatter_add_(1, early, taken)
        q = s[:, begin : begin + 2]
    return gradients(grad, grad_line, s, x, delays, coefficients, line)


def gradients(
    grad: Tensor, grad_line: Tensor, s: Tensor, x: Tensor, delays: Tensor, coefficients: Tensor, line: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the gradients of all tensors from those of the line, and s, those of the filter's output and state."""
    length, before = x.shape[1], line.shape[1] - x.shape[1]
    v = line[:, before:]
    u = line.gather(1, _early(delays, before, 0, length))
    p, (s0, s1, s2) = v - x, (s[:, i : i + length] for i in range(3))
    products = s0 * u, s1 * u, s2 * u, -s1 * p, -s2 * p, grad * v, grad * u, grad * p
    grad_coefficients = torch.stack([product.sum(1) for product in products], 1)
    to_x, to_past = grad_line[:, before:].to(x.dtype, copy=True), grad_line[:, :before].clone()
    return to_x, grad_coefficients, to_past, s[:, :2].clone()


def _sections(coefficients: Tensor) -> Tensor:
    """Return one section of each row, ``(rows, 1, 6)``, for :func:`.biquad.biquad_cascade`."""
    return torch.cat([coefficients[:, :3], torch.ones_like(coefficients[:, :1]), coefficients[:, 3:]], 1)[:, None]


def _blocks(delays: Tensor, length: int) -> list[tuple[int, int]]:
    size = int(delays.min()) if delays.numel() else max(length, 1)
    return [(begin, min(begin + size, length)) for begin in range(0, length, size)]


def _early(delays: Tensor, before: int, begin: int, end: int) -> Tensor:
    """Return the positions in the line of the outputs of the delays."""
    return before + torch.arange(begin, end, device=delays.device) - delays[:, None]
