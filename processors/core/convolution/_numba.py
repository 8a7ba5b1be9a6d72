"""Compiled kernels of :mod:`.convolution` for the CPU: one row after another, in the cache.

Signals are divided into blocks, and long filters into parts, for short transforms. Each block is transformed,
multiplied by the spectra of all parts, and transformed back before the next one is read: no spectrum goes to main
memory. Where kernels cannot call transforms, plain torch is used.

References:
    F. Wefers, "Partitioned convolution algorithms for real-time auralization", Logos, 2015, chapter 5.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..backends.mkl import Plan, backward, forward, forward_from, plan
from ..backends.numba_rows import inline, kernel, run_rows
from ..broadcasting import broadcast_shapes
from ..operators import empty
from . import _torch as fallback

WORK = 16  # what a sample costs, in steps of a recursion
TILE = 2048  # numbers of a spectrum that are multiplied by all parts before the next ones


class Blocks(NamedTuple):
    """Partition into transforms of ``n`` samples, ``hop`` of which are new, and ``parts`` of filters."""

    n: int
    hop: int
    parts: int


def convolve(x: Tensor, h: Tensor, delay: int) -> Tensor:
    blocks = cheapest_blocks(x.shape[-1], h.shape[-1])
    transforms = _transforms(blocks, x, h)
    if transforms is None:
        return fallback.convolve(x, h, delay)
    shape = broadcast_shapes(x.shape[:2], h.shape[:2])
    y = empty(x, shape=(*shape, x.shape[-1]))
    operands = y.flatten(0, 1), *_rows(x, shape), *_rows(h, shape)
    run_rows(convolve_rows, *operands, delay, *blocks, transforms.handles, work=WORK)
    return y


def correlate(g: Tensor, x: Tensor, num_taps: int, delay: int) -> Tensor:
    blocks = cheapest_blocks(x.shape[-1], num_taps)
    transforms = _transforms(blocks, x, g)
    if transforms is None:
        return fallback.correlate(g, x, num_taps, delay)
    shape = broadcast_shapes(g.shape[:2], x.shape[:2])
    h = empty(x, shape=(*shape, num_taps))
    operands = g.expand(*shape, -1).flatten(0, 1), *_rows(x, shape), h.flatten(0, 1)
    run_rows(correlate_rows, *operands, delay, *blocks, transforms.handles, work=WORK)
    return h


def _transforms(blocks: Blocks, *operands: Tensor) -> Plan | None:
    dtypes = {operand.dtype for operand in operands}
    return plan(blocks.n, dtypes.pop()) if len(dtypes) == 1 else None


def _rows(v: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Map rows to those of a broadcast shape."""
    which = torch.arange(v.shape[0] * v.shape[1]).view(*v.shape[:2])
    return v.flatten(0, 1), which.expand(shape).flatten()


@lru_cache
def cheapest_blocks(num_samples: int, num_taps: int) -> Blocks:
    """Choose the partition for some lengths of signals and filters."""
    longest = (num_samples + num_taps).bit_length()
    return min(
        (_blocks_of(1 << k, num_taps) for k in range(5, max(6, longest + 1))), key=lambda b: _cost(b, num_samples)
    )


