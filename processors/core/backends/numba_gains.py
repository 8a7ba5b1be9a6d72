"""Energies of channels, gains of energies, and their application, in single precision."""

import numpy as np

from .numba_math import clipped, exp32, log32, positive
from .numba_rows import inline, kernel
from .numba_vectors import LANES, load, splat, total

ZERO, HALF, ONE = map(np.float32, (0, 0.5, 1))


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


@inline
def scale(channels, begin, gain, scaled):
    for channel in range(len(channels)):
        source, target = channels[channel][begin : begin + gain.size], scaled[channel][begin : begin + gain.size]
        for i in range(gain.size):
            target[i] = source[i] * gain[i]


@kernel
def gain_backward(grads, channels, begin, energy, numbers, floor, side, work, by_channels, by_energy, by_numbers):
    """Write the gradients of scaling by the gain of an energy, and add those to the numbers of the gain.

    Loops are short, as compilers do not vectorize those over many arrays.

    Args:
        grads, channels, by_channels: Gradients of the scaled signals, the signals, and their gradients, each a row for
            each channel, of which samples from ``begin`` on are meant.
        energy, by_energy: Of these samples.
        numbers, by_numbers: Threshold, slope, width and makeup.
        work: Room for four times as many samples.
    """
    threshold, slope = np.float32(numbers[0]), np.float32(numbers[1])
    width, makeup = np.float32(numbers[2]), np.float32(numbers[3])
    size = energy.size
    gain, by_gain, ramp, share = work[0][:size], work[1][:size], work[2][:size], work[3][:size]
    for i in range(size):
        ramp[i] = side * (log32(positive(energy[i]) + floor) - threshold)
    if width > 0:
        inverse = ONE / width
        for i in range(size):
            t = ramp[i] * inverse + HALF
            share[i] = clipped(t)
            ramp[i] = (t - HALF * share[i]) * share[i] * width
    else:
        for i in range(size):
            share[i] = ONE if ramp[i] > ZERO else ZERO
            ramp[i] = positive(ramp[i])
    for i in range(size):
        gain[i] = exp32(ramp[i] * slope + makeup)
    by_gain[:] = 0
    for channel in range(len(channels)):
        x, grad = channels[channel][begin : begin + size], grads[channel][begin : begin + size]
        by_x = by_channels[channel][begin : begin + size]
        for i in range(size):
            by_gain[i] += grad[i] * x[i]
        for i in range(size):
            by_x[i] = grad[i] * gain[i]
    for i in range(size):
        by_gain[i] *= gain[i]
    by_log_gain, by_slope, by_level, bent = sums(by_gain, ramp, share)
    by_numbers[0] -= side * slope * by_level
    by_numbers[1] += by_slope
    by_numbers[2] += slope * (by_level - bent) / 2
    by_numbers[3] += by_log_gain
    factor = side * slope
    for i in range(size):
        by_energy[i] = factor * by_gain[i] * share[i] / (positive(energy[i]) + floor)
    for i in range(size):
        by_energy[i] = ZERO if energy[i] < ZERO else by_energy[i]


@kernel
def sums(values, ramp, share):
    """Sum values, and values times a ramp, a share, and its square."""
    plain, ramped, shared, bent = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    whole = values.size // LANES * LANES
    for n in range(0, whole, LANES):
        v, s = load(values, n), load(share, n)
        plain += v
        ramped += v * load(ramp, n)
        shared += v * s
        bent += v * s * s
    a, b, c, d = total(plain), total(ramped), total(shared), total(bent)
    for n in range(whole, values.size):
        v, s = np.float64(values[n]), np.float64(share[n])
        a += v
        b += v * ramp[n]
        c += v * s
        d += v * s * s
    return a, b, c, d
