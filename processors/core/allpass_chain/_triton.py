"""Triton kernels of :mod:`.allpass_chain` for CUDA: a program for each row, which goes from sample to sample."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..backends.triton_blocks import launch
from ..precision import wide


def allpass_chain(x: Tensor, coefficient: Tensor, feedback: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    y, final = torch.empty_like(wide(x)), state.clone(memory_format=torch.contiguous_format)
    c = wide(coefficient).contiguous()
    arguments = x.contiguous(), c, _step(c), feedback.contiguous(), final, y, x.shape[1], state.shape[1]
    launch(run, len(x), *arguments, num_warps=1)
    return y.to(x.dtype, copy=True), final


def allpass_chain_backward(
    grad: Tensor, grad_final: Tensor, coefficient: Tensor, feedback: Tensor, y: Tensor, final: Tensor
) -> tuple[Tensor, ...]:
    states, costates = (t.clone(memory_format=torch.contiguous_format) for t in (final, grad_final))
    by_x, by_c = (torch.empty(y.shape, dtype=torch.float64, device=y.device) for _ in range(2))
    c, signals = wide(coefficient).contiguous(), (grad.contiguous(), y.contiguous())
    arguments = *signals, c, _step(c), feedback.contiguous(), states, costates, by_x, by_c, y.shape[1], final.shape[1]
    launch(run_backward, len(y), *arguments, num_warps=1)
    if coefficient.shape[1] == 1:
        by_c = by_c.sum(1, keepdim=True)
    return by_x.to(y.dtype, copy=True), by_c.to(coefficient.dtype, copy=True), (by_x * y).sum(1), costates


def _step(coefficient: Tensor) -> int:
    return 1 if coefficient.shape[1] > 1 else 0


@triton.jit
def run(x, c, c_step, feedback, states, y, length, stages):
    row = tl.program_id(0).to(tl.int64)
    states += row * stages
    c += row * (length * c_step + 1 - c_step)
    g = tl.load(feedback + row)
    for n in range(length):
        cos = tl.load(c + n * c_step)
        sin = tl.sqrt((1 - cos) * (1 + cos))
        rest, power = g * 0, g * 0 + 1
        for k in range(stages):
            rest = cos * rest + sin * tl.load(states + k)
            power *= cos
        e = (tl.load(x + row * length + n).to(tl.float64) + g * rest) / (1 - g * power)
        for k in range(stages):
            s = tl.load(states + k)
            tl.store(states + k, sin * e - cos * s)
            e = cos * e + sin * s
        tl.store(y + row * length + n, e)
        tl.debug_barrier()


@triton.jit
def run_backward(grad, y, c, c_step, feedback, states, costates, by_x, by_c, length, stages):
    row = tl.program_id(0).to(tl.int64)
    states += row * stages
    costates += row * stages
    c += row * (length * c_step + 1 - c_step)
    g = tl.load(feedback + row)
    for back in range(length):
        n = length - 1 - back
        at = row * length + n
        cos = tl.load(c + n * c_step)
        sin = tl.sqrt((1 - cos) * (1 + cos))
        rest, power = g * 0, g * 0 + 1
        for place in range(stages):  # the last stage comes first
            rest = cos * rest + sin * tl.load(costates + stages - 1 - place)
            power *= cos
        e, slope = tl.load(y + at).to(tl.float64), g * 0
        to_e = (tl.load(grad + at).to(tl.float64) + g * rest) / (1 - g * power)
        for place in range(stages):
            k = stages - 1 - place
            s, p = tl.load(states + k), tl.load(costates + k)
            # A rotation is its own inverse, and its own transpose.
            before = sin * e - cos * s
            e = cos * e + sin * s
            slope += to_e * (e - cos / sin * before) - p * (cos / sin * e + before)
            tl.store(states + k, before)
            tl.store(costates + k, sin * to_e - cos * p)
            to_e = cos * to_e + sin * p
        tl.store(by_x + at, to_e)
        tl.store(by_c + at, slope)
        tl.debug_barrier()