def _blocks_of(n: int, num_taps: int) -> Blocks:
    if num_taps <= n // 2:
        return Blocks(n, n - num_taps + 1, 1)
    return Blocks(n, n // 2, -(-num_taps // (n // 2)))


def _cost(blocks: Blocks, num_samples: int) -> float:
    # Measured, in 0.06 ns: transforms become slower beyond the inner caches.
    n, hop, parts = blocks
    num_blocks = -(-num_samples // hop)
    slower = 1.0 if n <= 8192 else 1.1 if n <= 32768 else 1.4
    transform = slower * n * math.log2(n) + 2000
    return (2 * num_blocks + parts) * transform + 3 * num_blocks * parts * n


@kernel
def convolve_rows(start, stop, y, x, x_row, h, h_row, delay, n, hop, parts, handles):
    overlap, length = n - hop, y.shape[1]
    H, X, Y = spectra(parts, n, x.dtype), spectra(parts, n, x.dtype), spectra(1, n, x.dtype)[0]
    silent = np.empty(parts, np.bool_)
    for row in range(start, stop):
        if row == start or h_row[row] != h_row[row - 1]:
            transform_parts(h[h_row[row]], n, hop, handles, H)
        silent[:] = True
        for block in range(1 - parts, -(-length // hop)):
            slot = block % parts
            silent[slot] = not transform_block(x[x_row[row]], block * hop + delay - overlap, n, handles, X[slot])
            if block >= 0:
                multiply(X, silent, H, block, n, Y)
                backward(handles, Y)
                begin, end = block * hop, min(block * hop + hop, length)
                copy(Y[overlap : overlap + end - begin], y[row, begin:end])


@kernel
def correlate_rows(start, stop, g, x, x_row, h, delay, n, hop, parts, handles):
    overlap, length, num_taps = n - hop, g.shape[1], h.shape[1]
    H, X, G = spectra(parts, n, x.dtype), spectra(parts, n, x.dtype), spectra(1, n, x.dtype)[0]
    silent = np.empty(parts, np.bool_)
    for row in range(start, stop):
        H[:] = 0
        silent[:] = True
        for block in range(1 - parts, -(-length // hop)):
            slot = block % parts
            silent[slot] = not transform_block(x[x_row[row]], block * hop + delay - overlap, n, handles, X[slot])
            if block >= 0:
                begin, end = block * hop, min(block * hop + hop, length)
                G[:overlap] = 0
                copy(g[row, begin:end], G[overlap : overlap + end - begin])
                G[overlap + end - begin :] = 0
                forward(handles, G)
                correlate_block(G, X, silent, block, n, H)
        scale = h.dtype.type(1 / n)
        for part in range(parts):
            backward(handles, H[part])
            begin, end = part_of(part, parts, hop, num_taps)
            copy_scaled(H[part, : end - begin], scale, h[row, begin:end])


@inline
def spectra(count, n, dtype):
    """Allocate rows at different page offsets, to avoid cache conflicts."""
    return np.empty((count, n + 2 + 128), dtype)


@inline
def transform_block(x, first, n, handles, X):
    """Transform n samples from ``first``, which may be negative, with zeros outside; return whether there were any."""
    if first >= 0 and first + n <= x.size:
        forward_from(x[first : first + n], handles, X)
        return True
    low, high = max(0, -first), min(n, x.size - first)
    if low >= high:
        return False
    X[:low] = 0
    copy(x[first + low : first + high], X[low:high])
    X[high:] = 0
    forward(handles, X)
    return True


@inline
def multiply(X, silent, H, block, n, Y):
    """Compute Y = Σ X[block − part] H[part], a few frequencies at a time, for which Y stays in the innermost cache."""
    for low in range(0, n + 2, TILE):
        high = min(low + TILE, n + 2)
        Y[low:high] = 0
        for part in range(len(H)):
            slot = (block - part) % len(X)
            if not silent[slot]:
                add_product(Y[low:high], X[slot, low:high], H[part, low:high])


@inline
def correlate_block(G, X, silent, block, n, H):
    """Accumulate H[part] += G X*[block − part]."""
    for low in range(0, n + 2, TILE):
        high = min(low + TILE, n + 2)
        for part in range(len(H)):
            slot = (block - part) % len(X)
            if not silent[slot]:
                add_product_conjugate(H[part, low:high], G[low:high], X[slot, low:high])


@inline
def part_of(part, parts, hop, num_taps):
    if parts == 1:
        return 0, num_taps
    return part * hop, min(part * hop + hop, num_taps)


@inline
def transform_parts(h, n, hop, handles, H):
    """Divide by n, since the inverse transforms are not normalized."""
    scale = h.dtype.type(1 / n)
    for part in range(H.shape[0]):
        begin, end = part_of(part, H.shape[0], hop, h.size)
        copy_scaled(h[begin:end], scale, H[part, : end - begin])
        H[part, end - begin :] = 0
        forward(handles, H[part])


# Loops from 0 on over slices are vectorized, unlike assignments of slices.


@inline
def copy(source, target):
    for i in range(target.size):
        target[i] = source[i]


@inline
def copy_scaled(source, scale, target):
    for i in range(target.size):
        target[i] = source[i] * scale


# Complex numbers are pairs of reals, indexed in a form that compilers vectorize.


@inline
def add_product(Y, X, H):
    for k in range(Y.size // 2):
        a, b, c, d = X[2 * k], X[2 * k + 1], H[2 * k], H[2 * k + 1]
        Y[2 * k] += a * c - b * d
        Y[2 * k + 1] += a * d + b * c


@inline
def add_product_conjugate(H, G, X):
    for k in range(H.size // 2):
        a, b, c, d = G[2 * k], G[2 * k + 1], X[2 * k], X[2 * k + 1]
        H[2 * k] += a * c + b * d
        H[2 * k + 1] += b * c - a * d
