"""Linear recursions of one or two numbers, in blocks of time side by side, with Triton.

First each block runs from rest, for its final state; then the recursion over these gives the initial state of each
block; then each block runs again, from that state. States are float64: float32 leaves too few digits of 1 − α near the
unit circle.
"""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # samples of one program


class Recursion(NamedTuple):
    """Input of a recursion: the leading arguments of its kernels, the first of which is a signal."""

    ends: Any
    states: Any
    arguments: tuple
    shape: tuple[int, int]


def single(v: Tensor, a: Tensor, switch: Tensor | None = None, tail: Tensor | None = None, taps: int = 0) -> Recursion:
    """Describe the recursion s[n] = a[n]·s[n−1] + v[n], or a smoother.

    Args:
        v: Signals of shape ``(rows, L)``.
        a: Coefficients of shape ``(rows, L)``, ``(rows, 1)``, or ``(rows, 2)`` with a switch.
        switch: Selects one of two coefficients at each sample, boolean.
        tail: Attenuation of a smoother's response after ``taps`` samples, aᴺ, of shape ``(rows,)``. If given, the input
            is (1 − a)(v[n] − aᴺ v[n−N]).
        taps: Length N of the response.
    """
    switch = None if switch is None else switch.contiguous().view(torch.int8)
    arguments = v.contiguous(), a, *_strides(a), switch, tail, taps, v.shape[1]
    return Recursion(single_ends, single_states, arguments, (v.shape[0], v.shape[1]))


def pair(v: Tensor, m: Tensor, section: Tensor | None = None) -> Recursion:
    """Describe the recursion of two numbers s[n] = M[n] s[n−1] + v[n], or a section of a filter.

    Args:
        v: Pairs of shape ``(rows, L, 2)``, or signals ``(rows, L)`` for a section.
        m: Matrices, float64, of shape ``(rows, L or 1, 2, 2)``.
        section: b₀, b₁, b₂, a₂ and the addend of the first pair, of shape ``(rows, 6)``, float64. If given, the pairs
            are (p, b₂ v[n−1] + σp) with p = b₀ v[n] + b₁ v[n−1], and σ the first element of the matrix.
    """
    arguments = v.contiguous(), m, *_strides(m), section, v.shape[1]
    return Recursion(pair_ends, pair_states, arguments, (v.shape[0], v.shape[1]))


def hand_on(recursion: Recursion, initial: Tensor, reverse: bool = False) -> Tensor:
    """Compute the initial states of blocks, ``(rows, blocks, ...)``, from those of rows, ``(rows, ...)``."""
    rows, length = recursion.shape
    blocks = num_blocks(length)
    states = torch.zeros(rows, blocks, *initial.shape[1:], dtype=torch.float64, device=initial.device)
    states[:, 0] = initial
    if blocks == 1:
        return states
    products = states.new_zeros(rows, blocks, *initial.shape[1:] * 2)
    launch_blocks(recursion.ends, states, *recursion.arguments, states, products, REVERSE=reverse)
    between = single(states, products) if initial.ndim == 1 else pair(states, products)
    return solve(between, torch.zeros_like(initial), torch.empty_like(states))


def solve(recursion: Recursion, initial: Tensor, y: Tensor, reverse: bool = False) -> Tensor:
    """Compute the states, written to ``y``."""
    carries = hand_on(recursion, initial, reverse)
    launch_blocks(recursion.states, carries, *recursion.arguments, carries, y, REVERSE=reverse)
    return y


def num_blocks(length: int) -> int:
    return max(1, triton.cdiv(length, BLOCK))


def launch_blocks(kernel: Any, blocks: Tensor, *arguments: Tensor | int | None, **flags: bool) -> None:
    """Run a program for each element of the two leading axes of ``blocks``, rows and blocks."""
    rows, per_row = blocks.shape[:2]
    launch(kernel, rows * per_row, *arguments, blocks=per_row, BLOCK=BLOCK, **flags)


def launch(kernel: Any, programs: int, *arguments: Tensor | int | None, num_warps: int = 8, **flags: int) -> None:
    """Run a kernel on the device of its first argument, except for an empty batch."""
    if programs > 0:
        with torch.cuda.device_of(arguments[0]):
            kernel[(programs,)](*arguments, num_warps=num_warps, **flags)


def _strides(coefficients: Tensor) -> tuple[int, int]:
    """Return the strides from row to row and from sample to sample, which is zero for a constant coefficient."""
    return coefficients.stride(0), coefficients.stride(1) if coefficients.shape[1] > 1 else 0


@triton.jit
def place(blocks, BLOCK: tl.constexpr):
    """Return the row and the time steps of a program. Rows are int64, since a batch may exceed 2³¹ samples."""
    row = (tl.program_id(0) // blocks).to(tl.int64)
    return row, tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)


@triton.jit
def read(signal, row, at, length, mask):
    return tl.load(signal + row * length + at, mask, 0).to(tl.float64)


@triton.jit
def opens_block(n, length, BLOCK: tl.constexpr):
    """Whether the state after step n is carried on, and the index of the next block."""
    return ((n + 1) % BLOCK == 0) & (n + 1 < length), (n + 1) // BLOCK


@triton.jit
def compose(a, v, b, w):
    """Compose s ↦ a·s + v, then s ↦ b·s + w."""
    return b * a, b * v + w


