"""Compiled kernels of :mod:`.gain_curve` for the CPU, in single precision: one pass over memory."""

import numpy as np
from torch import Tensor

from ..backends.numba_math import clipped, exp32, log32, positive, total
from ..backends.numba_rows import inline, kernel, run_rows
from ..operators import empty

HARD, QUADRATIC = 0, 1
NUMBERS = {"hard": HARD, "quadratic": QUADRATIC, "quadratic step": 2}
WORK = 4  # what a sample costs, in steps of a recursion
BLOCK = 256  # samples whose sums are taken at once
ZERO, HALF, ONE, TWO, FOUR = map(np.float32, (0, 0.5, 1, 2, 4))


def gains(
    energy: Tensor, threshold: Tensor, slope: Tensor, width: Tensor, floor: float, knee: str, mirrored: bool
) -> Tensor:
    gain = empty(energy)
    run_rows(gain_rows, gain, energy, threshold, slope, width, floor, NUMBERS[knee], mirrored, work=WORK)
    return gain


def gains_backward(
    grad: Tensor,
    energy: Tensor,
    threshold: Tensor,
    slope: Tensor,
    width: Tensor,
    floor: float,
    knee: str,
    mirrored: bool,
) -> tuple[Tensor, ...]:
    grads = tuple(map(empty, (energy, threshold, slope, width)))
    operands = grad, energy, threshold, slope, width, floor, NUMBERS[knee], mirrored
    run_rows(gain_backward_rows, *operands, *grads, work=2 * WORK)
    return grads


@kernel
def gain_rows(start, stop, gains, energies, thresholds, slopes, widths, floor, knee, mirrored):
    side, floor = (-ONE if mirrored else ONE), np.float32(floor)
    for row in range(start, stop):
        energy, gain = energies[row], gains[row]
        threshold, slope, width = thresholds[row, 0], slopes[row, 0], widths[row, 0]
        scale = ONE / width
        foot = HALF - threshold * scale
        if knee == HARD:
            for n in range(gain.size):
                gain[n] = exp32(slope * positive(side * log32(positive(energy[n]) + floor) - threshold))
        elif knee == QUADRATIC:
            for n in range(gain.size):
                t = side * log32(positive(energy[n]) + floor) * scale + foot
                c = clipped(t)
                gain[n] = exp32(slope * ((t - HALF * c) * c * width))
        else:
            for n in range(gain.size):
                c = clipped(side * log32(positive(energy[n]) + floor) * scale + foot)
                gain[n] = exp32(slope * step(c))


@kernel
def gain_backward_rows(
    start,
    stop,
    grads,
    energies,
    thresholds,
    slopes,
    widths,
    floor,
    knee,
    mirrored,
    by_energies,
    by_thresholds,
    by_slopes,
    by_widths,
):
    side, floor, sums = (-ONE if mirrored else ONE), np.float32(floor), np.empty((3, BLOCK), np.float32)
    for row in range(start, stop):
        threshold, slope, width = thresholds[row, 0], slopes[row, 0], widths[row, 0]
        scale = ONE / width
        foot = HALF - threshold * scale
        by_threshold, by_slope, by_width = 0.0, 0.0, 0.0
        for begin in range(0, grads.shape[1], BLOCK):
            end = min(begin + BLOCK, grads.shape[1])
            energy, grad, by_energy = energies[row, begin:end], grads[row, begin:end], by_energies[row, begin:end]
            for n in range(end - begin):
                power = positive(energy[n]) + floor
                level = side * log32(power)
                if knee == HARD:
                    x = level - threshold
                    ramp, by_level, bend = positive(x), (ONE if x > ZERO else ZERO), ZERO
                elif knee == QUADRATIC:
                    t = level * scale + foot
                    c = clipped(t)
                    ramp, by_level, bend = (t - HALF * c) * c * width, c, HALF * (c - c * c)
                else:
                    c = clipped(level * scale + foot)
                    by_level = FOUR * scale * (c if c < HALF else ONE - c)
                    ramp, bend = step(c), (HALF - c) * by_level
                change = grad[n] * exp32(slope * ramp)
                sums[0, n] = change * ramp
                change *= slope
                sums[1, n] = change * bend
                change *= by_level
                sums[2, n] = change
                by_energy[n] = ZERO if energy[n] < ZERO else side * change / power
            by_slope += total(sums[0, : end - begin])
            by_width += total(sums[1, : end - begin])
            by_threshold -= total(sums[2, : end - begin])
        by_thresholds[row, 0], by_slopes[row, 0], by_widths[row, 0] = by_threshold, by_slope, by_width


@inline
def step(c):
    below, above = (HALF if c > HALF else c), positive(c - HALF)
    return TWO * (below * below + above * (ONE - above))
