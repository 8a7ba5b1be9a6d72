"""Compilation of kernels over rows, and their execution on several cores.

Rows are independent, so they are distributed over threads. Numba's threading layers support neither forks nor
concurrent callers, and data-loader workers are forks.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from .numba_cache import KernelCache
from .numba_vectors import LANES, below, load, load_rows, splat, store, store_rows, where
from .threads import kernel_threads, run_concurrently

MIN_WORK_PER_THREAD = 1 << 15  # samples; below that, handing work over takes longer than the work


def kernel(function: Callable, **options) -> Callable:
    """Compile on first call, with an on-disk cache if a folder for it is writable."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}} | options
    compiled = njit(**options)(function)
    with suppress(RuntimeError):  # no folder for a cache can be written
        compiled._cache = KernelCache(function)
    return compiled


def inline(function: Callable) -> Callable:
    """Compile a part of kernels inline, since vectors cannot be passed between functions."""
    return njit(forceinline=True, error_model="numpy", fastmath={"contract"})(function)


def run_rows(row_kernel: Callable, *arguments: Tensor | float | tuple[Any, ...], work: int = 1, lanes: int = 1) -> None:
    """Call ``row_kernel(start, stop, *arrays)`` on disjoint ranges of rows, concurrently.

    Args:
        row_kernel: A compiled function.
        arguments: The first is of shape ``(rows, length)``; tensors are passed to the kernel as contiguous arrays.
        work: Steps per sample.
        lanes: Number of rows that the kernel processes in parallel.
    """
    arrays = [array_of(a) if isinstance(a, Tensor) else a for a in arguments]
    rows, length = arrays[0].shape
    most = kernel_threads(), -(-rows // lanes), rows * length * work // MIN_WORK_PER_THREAD
    num_threads = max(1, min(most))
    bounds = [rows * i // num_threads for i in range(num_threads + 1)]
    run_concurrently(lambda number: row_kernel(bounds[number], bounds[number + 1], *arrays), num_threads)


def array_of(tensor: Tensor) -> np.ndarray:
    """The values of a tensor for a kernel, contiguous; a copy only where they are not."""
    return tensor.detach().resolve_conj().resolve_neg().contiguous().numpy()


def tiny(signal: Tensor) -> float:
    return torch.finfo(signal.dtype).tiny


@kernel
def take_lanes(values, first, last, lanes):
    """Transpose (row, k, i) of eight rows, or fewer padded with the last one, to (k, i, lane)."""
    for lane in range(LANES):
        row = values[min(first + lane, last)]
        for k in range(row.shape[0]):
            for i in range(row.shape[1]):
                lanes[k, i, lane] = row[k, i]


@kernel
def put_lanes(lanes, first, last, values):
    for lane in range(LANES):
        row = values[min(first + lane, last)]
        for k in range(row.shape[0]):
            for i in range(row.shape[1]):
                row[k, i] = lanes[k, i, lane]


@kernel
def take_samples(signals, first, last, start, stop, block):
    """Transpose samples of eight rows to (sample, lane)."""
    whole = (stop - start) // LANES * LANES
    for n in range(0, whole, LANES):
        load_rows(signals, first, last, start + n, block, n)
    for n in range(whole, stop - start):
        for lane in range(LANES):
            block[n, lane] = signals[min(first + lane, last), start + n]


@kernel
def put_samples(block, first, last, start, stop, signals):
    whole = (stop - start) // LANES * LANES
    for n in range(0, whole, LANES):
        store_rows(signals, first, last, start + n, block, n)
    for n in range(whole, stop - start):
        for lane in range(LANES):
            signals[min(first + lane, last), start + n] = block[n, lane]


@kernel
def hand_over(source, target, order, tiny):
    """Carry a state to the next chunk, or zeros if all of it is tiny, since subnormal arithmetic is slow."""
    quiet = splat(1.0)
    for i in range(order):
        quiet = quiet * below(load(source, i * LANES), tiny)
    for i in range(order):
        store(target, i * LANES, where(quiet, splat(0.0), load(source, i * LANES)))
