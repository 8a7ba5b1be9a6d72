"""Compiled kernels of :mod:`.phase` for the CPU. Imported on first use, since numba is slow to load."""

import numpy as np
from torch import Tensor

from ..backends.numba_rows import inline, kernel, run_rows
from ..operators import empty
from ._torch import BITS, UNUSED

UNITS = 2.0**BITS
CHUNK = 256  # samples between two stages, for all but sums takes several at a time


def phase(
    frequency: Tensor, modulation: Tensor, offset: Tensor, initial: Tensor, sample_rate: float, num_samples: int
) -> tuple[Tensor, Tensor]:
    turned, final = offset.new_empty(offset.shape[0], num_samples), empty(initial)
    run_rows(phase_rows, turned, frequency, modulation, offset, initial, float(sample_rate), final)
    return turned, final


def phase_backward(
    grad: Tensor, grad_final: Tensor, modulation: Tensor, sample_rate: float
) -> tuple[Tensor, Tensor, Tensor]:
    grads = empty(grad_final), empty(modulation), empty(grad_final)
    run_rows(phase_backward_rows, grad, grad_final, float(sample_rate), *grads)
    return grads


@inline
def as_units(cycles):
    return np.int64(np.rint((cycles - np.rint(cycles)) * UNITS))


@inline
def as_cycles(units):
    return np.float64((units << UNUSED) >> UNUSED) / UNITS


@inline
def turned(units, offset):
    cycles = as_cycles(units) + offset
    return cycles - np.rint(cycles)


@kernel
def phase_rows(start, stop, phase, frequency, modulation, offset, initial, sample_rate, final):
    length = phase.shape[1]
    sums = np.empty(CHUNK, np.int64)
    for row in range(start, stop):
        units = as_units(initial[row])
        step = as_units(frequency[row] / sample_rate)
        if modulation.shape[1] > 0:
            for begin in range(0, length, CHUNK):
                count = min(CHUNK, length - begin)
                for i in range(count):
                    sums[i] = as_units((frequency[row] + modulation[row, begin + i]) / sample_rate)
                for i in range(count):
                    step, sums[i] = sums[i], units
                    units += step
                if offset.shape[1] > 1:
                    for i in range(count):
                        phase[row, begin + i] = turned(sums[i], offset[row, begin + i])
                else:
                    for i in range(count):
                        phase[row, begin + i] = turned(sums[i], offset[row, 0])
        elif offset.shape[1] > 1:
            for n in range(length):
                phase[row, n] = turned(units + n * step, offset[row, n])
            units += length * step
        else:
            for n in range(length):
                phase[row, n] = turned(units + n * step, offset[row, 0])
            units += length * step
        final[row] = as_cycles(units)


@kernel
def phase_backward_rows(start, stop, grad, grad_final, sample_rate, grad_frequency, grad_modulation, grad_initial):
    for row in range(start, stop):
        later, total = grad_final[row], 0.0
        for n in range(grad.shape[1] - 1, -1, -1):
            if grad_modulation.shape[1] > 0:
                grad_modulation[row, n] = later / sample_rate
            total += later
            later += grad[row, n]
        grad_frequency[row], grad_initial[row] = total / sample_rate, later
