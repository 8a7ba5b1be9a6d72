"""Compiled kernels of :mod:`.smoothed` for the CPU."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ...errors import ParameterError
from ..backends.addresses import row_at
from ..backends.numba_gains import energy_of, scale, to_gain
from ..backends.numba_rows import array_of, inline, kernel

if TYPE_CHECKING:
    from . import Ramp


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
