"""Compiled kernels of :mod:`.smoothed` for the CPU."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..backends.addresses import row_at
from ..backends.numba_rows import kernel


def smooth(u: Tensor, y: Tensor, windows: Sequence[Tensor], vectors: Sequence[Tensor], sizes: tuple[int, ...]) -> None:
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
    signals = (signal.detach().contiguous().numpy().reshape(-1, signal.shape[-1]) for signal in (u, y))
    smooth_rows(*signals, sizes, np.array(places, np.int64))


def ramp(level: Tensor, side: int, numbers: Tensor) -> None:
    ramp_rows(level.numpy(), numbers.contiguous().numpy(), side)


@kernel
def smooth_rows(u, y, sizes, places):
    """Write a part into the present window, and smooth it."""
    place, window, taps, begin, end = sizes
    double = np.empty(0, np.float64)
    alpha, forgotten = row_at(places[2], 0, len(u), double), row_at(places[3], 0, len(u), double)
    last, last_after = row_at(places[4], 0, len(u), double), row_at(places[5], 0, len(u), double)
    for row in range(len(u)):
        present, before = row_at(places[0], row, window, u), row_at(places[1], row, window, u)
        a, left, state = alpha[row], forgotten[row], last[row]
        present[place : place + end - begin] = u[row, begin:end]
        for i in range(begin, end):
            old = place + i - begin - taps
            past = present[old] if old >= 0 else before[window + old]
            state = a * state + (1 - a) * (np.float64(u[row, i]) - left * np.float64(past))
            y[row, i] = state
        last_after[row] = state


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
