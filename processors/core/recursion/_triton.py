"""Triton kernels of :mod:`.recursion` for CUDA. Imported on first use, since triton is optional.

Linear recursions run in parallel blocks of time. Ballistics are nonlinear, so they run sample by sample, with a warp
for each row.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..backends.triton_blocks import (
    coefficient,
    hand_on,
    launch,
    launch_blocks,
    pair,
    place,
    read,
    single,
    single_scan,
    solve,
)

WARP = 32


def onepole(u: Tensor, alpha: Tensor, initial: Tensor, taps: int, reverse: bool = False) -> Tensor:
    a = alpha.double()
    return solve(single(u, a[:, None], tail=a**taps, taps=taps), initial, _empty(u), reverse)


def onepole_backward(
    grad: Tensor, u: Tensor, alpha: Tensor, initial: Tensor, y: Tensor, taps: int
) -> tuple[Tensor, Tensor, Tensor]:
    a = alpha.double()
    echo = a**taps - (1 - a) * taps * a ** (taps - 1)
    grad_u, grad_initial, grad_a, _ = _smoothing_backward(grad, u, a[:, None], initial, y, echo=echo, taps=taps)
    if taps < u.shape[1]:
        grad_u = onepole(grad, a, torch.zeros_like(a), taps, reverse=True)
    return grad_u, grad_a.to(alpha.dtype), grad_initial


def first_order(u: Tensor, a: Tensor, initial: Tensor, reverse: bool = False) -> Tensor:
    y = _empty(u)
    if not u.is_complex():
        return solve(single(u, a), initial, y, reverse)
    re, im = a.real.double(), a.imag.double()
    m = torch.stack([re, -im, im, re], 2).unflatten(2, (2, 2))
    u, initial = torch.view_as_real(u.resolve_conj()), torch.view_as_real(initial.resolve_conj())
    solve(pair(u, m), initial, torch.view_as_real(y), reverse)
    return y


def first_order_backward(grad: Tensor, a: Tensor, initial: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a = a.conj()
    grad_u = first_order(grad, a, torch.zeros_like(initial), reverse=True)
    before = torch.cat([initial.to(y.dtype)[:, None], y], 1)[:, : y.shape[1]]
    grad_a = grad_u * before.conj()
    if a.shape[1] == 1:
        grad_a = grad_a.sum(1, keepdim=True, dtype=torch.promote_types(y.dtype, torch.float64))
    grad_initial = (a * grad_u)[:, :1].sum(1)
    return grad_u, grad_a.to(a.dtype), grad_initial.to(initial.dtype)


def ballistics(u: Tensor, attack: Tensor, release: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    y, rising = _empty(u), _empty(u, torch.bool)
    settings = torch.stack([attack.double(), release.double(), initial.double()], 1)
    outputs = y, rising.view(torch.int8)
    launch(ballistics_rows, u.shape[0], u.contiguous(), settings, *outputs, u.shape[1], WARP=WARP, num_warps=1)
    return y, rising


def ballistics_backward(
    grad: Tensor, u: Tensor, attack: Tensor, release: Tensor, initial: Tensor, y: Tensor, rising: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    a = torch.stack([release.double(), attack.double()], 1)
    grad_u, grad_initial, total, grad_attack = _smoothing_backward(grad, u, a, initial, y, switch=rising)
    return grad_u, grad_attack.to(attack.dtype), (total - grad_attack).to(release.dtype), grad_initial


def _smoothing_backward(
    grad: Tensor,
    u: Tensor,
    a: Tensor,
    initial: Tensor,
    y: Tensor,
    switch: Tensor | None = None,
    echo: Tensor | None = None,
    taps: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute gradients to u and to the initial state, and to the coefficient in all samples and by switch."""
    recursion = single(grad, a, switch, taps=taps)
    carries = hand_on(recursion, torch.zeros_like(initial), reverse=True)
    inputs = carries, u.contiguous(), y.contiguous(), initial.contiguous(), echo
    grad_u, grad_initial, total, switched = _empty(u), *map(torch.zeros_like, (initial, carries, carries))
    outputs = grad_u, grad_initial, total, switched
    launch_blocks(smoothing_gradients, carries, *recursion.arguments, *inputs, *outputs)
    return grad_u, grad_initial, total.sum(1), switched.sum(1)


def _empty(like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return like.new_empty(like.shape, dtype=dtype)


@triton.jit
def smoothing_gradients(
    grad, a, a_row, a_step, switch, tail, taps, length,
    carries, u, y, initial, echo,
    grad_u, grad_initial, total, switched, blocks, BLOCK: tl.constexpr,
):  # fmt: skip
    row, n = place(blocks, BLOCK)
    inside = n < length
    at = length - 1 - n
    factor, s = single_scan(grad, a, a_row, a_step, switch, tail, taps, length, row, n, True)
    s += factor * tl.load(carries + tl.program_id(0))
    c = coefficient(a, a_row, a_step, switch, row, at, length, inside)
    tl.store(grad_u + row * length + at, (1 - c) * s, inside)
    first = inside & (at == 0)
    tl.store(grad_initial + row + at, c * s, first)
    before = read(y, row, at - 1, length, inside & (at > 0))
    before += tl.where(first, tl.load(initial + row).to(tl.float64), 0)
    slope = before - read(u, row, at, length, inside)
    if echo is not None:
        slope += tl.load(echo + row) * read(u, row, at - taps, length, inside & (at >= taps))
    slope = tl.where(inside, s * slope, 0)
    tl.store(total + tl.program_id(0), tl.sum(slope))
    if switch is not None:
        slope = tl.where(tl.load(switch + row * length + at, inside, 0) != 0, slope, 0)
        tl.store(switched + tl.program_id(0), tl.sum(slope))


@triton.jit
def ballistics_rows(u, settings, y, rising, length, WARP: tl.constexpr):
    """Process with one sample per lane of a warp, and the state in all lanes."""
    row = tl.program_id(0).to(tl.int64)
    attack = tl.load(settings + row * 3)
    release = tl.load(settings + row * 3 + 1)
    # The branch taken is the larger of both where the attack is the faster one. Choosing it by value, and
    # mirroring the signal otherwise, keeps the comparison of u and y out of the chain of dependent steps.
    sign = tl.where(attack <= release, 1.0, -1.0)
    lanes = tl.arange(0, WARP)
    state = tl.zeros([WARP], tl.float64) + sign * tl.load(settings + row * 3 + 2)
    u += row * length
    ahead = tl.load(u + lanes, lanes < length, 0)
    for start in range(0, length, WARP):
        n = start + lanes
        samples = (ahead * sign).to(u.dtype.element_ty)
        ahead = tl.load(u + n + WARP, n + WARP < length, 0)
        before = state
        for lane in tl.static_range(WARP):
            before = tl.where(lanes == lane, state, before)
            x = tl.gather(samples, tl.full([WARP], lane, tl.int32), 0).to(tl.float64)
            attacked = attack * state + (1 - attack) * x
            released = release * state + (1 - release) * x
            state = tl.where(attacked > released, attacked, released)
        x = samples.to(tl.float64)
        rises = sign * x >= sign * before
        a = tl.where(rises, attack, release)
        tl.store(y + row * length + n, sign * (a * before + (1 - a) * x), n < length)
        tl.store(rising + row * length + n, rises, n < length)
