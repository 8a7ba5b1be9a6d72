"""Triton kernels of :mod:`.biquad` for CUDA. Imported on first use, since triton is optional.

Sections run one after another, each in parallel blocks of time, with float64 signals between them.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..backends.triton_blocks import hand_on, launch_blocks, num_blocks, pair, pair_block, place, read
from ._torch import transition

SEGMENT = 1 << 17  # samples of which the backward pass holds the signals between all sections at once


def biquads(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    rows, length = x.shape
    states = x.new_empty(rows, triton.cdiv(length, chunk) + 1, *state.shape[1:], dtype=torch.float64)
    states[:, 0] = state
    y = x.clone(memory_format=torch.contiguous_format)
    for k, c in enumerate(coefficients.double().unbind(1)):
        dtype = x.dtype if k + 1 == coefficients.shape[1] else torch.float64
        y = _filter(y, c, states[:, 0, k], y.new_empty(rows, length, dtype=dtype), states[:, :, k], chunk)
    return y, states[:, -1].to(state.dtype, copy=True), states[:, :-1].to(state.dtype, copy=True)


def biquads_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    c, costate = coefficients.double(), grad_final.double()
    grad_x, grad_c = x.new_empty(x.shape), torch.zeros_like(c)
    step = chunk * triton.cdiv(SEGMENT, chunk)
    for begin in reversed(range(0, x.shape[1], step)):
        part = slice(begin, begin + step)
        state = checkpoints[:, begin // chunk].double()
        grad_x[:, part], slopes, costate = _backward(grad[:, part], costate, x[:, part], c, state)
        grad_c += slopes
    return grad_x, grad_c.to(coefficients.dtype), costate.to(grad_final.dtype, copy=True)


def _backward(
    grad: Tensor, costate: Tensor, x: Tensor, coefficients: Tensor, state: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute gradients to the signals, to the coefficients, and to the state before the first sample."""
    wide = {"dtype": torch.float64, "device": x.device}
    signals = [x.contiguous()]
    for c, s in zip(coefficients.unbind(1), state.unbind(1), strict=True):
        signals.append(_filter(signals[-1], c, s, torch.empty(x.shape, **wide)))
    rows, length = x.shape
    g = grad.contiguous()
    slopes, before = torch.empty_like(coefficients), torch.empty_like(costate)
    for k in reversed(range(coefficients.shape[1])):
        c = coefficients[:, k].contiguous()
        q = torch.empty(rows, length + 2, **wide)
        q[:, length:] = costate[:, k]
        _adjoint(g, c, q)
        before[:, k] = q[:, :2]
        y = signals.pop()
        g, sums = torch.empty_like(y), torch.empty(rows, num_blocks(length), 5, **wide)
        launch_blocks(section_gradients, sums, q, signals[-1], y, c, g, sums, length)
        slopes[:, k] = sums.sum(1)
    return g, slopes, before


def _filter(
    x: Tensor, c: Tensor, state: Tensor, y: Tensor, states: Tensor | None = None, chunk: int = 0, reverse: bool = False
) -> Tensor:
    """Write the output of a section to ``y``, and its states at the boundaries of chunks to ``states``."""
    b0, b1, b2, a1, a2 = c.unbind(1)
    section = torch.stack([b0, b1, b2, a2, *state.unbind(1)], 1)
    recursion = pair(x, transition(a1, a2)[:, None], section)
    carries = hand_on(recursion, torch.zeros_like(state), reverse)
    outputs = y, y.stride(0), states, *(states.stride()[:2] if states is not None else (0, 0)), chunk
    launch_blocks(section_states, carries, *recursion.arguments, carries, *outputs, REVERSE=reverse)
    return y


def _adjoint(g: Tensor, c: Tensor, q: Tensor) -> None:
    """Fill q, whose last two samples are given, with q[n] = g[n] − a₁ q[n+1] − a₂ q[n+2]."""
    a1, a2 = c[:, 3], c[:, 4]
    q1, q2 = q[:, -2], q[:, -1]
    poles = torch.stack([torch.ones_like(a1), torch.zeros_like(a1), torch.zeros_like(a1), a1, a2], 1)
    _filter(g, poles, torch.stack([-a1 * q1 - a2 * q2, -a2 * q1], 1), q, reverse=True)


@triton.jit
def section_states(
    v, m, m_row, m_step, section, length,
    carries, y, y_row, states, states_row, states_step, chunk, blocks, REVERSE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Run a section in transposed direct form II, as the recursion of its output y[n] and of σ·y[n] + s₂[n−1]."""
    row, n, out, other = pair_block(v, m, m_row, m_step, section, length, carries, blocks, REVERSE, BLOCK)
    inside = n < length
    tl.store(y + row * y_row + (length - 1 - n if REVERSE else n), out, inside)
    if states is not None:
        x = read(v, row, n, length, inside)
        section += row * 6
        m += row * m_row
        following = tl.cdiv(n + 1, chunk)
        ends = inside & (((n + 1) % chunk == 0) | (n + 1 == length))
        states += row * states_row + following * states_step
        tl.store(states, tl.load(section + 1) * x + other + tl.load(m) * out, ends)
        tl.store(states + 1, tl.load(section + 2) * x - tl.load(section + 3) * out, ends)


@triton.jit
def section_gradients(q, x, y, c, grad_x, slopes, length, blocks, BLOCK: tl.constexpr):
    row, n = place(blocks, BLOCK)
    inside = n < length
    q0 = read(q, row, n, length + 2, inside)
    q1 = read(q, row, n + 1, length + 2, inside)
    q2 = read(q, row, n + 2, length + 2, inside)
    c += row * 5
    g = tl.load(c) * q0 + tl.load(c + 1) * q1 + tl.load(c + 2) * q2
    tl.store(grad_x + row * length + n, g, inside)
    x_n = read(x, row, n, length, inside)
    y_n = read(y, row, n, length, inside)
    slopes += tl.program_id(0) * 5
    tl.store(slopes, tl.sum(q0 * x_n))
    tl.store(slopes + 1, tl.sum(q1 * x_n))
    tl.store(slopes + 2, tl.sum(q2 * x_n))
    tl.store(slopes + 3, -tl.sum(q1 * y_n))
    tl.store(slopes + 4, -tl.sum(q2 * y_n))
