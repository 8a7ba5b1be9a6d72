"""Linear and exponential segments, computed sample by sample, and their gradients."""

import math

import numpy as np

from .numba_rows import kernel
from .numba_vectors import LANES, first, load, splat, store, total

CHUNK = 512  # samples between two checks for a decay into silence
SILENT = 1e-38  # a part of the height that no gradient hears


@kernel
def sample_at(time, least, most):
    """Return the first sample at or after a time, limited to ``least`` and ``most``."""
    if not time > least:
        return least
    return most if time >= most else math.ceil(time)


@kernel
def draw_line(y, start, stop, level, slope):
    for n in range(start, stop):
        y[n] = level + slope * (n - start)


@kernel
def as_powers(value, ratio):
    """Return the value times 1, ratio, ratio², …, one per vector lane."""
    powers = np.empty(LANES)
    for lane in range(LANES):
        powers[lane] = value
        value *= ratio
    return powers


@kernel
def draw_decay(y, start, stop, base, height, rate, tiny):
    ratio, step, offset = math.exp(-rate), splat(math.exp(-rate * LANES)), splat(base)
    w = load(as_powers(height, ratio), 0)
    n = start
    while n < stop and not abs(first(w)) < tiny:
        end = min(n + CHUNK, stop)
        while n + LANES <= end:
            store(y, n, offset + w)
            w = w * step
            n += LANES
        if n < end:
            rest = as_powers(first(w), ratio)
            for i in range(end - n):
                y[n + i] = base + rest[i]
            n = end
    y[n:stop] = base


@kernel
def draw_fall(y, start, stop, time, base, height, rate, linear, tiny):
    """Compute samples from ``start`` to ``stop`` of a segment that began before the first of them."""
    if linear:
        end = sample_at(start - time + 1.0 / rate, start, stop)
        draw_line(y, start, end, base + height * (1.0 - rate * time), -height * rate)
        y[end:stop] = base
    else:
        draw_decay(y, start, stop, base, height * math.exp(-rate * time), rate, tiny)


@kernel
def sums(g, start, stop, weight, rate, time):
    """Compute Σ g, Σ g·w and Σ g·w·t, for weights w that decay from the first sample, and times t since the start."""
    ratio, step, one = math.exp(-rate), splat(math.exp(-rate * LANES)), splat(float(LANES))
    w, t = load(as_powers(weight, ratio), 0), load(time + np.arange(float(LANES)), 0)
    flat, weighted, slope = splat(0.0), splat(0.0), splat(0.0)
    n = start
    while n + LANES <= stop:
        g_n = load(g, n)
        flat += g_n
        if first(w) >= SILENT:
            weighted += g_n * w
            slope += g_n * w * t
            w = w * step
            t = t + one
        n += LANES
    sum_flat, sum_weighted, sum_slope = total(flat), total(weighted), total(slope)
    rest, since = as_powers(first(w), ratio), first(t)
    for i in range(stop - n):
        sum_flat += g[n + i]
        sum_weighted += g[n + i] * rest[i]
        sum_slope += g[n + i] * rest[i] * (since + i)
    return sum_flat, sum_weighted, sum_slope


@kernel
def fall_gradient(g, start, stop, time, height, rate, linear):
    """Compute the gradients to the start, base, height and rate of a segment."""
    if linear:
        end = sample_at(start - time + 1.0 / rate, start, stop)
        flat, weighted, slope = sums(g, start, end, 1.0, 0.0, time)
        rest, _, _ = sums(g, end, stop, 0.0, 0.0, 0.0)
        return height * rate * weighted, flat + rest, weighted - rate * slope, -height * slope
    flat, weighted, slope = sums(g, start, stop, math.exp(-rate * time), rate, time)
    return height * rate * weighted, flat, weighted, -height * slope
