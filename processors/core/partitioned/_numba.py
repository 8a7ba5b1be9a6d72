"""Compiled kernels of :mod:`.partitioned` for the CPU: one row after another, in the cache.

Larger windows are worked on a few rows at a time, so that no block takes much longer than others. Where kernels cannot
call transforms, plain torch is used.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..backends.addresses import row_at
from ..backends.mkl import backward, forward, plan
from ..backends.numba_rows import inline, kernel
from ..backends.threads import kernel_threads, run_concurrently
from . import _torch as fallback
from .kept import Inputs, Kept, Level, Rows

WORK_PER_THREAD = 1 << 18  # numbers; below that, handing work over takes longer than the work
TRANSFORMS = 10  # what a pair of them costs, in products


def head(kept: Kept, rows: Rows, x: Tensor, y: Tensor, begin: int, end: int) -> tuple[Inputs, Tensor, Tensor]:
    level, earlier = kept.levels[0], kept.earlier
    transforms = plan(2 * level.size, x.dtype)
    if transforms is None:
        return fallback.head(kept, rows, x, y, begin, end)
    place = kept.place
    if place % level.size == 0 and end - begin < level.size:
        earlier = torch.empty_like(earlier)
    spectrum = torch.empty_like(level.coming)
    places = [part.data_ptr() for part in (*kept.inputs[:2], level.pieces, spectrum, earlier, *level.spectra)]
    for other in kept.levels[1:]:
        places += other.tail.data_ptr(), other.size, kept.time % other.size
    sizes = place, level.size, kept.inputs[0].shape[-1], level.pieces.shape[-2], len(level.spectra)
    signals = (part.detach().contiguous().numpy().reshape(-1, part.shape[-1]) for part in (x, y))
    work = 2 * level.size * (level.pieces.shape[-2] + TRANSFORMS)
    _run(head_rows, work, 0, len(rows.first) - 1, *rows[1:], *signals, begin, end, sizes, places, transforms)
    return kept.inputs, earlier, spectrum


def work_ahead(level: Level, inputs: Inputs, rows: Rows, first: int, due: int) -> Level:
    transforms = plan(2 * level.size, level.coming.dtype)
    if transforms is None:
        return fallback.work_ahead(level, inputs, rows, first, due)
    places = [part.data_ptr() for part in (*inputs, level.pieces, level.coming, level.next_tail, *level.spectra)]
    sizes = first, level.size, inputs[0].shape[-1], level.pieces.shape[-2], len(level.spectra)
    like = level.coming[:0].numpy().reshape(-1)
    work = 2 * level.size * (level.pieces.shape[-2] + TRANSFORMS)
    _run(window_rows, work, level.done, due, *rows[1:], like, sizes, places, transforms)
    return Level(*level[:-1], due)


def _run(row_kernel: Callable, work: int, start: int, stop: int, *arguments: Any) -> None:
    """Call a kernel on ranges of the signal's rows, concurrently. Where tensors are, it gets as addresses."""
    *others, places, transforms = arguments
    arguments = *others, np.array(places, np.int64), transforms.handles
    count = min(kernel_threads(), stop - start, (stop - start) * work // WORK_PER_THREAD)
    if count < 2:
        row_kernel(start, stop, *arguments)
        return
    bounds = [start + (stop - start) * i // count for i in range(count + 1)]
    run_concurrently(lambda number: row_kernel(bounds[number], bounds[number + 1], *arguments), count)


@kernel
def head_rows(start, stop, first_output, outputs, filters, x, y, begin, end, sizes, places, handles):
    """Append a part to the present window, and convolve it with all taps."""
    place, size, window, num_pieces, num_spectra = sizes
    spectra, tails = places[5 : 5 + num_spectra], places[5 + num_spectra :]
    n, filled, length = 2 * size, place % size, end - begin
    X, Y = np.empty(n + 2, x.dtype), np.empty(n + 2, x.dtype)
    for row in range(start, stop):
        present = row_at(places[0], row, window, x)
        present[place : place + length] = x[row, begin:end]
        copy_window(places[1], places[1], places[0], row, window, place - filled - size, X[:size])
        X[size : size + filled + length] = present[place - filled : place + length]
        X[size + filled + length :] = 0
        forward(handles, X)
        row_at(places[3], row, n + 2, x)[:] = X
        for k in range(first_output[row], first_output[row + 1]):
            output = outputs[k]
            pieces = row_at(places[2], filters[k], num_pieces * (n + 2), x)
            if filled > 0:
                Y[:] = row_at(places[4], output, n + 2, x)
            else:
                Y[:] = 0
                add_products(Y, spectra, row, pieces[n + 2 :])
                if length < size:
                    row_at(places[4], output, n + 2, x)[:] = Y
            add_product(Y, X, pieces[: n + 2])
            backward(handles, Y)
            for i in range(length):
                y[output, begin + i] = Y[size + filled + i]
            for t in range(0, len(tails), 3):
                tail = row_at(tails[t], output, tails[t + 1], x)
                for i in range(length):
                    y[output, begin + i] += tail[tails[t + 2] + i]


@kernel
def window_rows(start, stop, first_output, outputs, filters, like, sizes, places, handles):
    """Transform the window before the one that begins at ``first``, and compute what is heard of it in the next one."""
    first, size, window, num_pieces, num_spectra = sizes
    spectra, n = places[6 : 6 + num_spectra], 2 * size
    X, Y = np.empty(n + 2, like.dtype), np.empty(n + 2, like.dtype)
    for row in range(start, stop):
        copy_window(places[2], places[1], places[0], row, window, first - 2 * size, X[:size])
        copy_window(places[2], places[1], places[0], row, window, first - size, X[size:n])
        X[n:] = 0
        forward(handles, X)
        row_at(places[4], row, n + 2, like)[:] = X
        for k in range(first_output[row], first_output[row + 1]):
            pieces = row_at(places[3], filters[k], num_pieces * (n + 2), like)
            Y[:] = 0
            add_product(Y, X, pieces[: n + 2])
            add_products(Y, spectra, row, pieces[n + 2 :])
            backward(handles, Y)
            row_at(places[5], outputs[k], size, like)[:] = Y[size:n]


@inline
def copy_window(older, before, present, row, window, begin, target):
    """Copy the samples from ``begin``, which is negative in windows before the present one."""
    if begin >= 0:
        target[:] = row_at(present, row, window, target)[begin : begin + target.size]
    elif begin >= -window:
        target[:] = row_at(before, row, window, target)[begin + window : begin + window + target.size]
    else:
        target[:] = row_at(older, row, window, target)[begin + 2 * window : begin + 2 * window + target.size]


@inline
def add_products(Y, spectra, row, pieces):
    """Add the products of spectra and the pieces that follow the first."""
    for p in range(min(len(spectra), pieces.size // Y.size)):
        add_product(Y, row_at(spectra[p], row, Y.size, Y), pieces[p * Y.size : (p + 1) * Y.size])


# Complex numbers are pairs of reals, indexed in a form that compilers vectorize.


@inline
def add_product(Y, X, H):
    for k in range(Y.size // 2):
        a, b, c, d = X[2 * k], X[2 * k + 1], H[2 * k], H[2 * k + 1]
        Y[2 * k] += a * c - b * d
        Y[2 * k + 1] += a * d + b * c
