"""Compiled kernels of :mod:`.antialiasing` for the CPU. Imported on first use, since numba is slow to load.

They compute the same as the plain operators, one number at a time, so that each sample takes only the branch it needs.
"""

import math

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_rows import kernel, run_rows
from ..operators import empty
from ..waveshapes import CORNER, DILOGARITHM, LN2, NEGATIVE, STEEPNESS, WAVESHAPES
from ._torch import CLOSE, CLOSE_AT_A_CORNER, LINE, TRIANGLE

CODES = {name: code for code, name in enumerate(WAVESHAPES)}
HARD, CUBIC, TANH, ARCTAN, TUBE = (CODES[name] for name in ("hard", "cubic", "tanh", "arctan", "tube"))
SINE_FOLD, TRIANGLE_FOLD = CODES["sine_fold"], CODES["triangle_fold"]

WORK = 8  # of a sample, beside that of a recursion
CLOSE_SQUARE, CORNER_SQUARE = CLOSE**2, CLOSE_AT_A_CORNER[1] ** 2
CLOSE_CUBE, CORNER_CUBE = CLOSE**3, CLOSE_AT_A_CORNER[2] ** 3
PLACES, WEIGHTS = zip(*LINE, strict=True)
CORNERS, SHARES = zip(*TRIANGLE, strict=True)
DILOGARITHM_AT_ONE = math.pi**2 / 24


def antialiased(x: Tensor, shape: str, order: int) -> Tensor:
    y = torch.empty(x.shape[0], x.shape[1] - order, dtype=x.dtype)
    run_rows(line_rows if order == 1 else triangle_rows, x, CODES[shape], y, work=WORK)
    return y


def antialiased_backward(grad: Tensor, x: Tensor, shape: str, order: int) -> Tensor:
    by_x = empty(x)
    run_rows(line_backward_rows if order == 1 else triangle_backward_rows, x, CODES[shape], grad, by_x, work=2 * WORK)
    return by_x


# The curves of waveshapes.py.


@kernel
def clip(x, limit):
    return max(-limit, min(x, limit))


@kernel
def fold(x):
    """Evaluate a triangle wave and its derivative."""
    t = x - 4.0 * round(x / 4.0)
    if abs(t) <= 1.0:
        return t, 1.0
    return math.copysign(2.0, t) - t, -1.0


@kernel
def curve(shape, x):
    if shape == HARD:
        return clip(x, 1.0)
    if shape == CUBIC:
        c = clip(x, CORNER)
        return c - 4.0 / 27.0 * c * c * c
    if shape == TANH:
        return math.tanh(x)
    if shape == ARCTAN:
        return math.atan(STEEPNESS * x) / STEEPNESS
    if shape == TUBE:
        return math.tanh(x) if x >= 0.0 else math.tanh(NEGATIVE * x) / NEGATIVE
    if shape == SINE_FOLD:
        return math.sin(x)
    return fold(x)[0]


@kernel
def slope(shape, x):
    if shape == HARD:
        return 1.0 if abs(x) < 1.0 else 0.0
    if shape == CUBIC:
        return 1.0 - 4.0 / 9.0 * x * x if abs(x) < CORNER else 0.0
    if shape == TANH:
        y = math.tanh(x)
        return 1.0 - y * y
    if shape == ARCTAN:
        v = STEEPNESS * x
        return 1.0 / (1.0 + v * v)
    if shape == TUBE:
        y = math.tanh(x if x >= 0.0 else NEGATIVE * x)
        return 1.0 - y * y
    if shape == SINE_FOLD:
        return math.cos(x)
    return fold(x)[1]


@kernel
def ln_cosh(x):
    size = abs(x)
    return size + math.log1p(math.exp(-2.0 * size)) - LN2


@kernel
def ln_cosh_integral(x):
    size = abs(x)
    u = -math.log1p(math.exp(-2.0 * size))
    square, series = u * u, 0.0
    for k in range(len(DILOGARITHM) - 1, -1, -1):
        series = series * square + DILOGARITHM[k]
    dilogarithm = u * (1.0 - u / 4.0 + series * square)
    return math.copysign(size * (0.5 * size - LN2) + DILOGARITHM_AT_ONE + 0.5 * dilogarithm, x)


@kernel
def first(shape, x):
    if shape == HARD:
        c = clip(x, 1.0)
        return c * (x - 0.5 * c)
    if shape == CUBIC:
        c = clip(x, CORNER)
        square = c * c
        return square * (0.5 - square / 27.0) + (c - 4.0 / 27.0 * square * c) * (x - c)
    if shape == TANH:
        return ln_cosh(x)
    if shape == ARCTAN:
        v = STEEPNESS * x
        return (v * math.atan(v) - 0.5 * math.log1p(v * v)) / STEEPNESS**2
    if shape == TUBE:
        return ln_cosh(x) if x >= 0.0 else ln_cosh(NEGATIVE * x) / NEGATIVE**2
    if shape == SINE_FOLD:
        return -math.cos(x)
    y, rising = fold(x)
    return 0.5 * rising * (y * y - 1.0)


