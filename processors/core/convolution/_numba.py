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

from ..backends.mkl import Plan, backward, forward, plan
from ..backends.numba_rows import inline, kernel, run_rows
from ..broadcasting import broadcast_shapes
from . import _torch as fallback

WORK = 16  # what a sample costs, in steps of a recursion
GROUP = 4  # blocks that are multiplied together
TILE = 2048  # numbers of a spectrum, likewise


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
    y = x.new_empty(*shape, x.shape[-1])
    operands = y.flatten(0, 1), *_rows(x, shape), *_rows(h, shape)
    run_rows(convolve_rows, *operands, delay, *blocks, transforms.handles, work=WORK)
    return y


def correlate(g: Tensor, x: Tensor, num_taps: int, delay: int) -> Tensor:
    blocks = cheapest_blocks(x.shape[-1], num_taps)
    transforms = _transforms(blocks, x, g)
    if transforms is None:
        return fallback.correlate(g, x, num_taps, delay)
    shape = broadcast_shapes(g.shape[:2], x.shape[:2])
    h = x.new_empty(*shape, num_taps)
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
    # Measured, in 0.06 ns: transforms become slower beyond the innermost cache.
    n, hop, parts = blocks
    num_blocks = -(-num_samples // hop)
    transform = n * math.log2(n) * (1 if n <= 8192 else 1.4) + 2000
    return (2 * num_blocks + parts) * transform + 2 * num_blocks * parts * n


@kernel
def convolve_rows(start, stop, y, x, x_row, h, h_row, delay, n, hop, parts, handles):
    overlap, length = n - hop, y.shape[1]
    H, X, Y = spectra(parts, n, x.dtype), spectra(parts + GROUP - 1, n, x.dtype), spectra(GROUP, n, x.dtype)
    silent = np.empty(len(X), np.bool_)
    for row in range(start, stop):
        if row == start or h_row[row] != h_row[row - 1]:
            transform_parts(h[h_row[row]], n, hop, handles, H)
        silent[:] = True
        for block in range(1 - parts, -(-length // hop), GROUP):
            count = min(GROUP, -(-length // hop) - block)
            read_group(x[x_row[row]], block, count, hop, delay - overlap, n, handles, X, silent)
            if block + count <= 0:
                continue
            first = max(0, -block)
            multiply_group(X, silent, H, block, first, count, n, Y)
            for i in range(first, count):
                backward(handles, Y[i])
                begin, end = (block + i) * hop, min((block + i + 1) * hop, length)
                y[row, begin:end] = Y[i, overlap : overlap + end - begin]


@kernel
def correlate_rows(start, stop, g, x, x_row, h, delay, n, hop, parts, handles):
    overlap, length, num_taps = n - hop, g.shape[1], h.shape[1]
    H, X, G = spectra(parts, n, x.dtype), spectra(parts + GROUP - 1, n, x.dtype), spectra(GROUP, n, x.dtype)
    silent = np.empty(len(X), np.bool_)
    for row in range(start, stop):
        H[:] = 0
        silent[:] = True
        for block in range(1 - parts, -(-length // hop), GROUP):
            count = min(GROUP, -(-length // hop) - block)
            read_group(x[x_row[row]], block, count, hop, delay - overlap, n, handles, X, silent)
            first = max(0, -block)
            for i in range(first, count):
                begin, end = (block + i) * hop, min((block + i + 1) * hop, length)
                G[i, :overlap] = 0
                G[i, overlap : overlap + end - begin] = g[row, begin:end]
                G[i, overlap + end - begin :] = 0
                forward(handles, G[i])
            correlate_group(G, X, silent, block, first, count, n, H)
        for part in range(parts):
            backward(handles, H[part])
            begin, end = part_of(part, parts, hop, num_taps)
            for i in range(begin, end):
                h[row, i] = H[part, i - begin] / n


@inline
def spectra(count, n, dtype):
    """Allocate rows at different page offsets, to avoid cache conflicts."""
    return np.empty((count, n + 2 + 128), dtype)


@inline
def read_group(x, block, count, hop, lead, n, handles, X, silent):
    """Transform blocks, each into its slot of a ring buffer."""
    for i in range(count):
        place = (block + i) % len(X)
        silent[place] = not read(x, (block + i) * hop + lead, n, X[place])
        if not silent[place]:
            forward(handles, X[place])


@inline
def multiply_group(X, silent, H, block, first, count, n, Y):
    """Compute Y[i] = Σ X[block + i − part] H[part], a few frequencies at a time, to read them from memory once."""
    for low in range(0, n + 2, TILE):
        high = min(low + TILE, n + 2)
        for i in range(first, count):
            Y[i, low:high] = 0
            for part in range(len(H)):
                place = (block + i - part) % len(X)
                if not silent[place]:
                    add_product(Y[i, low:high], X[place, low:high], H[part, low:high])


@inline
def correlate_group(G, X, silent, block, first, count, n, H):
    """Accumulate H[part] += Σ G[i] X*[block + i − part]."""
    for low in range(0, n + 2, TILE):
        high = min(low + TILE, n + 2)
        for i in range(first, count):
            for part in range(len(H)):
                place = (block + i - part) % len(X)
                if not silent[place]:
                    add_product_conjugate(H[part, low:high], G[i, low:high], X[place, low:high])


@inline
def part_of(part, parts, hop, num_taps):
    if parts == 1:
        return 0, num_taps
    return part * hop, min(part * hop + hop, num_taps)


@inline
def transform_parts(h, n, hop, handles, H):
    """Divide by n, since the inverse transforms are not normalized."""
    for part in range(H.shape[0]):
        begin, end = part_of(part, H.shape[0], hop, h.size)
        for i in range(begin, end):
            H[part, i - begin] = h[i] / n
        H[part, end - begin :] = 0
        forward(handles, H[part])


@inline
def read(x, first, n, X):
    """Copy n samples from ``first``, which may be negative, with zeros outside; return whether there were any."""
    low, high = max(0, -first), min(n, x.size - first)
    if low >= high:
        return False
    X[:low] = 0
    X[low:high] = x[first + low : first + high]
    X[high:] = 0
    return True


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
