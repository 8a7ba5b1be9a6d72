"""Triton kernels of :mod:`.comb` for CUDA: a program for each row, which goes from sample to sample."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..backends.triton_blocks import launch
from ..precision import wide
from ._torch import gradients, outputs


def comb(x: Tensor, delays: Tensor, coefficients: Tensor, past: Tensor, inner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    line, final = torch.cat([past, wide(x)], 1), inner.clone(memory_format=torch.contiguous_format)
    arguments = _within(delays, past.shape[1]), coefficients.contiguous(), line, final
    launch(run, len(x), *arguments, past.shape[1], x.shape[1], num_warps=1)
    return outputs(x, arguments[0], coefficients, line), line, final


def comb_backward(
    grad: Tensor, grad_line: Tensor, grad_final: Tensor, x: Tensor, delays: Tensor, coefficients: Tensor, line: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    length, before = x.shape[1], line.shape[1] - x.shape[1]
    to_line = grad_line.clone(memory_format=torch.contiguous_format)
    s = to_line.new_empty(len(x), length + 2)
    s[:, length:] = grad_final
    delays = _within(delays, before)
    arguments = wide(grad).contiguous(), delays, coefficients.contiguous(), to_line, s
    launch(run_backward, len(x), *arguments, before, length, num_warps=1)
    return gradients(grad, to_line, s, x, delays, coefficients, line)


def _within(delays: Tensor, longest: int) -> Tensor:
    """Keep reads inside of the line, since values on a device are not checked before."""
    return delays.clamp(1, longest).contiguous()


@triton.jit
def run(delays, coefficients, line, final, before, length):
    """Add what returns to the line, which holds the past and the input."""
    row = tl.program_id(0).to(tl.int64)
    c, final = coefficients + row * 8, final + row * 2
    line += row * (before + length) + before
    delay = tl.load(delays + row)
    b0, b1, b2, a1, a2 = tl.load(c), tl.load(c + 1), tl.load(c + 2), tl.load(c + 3), tl.load(c + 4)
    s1, s2 = tl.load(final), tl.load(final + 1)
    for n in range(length):
        u = tl.load(line + n - delay)
        p = b0 * u + s1
        s1 = b1 * u - a1 * p + s2
        s2 = b2 * u - a2 * p
        tl.store(line + n, tl.load(line + n) + p)
        tl.debug_barrier()
    tl.store(final, s1)
    tl.store(final + 1, s2)


@triton.jit
def run_backward(grad, delays, coefficients, to_line, s, before, length):
    """Complete the gradients of the line and of the output of the filter, whose last two are given."""
    row = tl.program_id(0).to(tl.int64)
    c = coefficients + row * 8
    s += row * (length + 2)
    to_line += row * (before + length) + before
    delay = tl.load(delays + row)
    b0, b1, b2, a1, a2 = tl.load(c), tl.load(c + 1), tl.load(c + 2), tl.load(c + 3), tl.load(c + 4)
    c0, c1, c2 = tl.load(c + 5), tl.load(c + 6), tl.load(c + 7)
    next_one, next_two = tl.load(s + length), tl.load(s + length + 1)
    for back in range(length):
        n = length - 1 - back
        g = tl.load(grad + row * length + n)
        whole = tl.load(to_line + n) + c0 * g
        tl.store(to_line + n, whole)
        now = whole + c2 * g - a1 * next_one - a2 * next_two
        tl.store(s + n, now)
        taken = b0 * now + b1 * next_one + b2 * next_two + c1 * g
        tl.store(to_line + n - delay, tl.load(to_line + n - delay) + taken)
        next_two = next_one
        next_one = now
        tl.debug_barrier()