@kernel
def second(shape, x):
    if shape == HARD:
        c = clip(x, 1.0)
        return 0.5 * c * (x * x - c * x + c * c / 3.0)
    if shape == CUBIC:
        c = clip(x, CORNER)
        square, beyond = c * c, x - c
        at_corner = square * c * (1.0 / 6.0 - square / 135.0)
        return at_corner + beyond * (square * (0.5 - square / 27.0) + 0.5 * beyond * (c - 4.0 / 27.0 * square * c))
    if shape == TANH:
        return ln_cosh_integral(x)
    if shape == ARCTAN:
        v = STEEPNESS * x
        return 0.5 * ((v * v - 1.0) * math.atan(v) + v * (1.0 - math.log1p(v * v))) / STEEPNESS**3
    if shape == TUBE:
        return ln_cosh_integral(x) if x >= 0.0 else ln_cosh_integral(NEGATIVE * x) / NEGATIVE**3
    if shape == SINE_FOLD:
        return -math.sin(x)
    y = fold(x)[0]
    return y * (y * y / 6.0 - 0.5)


@kernel
def piece(shape, x):
    if shape == HARD:
        return clip(math.trunc(x), 1.0)
    if shape == CUBIC:
        return clip(math.trunc(x / CORNER), 1.0)
    if shape == TUBE:
        return math.copysign(1.0, x)
    if shape == TRIANGLE_FOLD:
        return round(x / 2.0)
    return 0.0


# Means over lines.


@kernel
def on_line(shape, a, b, order):
    """Compute the mean of the curve (0) or its antiderivative (1) between two points, by quadrature."""
    mean = 0.0
    for k in range(len(PLACES)):
        x = b + PLACES[k] * (a - b)
        mean += WEIGHTS[k] * (curve(shape, x) if order == 0 else first(shape, x))
    return mean


@kernel
def rising(shape, a, b, order):
    """Compute the mean with weights from 0 at b to 2 at a, of the curve (0) or of its derivative (−1)."""
    mean = 0.0
    for k in range(len(PLACES)):
        x = b + PLACES[k] * (a - b)
        mean += 2.0 * PLACES[k] * WEIGHTS[k] * (curve(shape, x) if order == 0 else slope(shape, x))
    return mean


@kernel
def is_short(shape, a, b, size):
    square = (a - b) * (a - b)
    scale = 1.0 + size
    return square < CLOSE_SQUARE * scale and (square < CORNER_SQUARE * scale or piece(shape, a) == piece(shape, b))


@kernel
def line_mean(shape, a, b, at_a, at_b):
    """Compute the mean from the antiderivative at both ends."""
    if is_short(shape, a, b, abs(at_a)):
        return on_line(shape, a, b, 0)
    return (at_a - at_b) / (a - b)


@kernel
def line_rows(start, stop, x, shape, y):
    for r in range(start, stop):
        before = np.float64(x[r, 0])
        first_before = first(shape, before)
        for n in range(y.shape[1]):
            now = np.float64(x[r, n + 1])
            first_now = first(shape, now)
            y[r, n] = line_mean(shape, now, before, first_now, first_before)
            before, first_before = now, first_now


@kernel
def line_backward_rows(start, stop, x, shape, grad, by_x):
    for r in range(start, stop):
        before = np.float64(x[r, 0])
        first_before, curve_before, carried = first(shape, before), curve(shape, before), 0.0
        for n in range(grad.shape[1]):
            now, g = np.float64(x[r, n + 1]), grad[r, n]
            first_now, curve_now = first(shape, now), curve(shape, now)
            if is_short(shape, now, before, abs(first_now)):
                by_now, by_before = 0.5 * rising(shape, now, before, -1), 0.5 * rising(shape, before, now, -1)
            else:
                step = now - before
                mean = (first_now - first_before) / step
                by_now, by_before = (curve_now - mean) / step, (mean - curve_before) / step
            by_x[r, n] = carried + g * by_before
            carried = g * by_now
            before, first_before, curve_before = now, first_now, curve_now
        by_x[r, grad.shape[1]] = carried


# Means over triangles of samples x, y, z, the latest first, from their second antiderivatives.


@kernel
def is_near(shape, a, b, scale):
    size = abs(a - b)
    cube = size * size * size
    return cube < CLOSE_CUBE * scale and (cube < CORNER_CUBE * scale or piece(shape, a) == piece(shape, b))


