"""The operators of :mod:`.delay_network` in plain torch, for every device without compiled kernels."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..biquad import biquads, biquads_backward
from ..precision import wide


def run(
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    past: Tensor,
    state: Tensor,
    chunk: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    memory, length = past.shape[2], u.shape[2]
    coefficients, driven = sos.flatten(0, 1), b @ wide(u)
    lines, heard = torch.cat([past, torch.zeros_like(driven)], -1), torch.empty_like(driven)
    kept = state.new_empty(len(u), -(-length // chunk), *state.shape[1:])
    for i, begin in enumerate(range(0, length, chunk)):
        end = min(begin + chunk, length)
        kept[:, i] = state
        block = _take(lines, delays, memory + begin, memory + end).flatten(0, 1)
        block, state, _ = biquads(block, coefficients, state.flatten(0, 1), chunk)
        heard[..., begin:end], state = block.view_as(heard[..., begin:end]), state.view_as(kept[:, i])
        lines[..., memory + begin : memory + end] = matrix @ heard[..., begin:end] + driven[..., begin:end]
    return (c @ heard).to(u.dtype), lines, state.clone(), kept


def run_backward(
    grad: Tensor,
    grad_lines: Tensor,
    grad_final: Tensor,
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    lines: Tensor,
    kept: Tensor,
    chunk: int,
) -> tuple[Tensor, ...]:
    length, coefficients = u.shape[2], sos.flatten(0, 1)
    memory = lines.shape[2] - length
    given, grad_lines, heard = c.mT @ wide(grad), grad_lines.clone(), torch.empty_like(lines[..., :length])
    grad_sos, costate = torch.zeros_like(coefficients), grad_final.flatten(0, 1)
    for i in reversed(range(kept.shape[1])):
        begin, end = i * chunk, min((i + 1) * chunk, length)
        state, x = kept[:, i].flatten(0, 1), _take(lines, delays, memory + begin, memory + end).flatten(0, 1)
        heard[..., begin:end] = biquads(x, coefficients, state, chunk)[0].view_as(heard[..., begin:end])
        g = (matrix.mT @ grad_lines[..., memory + begin : memory + end] + given[..., begin:end]).flatten(0, 1)
        g, to_sos, costate = biquads_backward(g, costate, x, coefficients, state[:, None], chunk)
        grad_sos += to_sos
        for line, (start, part) in enumerate(zip(delays, g.unflatten(0, sos.shape[:2]).unbind(1), strict=True)):
            grad_lines[:, line, memory + begin - start : memory + end - start] += part
    into = grad_lines[..., memory:]
    return (
        (b.mT @ into).to(u.dtype),
        grad_sos.view_as(sos),
        into @ heard.mT,
        into @ wide(u).mT,
        wide(grad) @ heard.mT,
        grad_lines[..., :memory].clone(),
        costate.unflatten(0, sos.shape[:2]).clone(),
    )


def _take(lines: Tensor, delays: Sequence[int], begin: int, end: int) -> Tensor:
    """Read the output of each line for the samples from ``begin`` to ``end``."""
    return torch.stack([lines[:, i, begin - m : end - m] for i, m in enumerate(delays)], 1)


def solve(
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    log_radius: float,
    num_points: int,
) -> tuple[Tensor, Tensor]:
    inverse, *_ = _loops(delays, sos, log_radius, num_points, u.shape[-1])
    system = torch.diag_embed(inverse.mT) - matrix[:, None]
    x = torch.linalg.solve(system, (b.to(u.dtype) @ u).mT.unsqueeze(-1)).squeeze(-1).mT.contiguous()
    return c.to(u.dtype) @ x, x


def solve_backward(
    grad: Tensor,
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    signals: Tensor,
    log_radius: float,
    num_points: int,
) -> tuple[Tensor, ...]:
    inverse, over, under, powers = _loops(delays, sos, log_radius, num_points, u.shape[-1])
    system = torch.diag_embed(inverse.mT) - matrix[:, None]
    g = torch.linalg.solve(system.mH, (c.mT.to(u.dtype) @ grad).mT.unsqueeze(-1)).squeeze(-1).mT
    w = (-g * signals.conj() * inverse.conj()).unsqueeze(2)
    to_b = -(w / over.conj()) @ powers.conj()
    to_a = (w / under.conj()) @ powers[:, 1:].conj()
    return (
        (b.mT.to(u.dtype) @ g).clone(),
        torch.cat([to_b, to_a], -1).real.contiguous(),
        (g @ signals.mH).real.contiguous(),
        (g @ u.mH).real.contiguous(),
        (grad @ signals.mH).real.contiguous(),
    )


def _loops(
    delays: Sequence[int], sos: Tensor, log_radius: float, num_points: int, num_bins: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute reciprocals of lines and filters ``(B, N, F)``, all numerators and denominators, and powers of 1/z."""
    bins, lengths = torch.arange(num_bins, device=sos.device), torch.tensor(list(delays), device=sos.device)[:, None]
    step = 2 * math.pi / num_points
    growth = torch.exp(torch.complex(log_radius * wide(lengths), wide(lengths * bins % num_points) * step))
    z = torch.exp(torch.complex(torch.full_like(wide(bins), -log_radius), -step * wide(bins)))
    powers = torch.stack([torch.ones_like(z), z, z.square()], -1)
    over = sos[..., :3].to(powers.dtype) @ powers.mT
    under = F.pad(sos[..., 3:], (1, 0), value=1.0).to(powers.dtype) @ powers.mT
    return (under / over).prod(2) * growth, over, under, powers