@triton.jit
def compose_pairs(a, b, c, d, v, w, A, B, C, D, V, W):
    """Compose s ↦ [a b; c d] s + [v; w], then the same in capitals."""
    return A * a + B * c, A * b + B * d, C * a + D * c, C * b + D * d, A * v + B * w + V, C * v + D * w + W


@triton.jit
def coefficient(a, a_row, a_step, switch, row, at, length, mask):
    if switch is not None:
        at = tl.load(switch + row * length + at, mask, 0).to(tl.int32)
    return tl.load(a + row * a_row + at * a_step, mask, 0).to(tl.float64)


@triton.jit
def single_scan(v, a, a_row, a_step, switch, tail, taps, length, row, n, REVERSE: tl.constexpr):
    """Compute the products of the coefficients up to each step of a block, and its states from rest.

    In reverse, a sample receives the following one by the coefficient of the following one.
    """
    inside = n < length
    at = length - 1 - n if REVERSE else n
    x = read(v, row, at, length, inside)
    if tail is not None:
        past = at + taps if REVERSE else at - taps
        x -= tl.load(tail + row) * read(v, row, past, length, inside & (n >= taps))
        x *= 1 - tl.load(a + row * a_row)
    used = tl.minimum(at + 1, length - 1) if REVERSE else at
    return tl.associative_scan((coefficient(a, a_row, a_step, switch, row, used, length, inside), x), 0, compose)


@triton.jit
def single_ends(
    v, a, a_row, a_step, switch, tail, taps, length,
    ends, products, blocks, REVERSE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, n = place(blocks, BLOCK)
    factor, state = single_scan(v, a, a_row, a_step, switch, tail, taps, length, row, n, REVERSE)
    handed_on, block = opens_block(n, length, BLOCK)
    tl.store(ends + row * blocks + block, state, handed_on)
    tl.store(products + row * blocks + block, factor, handed_on)


@triton.jit
def single_states(
    v, a, a_row, a_step, switch, tail, taps, length,
    carries, y, blocks, REVERSE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, n = place(blocks, BLOCK)
    factor, state = single_scan(v, a, a_row, a_step, switch, tail, taps, length, row, n, REVERSE)
    at = length - 1 - n if REVERSE else n
    tl.store(y + row * length + at, state + factor * tl.load(carries + tl.program_id(0)), n < length)


@triton.jit
def pair_scan(v, m, m_row, m_step, section, length, row, n, REVERSE: tl.constexpr):
    """Compute the same with pairs: four products and two states."""
    inside = n < length
    at = length - 1 - n if REVERSE else n
    if section is None:
        p = read(v, 2 * row, 2 * at, length, inside)
        q = read(v, 2 * row, 2 * at + 1, length, inside)
        used = tl.minimum(at + 1, length - 1) if REVERSE else at
    else:
        section += row * 6
        x = read(v, row, at, length, inside)
        past = read(v, row, at + 1 if REVERSE else at - 1, length, inside & (n > 0))
        p = tl.load(section) * x + tl.load(section + 1) * past
        q = tl.load(section + 2) * past
        p += tl.where(n == 0, tl.load(section + 4), 0)
        q += tl.where(n == 0, tl.load(section + 5), 0)
        q += tl.load(m + row * m_row) * p
        used = at
    m += row * m_row + used * m_step
    a, b = tl.load(m, inside, 0), tl.load(m + 1, inside, 0)
    c, d = tl.load(m + 2, inside, 0), tl.load(m + 3, inside, 0)
    return tl.associative_scan((a, b, c, d, p, q), 0, compose_pairs)


@triton.jit
def pair_ends(v, m, m_row, m_step, section, length, ends, products, blocks, REVERSE: tl.constexpr, BLOCK: tl.constexpr):
    row, n = place(blocks, BLOCK)
    a, b, c, d, p, q = pair_scan(v, m, m_row, m_step, section, length, row, n, REVERSE)
    handed_on, block = opens_block(n, length, BLOCK)
    ends += (row * blocks + block) * 2
    tl.store(ends, p, handed_on)
    tl.store(ends + 1, q, handed_on)
    products += (row * blocks + block) * 4
    tl.store(products, a, handed_on)
    tl.store(products + 1, b, handed_on)
    tl.store(products + 2, c, handed_on)
    tl.store(products + 3, d, handed_on)


@triton.jit
def pair_block(v, m, m_row, m_step, section, length, carries, blocks, REVERSE: tl.constexpr, BLOCK: tl.constexpr):
    """Return the row and the time steps of a program, and its states."""
    row, n = place(blocks, BLOCK)
    a, b, c, d, p, q = pair_scan(v, m, m_row, m_step, section, length, row, n, REVERSE)
    s, t = tl.load(carries + tl.program_id(0) * 2), tl.load(carries + tl.program_id(0) * 2 + 1)
    return row, n, a * s + b * t + p, c * s + d * t + q


@triton.jit
def pair_states(v, m, m_row, m_step, section, length, carries, y, blocks, REVERSE: tl.constexpr, BLOCK: tl.constexpr):
    row, n, p, q = pair_block(v, m, m_row, m_step, section, length, carries, blocks, REVERSE, BLOCK)
    y += (row * length + (length - 1 - n if REVERSE else n)) * 2
    tl.store(y, p, n < length)
    tl.store(y + 1, q, n < length)
