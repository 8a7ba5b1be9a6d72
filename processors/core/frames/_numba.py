"""Compiled kernels of :mod:`.frames` for the CPU, in single precision: one pass over memory."""

import numpy as np
from torch import Tensor

from ..backends.numba_rows import inline, kernel, run_rows
from ..backends.numba_vectors import LANES, load, splat, total
from ..operators import empty

ONE = np.float32(1)


def energies(x: Tensor, size: int) -> Tensor:
    found = empty(x, shape=(len(x), x.shape[-1] // size))
    run_rows(energy_rows, found, x, size, work=x.shape[1] * size)
    return found


def energies_backward(grad: Tensor, x: Tensor, size: int) -> Tensor:
    by_x = empty(x)
    run_rows(energy_backward_rows, grad, x, size, by_x, work=x.shape[1] * size)
    return by_x


def scaled(x: Tensor, values: Tensor, size: int, begun: int) -> Tensor:
    y = empty(x)
    run_rows(scaled_rows, values, x, size, begun, y, work=x.shape[1] * size)
    return y


def scaled_backward(grad: Tensor, x: Tensor, values: Tensor, size: int, begun: int) -> tuple[Tensor, Tensor]:
    grads = empty(x), empty(values)
    run_rows(scaled_backward_rows, values, grad, x, size, begun, *grads, work=2 * x.shape[1] * size)
    return grads


@kernel
def energy_rows(start, stop, energies, signals, size):
    share = 1 / (signals.shape[1] * size)
    for row in range(start, stop):
        for frame in range(energies.shape[1]):
            energy = 0.0
            for channel in range(signals.shape[1]):
                x = signals[row, channel][frame * size : (frame + 1) * size]
                energy += dot(x, x)
            energies[row, frame] = energy * share


@kernel
def energy_backward_rows(start, stop, grads, signals, size, by_signals):
    share = 2 / (signals.shape[1] * size)
    for row in range(start, stop):
        for frame in range(grads.shape[1]):
            factor = np.float32(share * grads[row, frame])
            for channel in range(signals.shape[1]):
                x = signals[row, channel][frame * size : (frame + 1) * size]
                by_x = by_signals[row, channel][frame * size : (frame + 1) * size]
                for n in range(x.size):
                    by_x[n] = factor * x[n]


@kernel
def shares_of(size):
    """How much of the earlier and of the later value each sample of a frame has."""
    later = (np.arange(1, size + 1) / size).astype(np.float32)
    return ONE - later, later


@kernel
def scaled_rows(start, stop, values, signals, size, begun, scaled):
    earlier, later = shares_of(size)
    for row in range(start, stop):
        for frame in range(values.shape[1] - 1):
            begin, end = max(0, frame * size - begun), min(signals.shape[2], (frame + 1) * size - begun)
            first, second, offset = values[row, frame], values[row, frame + 1], begin + begun - frame * size
            if begin < end:
                falling, rising = earlier[offset : offset + end - begin], later[offset : offset + end - begin]
                for channel in range(signals.shape[1]):
                    x, y = signals[row, channel][begin:end], scaled[row, channel][begin:end]
                    for n in range(y.size):
                        y[n] = x[n] * (falling[n] * first + rising[n] * second)


@kernel
def scaled_backward_rows(start, stop, values, grads, signals, size, begun, by_signals, by_values):
    earlier, later = shares_of(size)
    products = np.empty(size, np.float32)
    for row in range(start, stop):
        by_values[row] = 0
        for frame in range(values.shape[1] - 1):
            begin, end = max(0, frame * size - begun), min(signals.shape[2], (frame + 1) * size - begun)
            first, second, offset = values[row, frame], values[row, frame + 1], begin + begun - frame * size
            if begin < end:
                falling, rising = earlier[offset : offset + end - begin], later[offset : offset + end - begin]
                product = products[: end - begin]
                product[:] = 0
                for channel in range(signals.shape[1]):
                    x, g = signals[row, channel][begin:end], grads[row, channel][begin:end]
                    by_x = by_signals[row, channel][begin:end]
                    for n in range(g.size):
                        by_x[n] = g[n] * (falling[n] * first + rising[n] * second)
                    for n in range(g.size):
                        product[n] += g[n] * x[n]
                by_values[row, frame] += dot(product, falling)
                by_values[row, frame + 1] += dot(product, rising)


@inline
def dot(u, v):
    whole = u.size // LANES * LANES
    products, rest = splat(0.0), 0.0
    for n in range(0, whole, LANES):
        products += load(u, n) * load(v, n)
    for n in range(whole, u.size):
        rest += np.float64(u[n]) * np.float64(v[n])
    return total(products) + rest
