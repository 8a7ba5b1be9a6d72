"""Compiled kernels of :mod:`.partitioned` for the CPU: one row after another, in the cache.

Larger windows are worked on a few rows at a time, so that no block takes much longer than others. Where kernels cannot
call transforms, plain torch is used.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numba import carray, types
from torch import Tensor

from ..backends.intrinsics import intrinsic
from ..backends.mkl import backward, forward, plan
from ..backends.numba_rows import inline, kernel
from ..backends.threads import run_concurrently
from . import _torch as fallback
from .kept import Inputs, Kept, Level, Rows, rows_of

ROWS_PER_THREAD = 1 << 17  # samples of transforms; below that, handing work over takes longer than the work


def head(kept: Kept, x: Tensor, y: Tensor, begin: int, end: int) -> tuple[Inputs, Tensor, Tensor]:
    level = kept.levels[0]
    transforms = plan(2 * level.size, x.dtype)
    if transforms is None:
        return fallback.head(kept, x, y, begin, end)
    filled = kept.place % level.size
    earlier = kept.earlier if filled else torch.empty_like(kept.earlier)
    spectrum = torch.empty_like(level.coming)
    tails = [(other.tail.data_ptr(), other.size, kept.time % other.size) for other in kept.levels[1:]]
    _run(
        head_rows,
        rows_of(x.shape[:-1], level.pieces.shape[:-2]),
        _flat(x.detach()),
        _flat(y),
        begin,
        end,
        *map(_flat, kept.inputs[:2]),
        kept.place,
        level.size,
        _pieces(level),
        _addresses(level.spectra),
        _flat(spectrum),
        _flat(earlier),
        np.array(tails, np.int64).reshape(-1, 3),
        transforms.handles,
        work=2 * level.size,
    )
    return kept.inputs, earlier, spectrum


def work_ahead(level: Level, inputs: Inputs, first: int, due: int, rows: int) -> Level:
    transforms = plan(2 * level.size, level.coming.dtype)
    if transforms is None:
        return fallback.work_ahead(level, inputs, first, due, rows)
    _run(
        window_rows,
        rows_of(level.coming.shape[:-1], level.pieces.shape[:-2]),
        *map(_flat, inputs),
        first,
        level.size,
        _pieces(level),
        _addresses(level.spectra),
        _flat(level.coming),
        _flat(level.next_tail),
        transforms.handles,
        work=2 * level.size * level.pieces.shape[-2],
        within=(level.done, due),
    )
    return Level(*level[:-1], due)


def _run(row_kernel, rows: Rows, *arguments, work: int, within: tuple[int, int] | None = None) -> None:
    """Call a kernel on ranges of the signal's rows, concurrently."""
    start, stop = (0, len(rows.first) - 1) if within is None else within
    count = max(1, min(torch.get_num_threads(), stop - start, (stop - start) * work // ROWS_PER_THREAD))
    bounds = [start + (stop - start) * i // count for i in range(count + 1)]
    run_concurrently(lambda number: row_kernel(bounds[number], bounds[number + 1], *rows, *arguments), count)


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.contiguous().numpy().reshape(-1, tensor.shape[-1])


def _pieces(level: Level) -> np.ndarray:
    return level.pieces.numpy().reshape(-1, *level.pieces.shape[-2:])


def _addresses(spectra: Sequence[Tensor]) -> np.ndarray:
    return np.array([spectrum.data_ptr() for spectrum in spectra], np.int64)


@kernel
def head_rows(
    start,
    stop,
    first_output,
    outputs,
    filters,
    x,
    y,
    begin,
    end,
    present,
    before,
    place,
    size,
    pieces,
    spectra,
    spectrum,
    earlier,
    tails,
    handles,
):
    """Append a part to the present window, and convolve it with all taps."""
    n, filled, length = 2 * size, place % size, end - begin
    X, Y = np.empty(n + 2, x.dtype), np.empty(n + 2, x.dtype)
    for row in range(start, stop):
        present[row, place : place + length] = x[row, begin:end]
        first = place - filled
        copy_window(before, before, present, row, first - size, X[:size])
        X[size : size + filled + length] = present[row, first : place + length]
        X[size + filled + length :] = 0
        forward(handles, X)
        spectrum[row] = X
        for k in range(first_output[row], first_output[row + 1]):
            output = outputs[k]
            if filled == 0:
                add_products(Y, spectra, row, pieces[filters[k], 1:], True)
                if length < size:
                    earlier[output] = Y
            else:
                Y[:] = earlier[output]
            add_product(Y, X, pieces[filters[k], 0])
            backward(handles, Y)
            for i in range(length):
                y[output, begin + i] = Y[size + filled + i]
            for t in range(len(tails)):
                tail = row_at(tails[t, 0], output, tails[t, 1], Y)
                for i in range(length):
                    y[output, begin + i] += tail[tails[t, 2] + i]


@kernel
def window_rows(
    start,
    stop,
    first_output,
    outputs,
    filters,
    present,
    before,
    older,
    first,
    size,
    pieces,
    spectra,
    coming,
    next_tail,
    handles,
):
    """Transform the window before the one that begins at ``first``, and compute what is heard of it in the next one."""
    n = 2 * size
    X, Y = np.empty(n + 2, coming.dtype), np.empty(n + 2, coming.dtype)
    for row in range(start, stop):
        copy_window(older, before, present, row, first - 2 * size, X[:size])
        copy_window(older, before, present, row, first - size, X[size:n])
        X[n:] = 0
        forward(handles, X)
        coming[row] = X
        for k in range(first_output[row], first_output[row + 1]):
            Y[:] = 0
            add_product(Y, X, pieces[filters[k], 0])
            add_products(Y, spectra, row, pieces[filters[k], 1:], False)
            backward(handles, Y)
            next_tail[outputs[k]] = Y[size:n]


@inline
def copy_window(older, before, present, row, begin, target):
    """Copy the samples from ``begin``, which is negative in windows before the present one."""
    length = present.shape[1]
    if begin >= 0:
        target[:] = present[row, begin : begin + target.size]
    elif begin >= -length:
        target[:] = before[row, begin + length : begin + length + target.size]
    else:
        target[:] = older[row, begin + 2 * length : begin + 2 * length + target.size]


@inline
def add_products(Y, spectra, row, pieces, anew):
    if anew:
        Y[:] = 0
    for p in range(min(len(spectra), len(pieces))):
        add_product(Y, row_at(spectra[p], row, Y.size, Y), pieces[p])


# Complex numbers are pairs of reals, indexed in a form that compilers vectorize.


@inline
def add_product(Y, X, H):
    for k in range(Y.size // 2):
        a, b, c, d = X[2 * k], X[2 * k + 1], H[2 * k], H[2 * k + 1]
        Y[2 * k] += a * c - b * d
        Y[2 * k + 1] += a * d + b * c


@inline
def row_at(address, row, size, like):
    """A row of an array (rows, size) at an address, of the type of another."""
    return carray(pointer(address + row * size * like.itemsize), (size,), like.dtype)


@intrinsic
def pointer(typingctx, address):
    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), codegen
