"""Compiled kernels of :mod:`.wavetable` for the CPU. Imported on first use, since numba is slow to load."""

import numpy as np
from torch import Tensor

from ..backends.numba_rows import inline, kernel, run_rows
from ..operators import empty
from . import FADE, PAD


def lookup(
    phase: Tensor,
    increment: Tensor,
    position: Tensor,
    tables: Tensor,
    harmonics: Tensor,
    levels: Tensor,
    starts: Tensor,
) -> Tensor:
    y = empty(phase)
    run_rows(lookup_rows, phase, increment, position, tables, harmonics, levels, starts, y)
    return y


def lookup_backward(
    grad: Tensor,
    phase: Tensor,
    increment: Tensor,
    position: Tensor,
    tables: Tensor,
    harmonics: Tensor,
    levels: Tensor,
    starts: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    grads = empty(phase), empty(increment), empty(position)
    run_rows(lookup_backward_rows, grad, phase, increment, position, tables, harmonics, levels, starts, *grads)
    return grads


@inline
def level_of(increment, levels):
    """Return the last level without excess harmonics, and the allowed number of harmonics."""
    room = 0.5 / abs(np.float64(increment))
    return levels[np.int64(room) if room < levels.size else levels.size - 1], room


@inline
def fade_of(room, count):
    """Compute the weight of the highest group of harmonics, and its derivative by the allowed number."""
    x = (room / count - 1.0) / (FADE - 1.0) if count > 0 else 1.0
    if x >= 1.0:
        return 1.0, 0.0
    return x * x * (3.0 - 2.0 * x), 6.0 * x * (1.0 - x) / (count * (FADE - 1.0))


@inline
def between(position, last):
    """Return the waveform before a position, and the distance to it."""
    place = min(max(np.float64(position), 0.0), np.float64(last))
    before = max(min(np.int64(place), last - 1), 0)
    return before, place - before


@inline
def knot_of(phase, knots):
    """Return the knot before a phase, and the distance to it."""
    turn = np.float64(phase)
    place = (turn - np.rint(turn) + 0.5) * knots
    before = min(max(np.int64(place), 0), knots)
    return before, place - before


@inline
def cubic(a, b, c, d, u):
    """Compute value and derivative of a spline between two knots."""
    slope, curve, bend = (c - a) * 0.5, (a + c) * 0.5 - b, (d - a) / 6.0 + (b - c) * 0.5
    value = (a + 4.0 * b + c) / 6.0 + u * (slope + u * (curve + u * bend))
    return value, slope + u * (2.0 * curve + u * 3.0 * bend)


@inline
def sum_of_groups(tables, which, at, fade):
    return tables[which, at, 0] + fade * tables[which, at, 1]


@inline
def read(tables, which, start, knots, fade, phase):
    """Compute value and derivative of a waveform."""
    knot, u = knot_of(phase, knots)
    at = start + knot
    a, b = sum_of_groups(tables, which, at, fade), sum_of_groups(tables, which, at + 1, fade)
    c, d = sum_of_groups(tables, which, at + 2, fade), sum_of_groups(tables, which, at + 3, fade)
    value, slope = cubic(a, b, c, d, u)
    return value, slope * knots


@inline
def read_group(tables, which, start, knots, phase):
    """Compute the value of the highest group of harmonics."""
    knot, u = knot_of(phase, knots)
    at = start + knot
    a, b = tables[which, at, 1], tables[which, at + 1, 1]
    return cubic(a, b, tables[which, at + 2, 1], tables[which, at + 3, 1], u)[0]


@inline
def read_between(tables, which, part, start, knots, fade, phase):
    """Compute value and derivative between two waveforms, and their difference."""
    value, slope = read(tables, which, start, knots, fade, phase)
    if tables.shape[0] == 1:
        return value, slope, 0.0
    other, other_slope = read(tables, which + 1, start, knots, fade, phase)
    return value + part * (other - value), slope + part * (other_slope - slope), other - value


@kernel
def lookup_rows(start, stop, phase, increment, position, tables, harmonics, levels, starts, y):
    last = tables.shape[0] - 1
    varying, moving = increment.shape[1] > 1, position.shape[1] > 1
    for row in range(start, stop):
        for n in range(phase.shape[1]):
            if n == 0 or varying:
                level, room = level_of(increment[row, n], levels)
                fade, _ = fade_of(room, harmonics[level])
                begin = starts[level]
                knots = starts[level + 1] - begin - PAD
            if n == 0 or moving:
                which, part = between(position[row, n], last)
            y[row, n], _, _ = read_between(tables, which, part, begin, knots, fade, phase[row, n])


@kernel
def lookup_backward_rows(
    start,
    stop,
    grad,
    phase,
    increment,
    position,
    tables,
    harmonics,
    levels,
    starts,
    grad_phase,
    grad_increment,
    grad_position,
):
    last = tables.shape[0] - 1
    varying, moving = increment.shape[1] > 1, position.shape[1] > 1
    for row in range(start, stop):
        to_increment, to_position = 0.0, 0.0
        for n in range(phase.shape[1]):
            if n == 0 or varying:
                level, room = level_of(increment[row, n], levels)
                fade, by_room = fade_of(room, harmonics[level])
                by_increment = -by_room * room / increment[row, n] if by_room > 0.0 else 0.0
                begin = starts[level]
                knots = starts[level + 1] - begin - PAD
            if n == 0 or moving:
                which, part = between(position[row, n], last)
                within = position[row, n] >= 0.0 and position[row, n] <= last
            g, turn = np.float64(grad[row, n]), phase[row, n]
            _, slope, difference = read_between(tables, which, part, begin, knots, fade, turn)
            grad_phase[row, n] = g * slope
            group = 0.0
            if by_increment != 0.0:
                group = read_group(tables, which, begin, knots, turn)
                if last > 0:
                    group += part * (read_group(tables, which + 1, begin, knots, turn) - group)
            group *= g * by_increment
            difference *= g if within else 0.0
            to_increment += group
            to_position += difference
            if varying:
                grad_increment[row, n] = group
            if moving:
                grad_position[row, n] = difference
        if increment.shape[1] == 1:
            grad_increment[row, 0] = to_increment
        if position.shape[1] == 1:
            grad_position[row, 0] = to_position
