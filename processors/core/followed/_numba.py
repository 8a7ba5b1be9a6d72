"""Compiled kernels of :mod:`.followed` for the CPU."""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_gains import energy_of, gain_backward, scale, to_gain
from ..backends.numba_recursions import (
    CHUNK,
    as_lanes,
    follow_lanes,
    follow_lanes_backward,
    onepole_backward_row,
    put,
    smooth,
    take_before,
)
from ..backends.numba_rows import inline, kernel, put_samples, run_rows, take_samples, tiny
from ..backends.numba_vectors import LANES
from ..operators import empty

WORK = 4  # what a sample costs, in steps of a recursion
LEAST = 2  # rows of a thread with attack and release; eight take the recursion as long as one, but all else longer
FEW = 4  # rows; fewer are cut into pieces, so that there is one for each thread


def follow(
    x: Tensor,
    key: Tensor,
    numbers: Tensor,
    coefficients: Tensor,
    smoothed: Tensor,
    rising: Tensor,
    taps: int,
    floor: float,
    side: int,
) -> Tensor:
    y = empty(x)
    operands = coefficients, x, key, y, smoothed, rising, numbers, floor, side, tiny(x)
    if taps:
        pieces = _pieces(len(x), x.shape[-1], taps)
        work = WORK * len(x) * x.shape[-1] // max(pieces.numel(), 1)
        run_rows(follow_pieces, pieces, *operands, taps, work=work)
    else:
        run_rows(follow_rows, *operands, work=WORK * x.shape[-1] // 2, lanes=LEAST)
    return y


def _pieces(rows: int, length: int, taps: int) -> Tensor:
    """Rows, and the ranges of samples that one thread has; the same for any number of threads, as roundings are."""
    count = max(1, min(FEW, length // (2 * taps))) if rows < FEW else 1
    bounds = [length * i // count for i in range(count + 1)]
    pieces = [(row, *bounds[i : i + 2]) for row in range(rows) for i in range(count)]
    return torch.tensor(pieces, dtype=torch.int64, device="cpu").reshape(-1, 3)


def follow_backward(
    grad: Tensor,
    x: Tensor,
    key: Tensor,
    numbers: Tensor,
    coefficients: Tensor,
    smoothed: Tensor,
    rising: Tensor,
    taps: int,
    floor: float,
    side: int,
    sidechain: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    by_key = empty(key) if sidechain else empty(key, shape=(0, 0, 0))
    grads = empty(x), by_key, empty(numbers), empty(coefficients)
    operands = coefficients, grad, x, key, smoothed, rising, numbers, floor, side, tiny(x), *grads
    work = 2 * WORK * x.shape[-1]
    if taps:
        run_rows(follow_pieces_backward, *operands, taps, work=work)
    else:
        run_rows(follow_rows_backward, *operands, work=work // 2, lanes=LEAST)
    return grads


@kernel
def follow_pieces(start, stop, pieces, alphas, x, keys, y, smoothed, rising, numbers, floor, side, tiny, taps):
    """Smooth the energies of pieces of rows, and scale the signals by the gain."""
    energy, old, gain = np.empty((3, CHUNK), np.float32)
    for piece in range(start, stop):
        row, begin, end = pieces[piece]
        alpha = alphas[row, 0]
        left = alpha**taps
        # What is older than the response is forgotten, so that its length before a piece gives its state.
        n, state = max(begin - taps, 0), 0.0
        while n < end:
            warm = n < begin
            limit = begin if warm else (taps if n < taps else end)
            size = min(n + CHUNK, limit, end) - n
            energy_of(keys[row], n, energy[:size])
            ended = size if not warm and n >= taps else 0
            energy_of(keys[row], n - taps, old[:ended])
            state = smooth(energy[:size], old[:ended], alpha, left, state, gain[:size])
            # A decay to silence would otherwise stay in the subnormal range, where arithmetic is slow.
            if abs(state) < tiny:
                state = 0.0
            if not warm:
                if len(smoothed):
                    smoothed[row, n : n + size] = gain[:size]
                to_gain(gain[:size], np.float32(floor), np.float32(side), numbers[row])
                scale(x[row], n, gain[:size], y[row])
            n += size


@kernel
def follow_rows(start, stop, coefficients, x, keys, y, smoothed, rising, numbers, floor, side, tiny):
    """Smooth the energies of eight rows at a time with attack and release, and scale the signals by the gain."""
    length = x.shape[2]
    energies = np.empty((LANES, CHUNK), np.float32)
    block, mask, state = np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES)), np.zeros(LANES)
    for top in range(start, stop, LANES):
        rows = min(LANES, stop - top)
        attack = as_lanes(coefficients[:, 0], top, top + rows - 1)
        release = as_lanes(coefficients[:, 1], top, top + rows - 1)
        state[:] = 0.0
        for begin in range(0, length, CHUNK):
            size = min(CHUNK, length - begin)
            for row in range(rows):
                energy_of(keys[top + row], begin, energies[row, :size])
            take_samples(energies, 0, rows - 1, 0, size, block)
            follow_lanes(block, size, attack, release, state, tiny, mask)
            put_samples(block, 0, rows - 1, 0, size, energies)
            if len(smoothed):
                put_samples(block, top, top + rows - 1, begin, begin + size, smoothed)
                put_samples(mask, top, top + rows - 1, begin, begin + size, rising)
            for row in range(rows):
                to_gain(energies[row, :size], np.float32(floor), np.float32(side), numbers[top + row])
                scale(x[top + row], begin, energies[row, :size], y[top + row])


@kernel
def follow_pieces_backward(
    start,
    stop,
    alphas,
    grads,
    x,
    keys,
    smoothed,
    rising,
    numbers,
    floor,
    side,
    tiny,
    by_x,
    by_keys,
    by_numbers,
    by_alphas,
    taps,
):
    length = x.shape[2]
    energy, by_energy = np.empty((2, length), np.float32)
    adjoint = np.empty(length if taps < length else 0)
    work = np.empty((4, CHUNK), np.float32)
    for row in range(start, stop):
        by_numbers[row] = 0.0
        for begin in range(0, length, CHUNK):
            end = min(begin + CHUNK, length)
            parts = smoothed[row, begin:end], numbers[row], np.float32(floor), np.float32(side)
            gain_backward(grads[row], x[row], begin, *parts, work, by_x[row], by_energy[begin:end], by_numbers[row])
        energy_of(keys[row], 0, energy)
        by_alphas[row, 0], _ = onepole_backward_row(
            by_energy, energy, smoothed[row], alphas[row, 0], 0.0, taps, tiny, adjoint, by_energy
        )
        energy_backward(row, 0, by_energy, keys, by_keys, by_x)


@kernel
def follow_rows_backward(
    start,
    stop,
    coefficients,
    grads,
    x,
    keys,
    smoothed,
    rising,
    numbers,
    floor,
    side,
    tiny,
    by_x,
    by_keys,
    by_numbers,
    by_coefficients,
):
    length = x.shape[2]
    energies, by_energies = np.empty((2, LANES, CHUNK), np.float32)
    g, u, mask, before = np.empty((4, CHUNK, LANES))
    work = np.empty((4, CHUNK), np.float32)
    carried, slopes, initial = np.empty(LANES), np.empty((2, LANES)), np.zeros(LANES)
    for top in range(start, stop, LANES):
        rows = min(LANES, stop - top)
        bottom = top + rows - 1
        attack, release = as_lanes(coefficients[:, 0], top, bottom), as_lanes(coefficients[:, 1], top, bottom)
        carried[:] = 0.0
        slopes[:] = 0.0
        by_numbers[top : bottom + 1] = 0.0
        for begin in range((length - 1) // CHUNK * CHUNK, -1, -CHUNK):
            end = min(begin + CHUNK, length)
            size = end - begin
            for i in range(rows):
                row = top + i
                parts = smoothed[row, begin:end], numbers[row], np.float32(floor), np.float32(side)
                gain_backward(
                    grads[row], x[row], begin, *parts, work, by_x[row], by_energies[i, :size], by_numbers[row]
                )
                energy_of(keys[row], begin, energies[i, :size])
            take_samples(by_energies, 0, rows - 1, 0, size, g)
            take_samples(energies, 0, rows - 1, 0, size, u)
            take_samples(rising, top, bottom, begin, end, mask)
            take_before(smoothed, top, bottom, begin, end, initial, before)
            follow_lanes_backward(g, size, before, u, mask, attack, release, carried, tiny, slopes)
            put_samples(g, 0, rows - 1, 0, size, by_energies)
            for i in range(rows):
                energy_backward(top + i, begin, by_energies[i, :size], keys, by_keys, by_x)
        put(slopes[0], top, bottom, by_coefficients[:, 0])
        put(slopes[1], top, bottom, by_coefficients[:, 1])


@inline
def energy_backward(row, begin, by_energy, keys, by_keys, by_x):
    """Add the gradient of the mean energy to that of the signals, or write it to that of the sidechain."""
    share, end = np.float32(2 / max(keys.shape[1], 1)), begin + by_energy.size
    for channel in range(keys.shape[1]):
        key = keys[row, channel][begin:end]
        if len(by_keys):
            by_key = by_keys[row, channel][begin:end]
            for i in range(by_energy.size):
                by_key[i] = share * by_energy[i] * key[i]
        else:
            by_signal = by_x[row, channel][begin:end]
            for i in range(by_energy.size):
                by_signal[i] += share * by_energy[i] * key[i]