@kernel
def is_small(shape, x, y, z, scale):
    """Whether all three samples are close, and on the same piece of the curve."""
    size = max(abs(x - y), abs(y - z), abs(x - z))
    cube = size * size * size
    if cube >= CLOSE_CUBE * scale:
        return False
    return cube < CORNER_CUBE * scale or piece(shape, x) == piece(shape, y) == piece(shape, z)


@kernel
def mean_first(shape, a, b, at_a, at_b, scale):
    if is_near(shape, a, b, scale):
        return on_line(shape, a, b, 1)
    return (at_a - at_b) / (a - b)


@kernel
def triangle_mean(shape, x, y, z, without_x, without_y, without_z, scale):
    """Compute the mean from the means of F₁ between each two samples."""
    if is_small(shape, x, y, z, scale):
        mean = 0.0
        for k in range(len(SHARES)):
            _, by_y, by_z = CORNERS[k]
            mean += SHARES[k] * curve(shape, x + by_y * (y - x) + by_z * (z - x))
        return mean
    far_x, far_y, far_z = abs(y - z), abs(x - z), abs(x - y)
    if far_y >= far_z and far_y >= far_x:
        return 2.0 * (without_z - without_x) / (x - z)
    if far_z >= far_x:
        return 2.0 * (without_y - without_x) / (x - y)
    return 2.0 * (without_z - without_y) / (y - z)


@kernel
def triangle_slope(shape, mean, x, first_x, y, without_z, z, without_y, scale):
    """Compute the derivative by x for a triangle that is not small."""
    if abs(x - y) > abs(x - z):
        y, without_z, z = z, without_y, y
    weighted = rising(shape, x, y, 0) if is_near(shape, x, y, scale) else 2.0 * (first_x - without_z) / (x - y)
    return (weighted - mean) / (x - z)


@kernel
def triangle_rows(start, stop, signals, shape, means):
    for r in range(start, stop):
        z, y = np.float64(signals[r, 0]), np.float64(signals[r, 1])
        at_z, at_y = second(shape, z), second(shape, y)
        for n in range(means.shape[1]):
            x = np.float64(signals[r, n + 2])
            at_x, scale = second(shape, x), 1.0 + abs(at_y)
            without_x = mean_first(shape, y, z, at_y, at_z, scale)
            without_y = mean_first(shape, x, z, at_x, at_z, scale)
            without_z = mean_first(shape, x, y, at_x, at_y, scale)
            means[r, n] = triangle_mean(shape, x, y, z, without_x, without_y, without_z, scale)
            z, y, at_z, at_y = y, x, at_y, at_x


@kernel
def triangle_backward_rows(start, stop, signals, shape, grad, by_signals):
    for r in range(start, stop):
        z, y = np.float64(signals[r, 0]), np.float64(signals[r, 1])
        at_z, at_y, first_z, first_y = second(shape, z), second(shape, y), first(shape, z), first(shape, y)
        earlier, later = 0.0, 0.0  # gradients of z and y so far
        for n in range(grad.shape[1]):
            x, g = np.float64(signals[r, n + 2]), grad[r, n]
            at_x, first_x, scale = second(shape, x), first(shape, x), 1.0 + abs(at_y)
            if is_small(shape, x, y, z, scale):
                by_x, by_y, by_z = 0.0, 0.0, 0.0
                for k in range(len(SHARES)):
                    in_x, in_y, in_z = CORNERS[k]
                    value = SHARES[k] * slope(shape, x + in_y * (y - x) + in_z * (z - x))
                    by_x, by_y, by_z = by_x + in_x * value, by_y + in_y * value, by_z + in_z * value
            else:
                without_x = mean_first(shape, y, z, at_y, at_z, scale)
                without_y = mean_first(shape, x, z, at_x, at_z, scale)
                without_z = mean_first(shape, x, y, at_x, at_y, scale)
                mean = triangle_mean(shape, x, y, z, without_x, without_y, without_z, scale)
                by_x = triangle_slope(shape, mean, x, first_x, y, without_z, z, without_y, scale)
                by_y = triangle_slope(shape, mean, y, first_y, x, without_z, z, without_x, scale)
                by_z = triangle_slope(shape, mean, z, first_z, x, without_y, y, without_x, scale)
            by_signals[r, n] = earlier + g * by_z
            earlier, later = later + g * by_y, g * by_x
            z, y, at_z, at_y, first_z, first_y = y, x, at_y, at_x, first_y, first_x
        by_signals[r, grad.shape[1]] = earlier
        by_signals[r, grad.shape[1] + 1] = later
