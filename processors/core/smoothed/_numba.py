"""Compiled kernels of :mod:`.smoothed` for the CPU."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.addresses import row_at
from ..backends.numba_math import clipped, exp32, log32, positive
from ..backends.numba_recursions import CHUNK, as_lanes, follow_lanes, smooth
from ..backends.numba_rows import array_of, inline, kernel, put_samples, run_rows, take_samples, tiny
from ..backends.numba_vectors import LANES
from ..operators import empty

if TYPE_CHECKING:
    from . import Ramp

HALF, ONE = map(np.float32, (0.5, 1))
WORK = 4  # what a sample costs, in steps of a recursion
FEW = 4  # rows; fewer are cut into pieces, so that there is one for each thread


def smooth_part(
    u: Tensor, y: Tensor, windows: Sequence[Tensor], vectors: Sequence[Tensor], sizes: tuple[int, ...]
) -> None:
    """Smooth samples of ``u`` into ``y``.

    Args:
        u, y: ``(..., L)``.
        windows: The present window and the one before, ``(..., W)``.
        vectors: Coefficients, what is left after the response, last outputs, and where to write them, each ``(...)`` in
            double precision.
        sizes: Place in the window, W, number of taps, and the range of samples.
    """
    vectors = [vector.contiguous() for vector in vectors]
    places = [tensor.data_ptr() for tensor in (*windows, *vectors)]
    signals = (array_of(signal).reshape(-1, signal.shape[-1]) for signal in (u, y))
    smooth_rows(*signals, sizes, np.array(places, np.int64))


def follow(x: Tensor, key: Tensor, y: Tensor, ramp: "Ramp", vectors: Sequence[Tensor], sizes: tuple[int, ...]) -> None:
    """Smooth the energy of samples of ``key``, and write those of ``x`` with the gain of a ramp into ``y``.

    Args:
        x, key, y: ``(B, C, L)`` in single precision; ``y`` is contiguous.
        ramp: The gain.
        vectors: Two coefficients, last outputs, and where to write them, each contiguous, of one number for each row,
            in double precision; and the windows of :func:`smooth`, without which it is attack and release.
        sizes: As in :func:`smooth`.

    Raises:
        ParameterError: They are not of as many rows.
    """
    rows = len(x)
    alike = len(key) == len(y) == rows and all(vector.numel() == rows for vector in vectors[:4])
    if not alike or ramp.numbers.shape != (rows, 4):
        numbers = [vector.numel() for vector in vectors[:4]]
        raise ParameterError(
            f"{rows} signals cannot be followed by the energies of {len(key)}, with {len(ramp.numbers)} ramps, and "
            f"coefficients and last outputs of {numbers} rows: give each a row for each signal."
        )
    places = [tensor.data_ptr() for tensor in (ramp.numbers, *vectors)]
    follow_rows(array_of(x), array_of(key), y.numpy(), sizes, ramp.floor, ramp.side, np.array(places, np.int64))


def follow_whole(x: Tensor, key: Tensor, ramp: "Ramp", coefficients: Sequence[Tensor], taps: int) -> Tensor:
    """Smooth the energy of whole signals with a truncated response, and apply the gain of a ramp."""
    y = empty(x)
    pieces = _pieces(len(x), x.shape[-1], taps)
    signals = x, key, y, ramp.numbers, *coefficients
    work = WORK * y[:, 0].numel() // max(pieces.numel(), 1)
    run_rows(follow_pieces, pieces, *signals, ramp.floor, ramp.side, taps, tiny(x), work=work)
    return y


def _pieces(rows: int, length: int, taps: int) -> Tensor:
    """Rows, and the ranges of samples that one thread has; the same for any number of threads, as roundings are."""
    count = max(1, min(FEW, length // (2 * taps))) if rows < FEW else 1
    bounds = [length * i // count for i in range(count + 1)]
    pieces = [(row, *bounds[i : i + 2]) for row in range(rows) for i in range(count)]
    return torch.tensor(pieces, dtype=torch.int64, device="cpu").reshape(-1, 3)


def follow_whole_ballistics(x: Tensor, key: Tensor, ramp: "Ramp", coefficients: Sequence[Tensor]) -> Tensor:
    """Smooth the energy of whole signals with attack and release, and apply the gain of a ramp."""
    y = empty(x)
    operands = ramp.numbers, x, key, y, *coefficients, ramp.floor, ramp.side, tiny(x)
    run_rows(follow_ballistics_rows, *operands, work=WORK * x.shape[-1] // 4, lanes=LANES)
    return y


def ramp(level: Tensor, ramp: "Ramp") -> None:
    """Replace levels by log gains."""
    ramp_rows(level.numpy(), ramp.numbers.numpy(), ramp.side)


@kernel
def smooth_rows(u, y, sizes, places):
    """Write a part into the present window, and smooth it."""
    place, window, taps, begin, end = sizes
    double = np.empty(0, np.float64)
    alpha, forgotten = row_at(places[2], 0, len(u), double), row_at(places[3], 0, len(u), double)
    last, last_after = row_at(places[4], 0, len(u), double), row_at(places[5], 0, len(u), double)
    for row in range(len(u)):
        present, before = row_at(places[0], row, window, u), row_at(places[1], row, window, u)
        present[place : place + end - begin] = u[row, begin:end]
        part = y[row, begin:end]
        last_after[row] = truncated(present, before, place, taps, part, alpha[row], forgotten[row], last[row])


@kernel
def ramp_rows(level, numbers, side):
    """Replace levels by log gains."""
    half = level.dtype.type(0.5)
    for row in range(len(level)):
        threshold, slope, width, makeup = numbers[row]
        values = level[row]
        if width > 0:
            inverse = 1 / width
            for i in range(len(values)):
                t = side * (values[i] - threshold) * inverse + half
                c = min(max(t, 0 * half), 2 * half)
                values[i] = (t - c * half) * c * width * slope + makeup
        else:
            for i in range(len(values)):
                values[i] = max(side * (values[i] - threshold), 0 * half) * slope + makeup


@kernel
def follow_rows(x, keys, y, sizes, floor, side, places):
    """Smooth the energies of a part, and scale the signals by the gain."""
    place, window, taps, begin, end = sizes
    double, length, rows = np.empty(0, np.float64), end - begin, len(x)
    smoothed = np.empty(length, np.float32)
    first, second = row_at(places[1], 0, rows, double), row_at(places[2], 0, rows, double)
    last, last_after = row_at(places[3], 0, rows, double), row_at(places[4], 0, rows, double)
    for row in range(rows):
        if len(places) == 5:
            energy_of(keys[row], begin, smoothed)
            last_after[row] = attack_and_release(smoothed, first[row], second[row], last[row])
        else:
            present, before = row_at(places[5], row, window, smoothed), row_at(places[6], row, window, smoothed)
            energy_of(keys[row], begin, present[place : place + length])
            last_after[row] = truncated(present, before, place, taps, smoothed, first[row], second[row], last[row])
        to_gain(smoothed, np.float32(floor), np.float32(side), row_at(places[0], row, 4, double))
        scale(x[row], begin, smoothed, y[row])


@inline
def attack_and_release(energy, attack, release, state):
    for i in range(energy.size):
        u = np.float64(energy[i])
        a = attack if u >= state else release
        state = a * state + (1 - a) * u
        energy[i] = state
    return state


@inline
def truncated(present, before, place, taps, smoothed, a, left, state):
    """Smooth what begins at a place in a window, and forget what is older than the response."""
    for i in range(smoothed.size):
        old = place + i - taps
        past = present[old] if old >= 0 else before[before.size + old]
        state = a * state + (1 - a) * (np.float64(present[place + i]) - left * np.float64(past))
        smoothed[i] = state
    return state


@inline
def to_gain(energy, floor, side, numbers):
    """Replace energies by gains."""
    threshold, slope = np.float32(numbers[0]), np.float32(numbers[1])
    width, makeup = np.float32(numbers[2]), np.float32(numbers[3])
    if width > 0:
        inverse = ONE / width
        foot = HALF - side * threshold * inverse
        side, slope = side * inverse, slope * width
        for i in range(energy.size):
            t = side * log32(positive(energy[i]) + floor) + foot
            c = clipped(t)
            energy[i] = exp32((t - HALF * c) * c * slope + makeup)
    else:
        for i in range(energy.size):
            t = side * (log32(positive(energy[i]) + floor) - threshold)
            energy[i] = exp32(positive(t) * slope + makeup)


@kernel
def follow_pieces(start, stop, pieces, x, keys, y, numbers, alphas, forgotten, floor, side, taps, tiny):
    """Smooth the energies of pieces of rows, and scale the signals by the gain."""
    energy, old, gain = np.empty((3, CHUNK), np.float32)
    for piece in range(start, stop):
        row, begin, end = pieces[piece]
        alpha, left = alphas[row, 0], forgotten[row, 0]
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
                to_gain(gain[:size], np.float32(floor), np.float32(side), numbers[row])
                scale(x[row], n, gain[:size], y[row])
            n += size


@kernel
def follow_ballistics_rows(start, stop, numbers, x, keys, y, attack, release, floor, side, tiny):
    """Smooth the energies of eight rows at a time, and scale the signals by the gain."""
    length = x.shape[2]
    energies = np.empty((LANES, CHUNK), np.float32)
    block, rising, state = np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES)), np.empty(LANES)
    for top in range(start, stop, LANES):
        rows = min(LANES, stop - top)
        attacks, releases = as_lanes(attack[:, 0], top, top + rows - 1), as_lanes(release[:, 0], top, top + rows - 1)
        state[:] = 0.0
        for begin in range(0, length, CHUNK):
            size = min(CHUNK, length - begin)
            for row in range(rows):
                energy_of(keys[top + row], begin, energies[row, :size])
            take_samples(energies, 0, rows - 1, 0, size, block)
            follow_lanes(block, size, attacks, releases, state, tiny, rising)
            put_samples(block, 0, rows - 1, 0, size, energies)
            for row in range(rows):
                to_gain(energies[row, :size], np.float32(floor), np.float32(side), numbers[top + row])
                scale(x[top + row], begin, energies[row, :size], y[top + row])


@inline
def energy_of(channels, begin, energy):
    """Average the energies of samples over channels."""
    share = np.float32(1 / max(len(channels), 1))
    energy[:] = 0
    for channel in range(len(channels)):
        source = channels[channel][begin : begin + energy.size]
        for i in range(energy.size):
            energy[i] += source[i] * source[i] * share


@inline
def scale(channels, begin, gain, scaled):
    for channel in range(len(channels)):
        source, target = channels[channel][begin : begin + gain.size], scaled[channel][begin : begin + gain.size]
        for i in range(gain.size):
            target[i] = source[i] * gain[i]
