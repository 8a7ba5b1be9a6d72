"""Compiled kernels of :mod:`.distortion` for the CPU, in single precision: one pass over memory."""

import numpy as np
from torch import Tensor

from ..backends.numba_math import tanh32, total
from ..backends.numba_rows import inline, kernel, run_rows
from ..operators import empty
from ..waveshapes import CORNER, NEGATIVE

NUMBERS = {"hard": 0, "cubic": 1, "tanh": 2, "tube": 3}
WORK = 4  # what a sample costs, in steps of a recursion
BLOCK = 256  # samples whose sums are taken at once
ZERO, ONE, THREE, BEND, EDGE, TWICE = map(np.float32, (0, 1, 3, 4 / 27, CORNER, NEGATIVE))


def distort(u: Tensor, drive: Tensor, bias: Tensor, gain: Tensor, shape: str) -> Tensor:
    y = empty(u)
    run_rows(distort_rows, y, u, drive, bias, gain, NUMBERS[shape], work=WORK)
    return y


def distort_backward(
    grad: Tensor, u: Tensor, drive: Tensor, bias: Tensor, gain: Tensor, shape: str
) -> tuple[Tensor, ...]:
    grads = tuple(map(empty, (u, drive, bias, gain)))
    run_rows(distort_backward_rows, grad, u, drive, bias, gain, NUMBERS[shape], *grads, work=2 * WORK)
    return grads


@kernel
def distort_rows(start, stop, ys, us, drives, biases, gains, shape):
    for row in range(start, stop):
        u, drive, bias, gain, y = us[row], drives[row, 0], biases[row, 0], gains[row, 0], ys[row]
        if shape == 0:
            fill(u, drive, bias, gain, y, hard)
        elif shape == 1:
            fill(u, drive, bias, gain, y, cubic)
        elif shape == 2:
            fill(u, drive, bias, gain, y, tanh32)
        else:
            fill(u, drive, bias, gain, y, tube)


@kernel
def distort_backward_rows(
    start, stop, grads, us, drives, biases, gains, shape, by_us, by_drives, by_biases, by_gains
):  # fmt: skip
    sums = np.empty((3, BLOCK), np.float32)
    for row in range(start, stop):
        u, drive, bias, gain = us[row], drives[row, 0], biases[row, 0], gains[row, 0]
        grad, by_u = grads[row], by_us[row]
        if shape == 0:
            found = fill_slopes(u, drive, bias, gain, grad, by_u, sums, hard, hard_slope)
        elif shape == 1:
            found = fill_slopes(u, drive, bias, gain, grad, by_u, sums, cubic, cubic_slope)
        elif shape == 2:
            found = fill_slopes(u, drive, bias, gain, grad, by_u, sums, tanh32, tanh_slope)
        else:
            found = fill_slopes(u, drive, bias, gain, grad, by_u, sums, tube, tube_slope)
        by_drives[row, 0], by_biases[row, 0], by_gains[row, 0] = found


# A loop for each curve, since a choice within keeps compilers from vectorizing it.


@inline
def fill(u, drive, bias, gain, y, curve):
    rest = curve(bias)
    for n in range(y.size):
        y[n] = gain * (curve(drive * u[n] + bias) - rest)


@inline
def fill_slopes(us, drive, bias, gain, grads, by_us, sums, curve, slope):
    rest = curve(bias)
    steep = slope(bias, rest)
    by_drive, by_bias, by_gain = 0.0, 0.0, 0.0
    for begin in range(0, us.size, BLOCK):
        end = min(begin + BLOCK, us.size)
        grad, u, by_u = grads[begin:end], us[begin:end], by_us[begin:end]
        for n in range(u.size):
            v = drive * u[n] + bias
            y = curve(v)
            sums[0, n] = grad[n] * (y - rest)
            scaled, by_v = grad[n] * gain, slope(v, y)
            sums[1, n] = scaled * (by_v - steep)
            by_v *= scaled
            sums[2, n] = by_v * u[n]
            by_u[n] = by_v * drive
        by_gain += total(sums[0, : end - begin])
        by_bias += total(sums[1, : end - begin])
        by_drive += total(sums[2, : end - begin])
    return by_drive, by_bias, by_gain


# Curves, and slopes from v and the curve there. Comparisons are such that what is not a number remains so.


@inline
def clipped(v, limit):
    c = -limit if v < -limit else v
    return limit if c > limit else c


@inline
def hard(v):
    return clipped(v, ONE)


@inline
def hard_slope(v, y):
    return ONE if abs(v) < ONE else ZERO


@inline
def cubic(v):
    c = clipped(v, EDGE)
    return c - BEND * c * c * c


@inline
def cubic_slope(v, y):
    return ONE - THREE * BEND * v * v if abs(v) < EDGE else ZERO


@inline
def tanh_slope(v, y):
    return ONE - y * y


@inline
def tube(v):
    scale = TWICE if v < ZERO else ONE
    return tanh32(scale * v) / scale


@inline
def tube_slope(v, y):
    y *= TWICE if v < ZERO else ONE
    return ONE - y * y
