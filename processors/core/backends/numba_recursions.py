"""First-order recursions in vectors: eight samples of a row at a time where they are linear, or eight rows."""

import numpy as np

from .numba_rows import inline, kernel, take_samples
from .numba_vectors import (
    LANES,
    advance,
    at_least,
    below,
    delay,
    first,
    hidden_zeros,
    larger,
    last,
    load,
    splat,
    store,
    total,
    where,
)

CHUNK = 512  # samples between two checks for a decay into silence


@inline
def prefix(v, a):
    """Compute eight samples of y[n] = a[n]·y[n−1] + v[n] from rest, and the cumulative products of a."""
    zeros, ones = hidden_zeros(), splat(1.0)
    v = v + a * delay(v, 1, zeros)
    a = a * delay(a, 1, ones)
    v = v + a * delay(v, 2, zeros)
    a = a * delay(a, 2, ones)
    v = v + a * delay(v, 4, zeros)
    a = a * delay(a, 4, ones)
    return v, a


@inline
def suffix(v, a):
    """Compute the same backwards in time, for y[n] = a[n]·y[n+1] + v[n]."""
    zeros, ones = hidden_zeros(), splat(1.0)
    v = v + a * advance(v, 1, zeros)
    a = a * advance(a, 1, ones)
    v = v + a * advance(v, 2, zeros)
    a = a * advance(a, 2, ones)
    v = v + a * advance(v, 4, zeros)
    a = a * advance(a, 4, ones)
    return v, a


@kernel
def smooth(u, old, a, tail, state, y):
    """Smooth samples exponentially, less what is left of ``old`` ones, which are forgotten, unless these are none."""
    b = 1.0 - a
    c = b * tail
    whole = u.size // LANES * LANES
    for n in range(0, whole, LANES):
        v = splat(b) * load(u, n)
        if old.size > 0:
            v = v - splat(c) * load(old, n)
        v, p = prefix(v, splat(a))
        store(y, n, v + p * splat(state))
        state = last(v) + last(p) * state
    for n in range(whole, u.size):
        state = a * state + b * u[n]
        if old.size > 0:
            state -= c * old[n]
        y[n] = state
    return state


@kernel
def smooth_backward(grad, u, y, start, stop, taps, tail, a, state, adjoint, grad_u):
    """Run the smoother backwards in time. Return its state, Σ s[n]·(y[n−1] − u[n]) and Σ s[n + T]·u[n]."""
    truncated = taps < y.size
    ended = truncated and stop + taps <= y.size
    b = 1.0 - a
    slopes, echoes = splat(0.0), splat(0.0)
    n = stop
    while n - LANES >= start:
        n -= LANES
        v, p = suffix(load(grad, n), splat(a))
        s = v + p * splat(state)
        state = first(v) + first(p) * state
        slopes += s * (load(y, n - 1) - load(u, n))
        if truncated:
            store(adjoint, n, s)
        if ended:
            later = load(adjoint, n + taps)
            echoes += later * load(u, n)
            s = s - splat(tail) * later
        store(grad_u, n, splat(b) * s)
    slope, echo = total(slopes), total(echoes)
    while n > start:
        n -= 1
        state = grad[n] + a * state
        slope += state * (np.float64(y[n - 1]) - np.float64(u[n]))
        s = state
        if truncated:
            adjoint[n] = s
        if ended:
            echo += adjoint[n + taps] * u[n]
            s -= tail * adjoint[n + taps]
        grad_u[n] = b * s
    return state, slope, echo


@kernel
def onepole_backward_row(grad, u, y, a, initial, taps, tiny, adjoint, grad_u):
    """Run the smoother of a row backwards. Return the gradients to the coefficient and to the initial value.

    ``grad_u`` may be ``grad``; ``adjoint`` has room for a row, unless the response is as long.
    """
    length = u.size
    tail = a**taps
    state, slope, echo = 0.0, 0.0, 0.0
    end = length
    while end > 1:
        begin = max(end - CHUNK, 1)
        if end + taps > length:
            begin = max(begin, length - taps)
        state, slopes, echoes = smooth_backward(grad, u, y, begin, end, taps, tail, a, state, adjoint, grad_u)
        if abs(state) < tiny:
            state = 0.0
        slope += slopes
        echo += echoes
        end = begin
    if length > 0:
        state = grad[0] + a * state
        slope += state * (initial - u[0])
        grad_u[0] = (1.0 - a) * state
    if taps < length:
        echo += adjoint[taps] * u[0]
        grad_u[0] = (1.0 - a) * (state - tail * adjoint[taps])
    return slope + (tail - (1.0 - a) * taps * a ** (taps - 1)) * echo, a * state


@kernel
def as_lanes(values, top, bottom):
    """Load numbers of eight rows as a vector."""
    lanes = np.empty(LANES)
    for lane in range(LANES):
        lanes[lane] = values[min(top + lane, bottom)]
    return lanes


@kernel
def put(lanes, top, bottom, values):
    for lane in range(LANES):
        values[min(top + lane, bottom)] = lanes[lane]


@kernel
def follow_lanes(x, size, attack, release, states, tiny, rising):
    """Run ballistics of eight rows, in place."""
    state, attack_a, release_a = load(states, 0), load(attack, 0), load(release, 0)
    attack_b, release_b = splat(1.0) - attack_a, splat(1.0) - release_a
    # The branch taken is the larger of both where the attack is the faster one. Choosing it by value, and
    # mirroring the signal otherwise, keeps the comparison of u and y out of the chain of dependent steps.
    sign = where(at_least(release_a, attack_a), splat(1.0), splat(-1.0))
    state = sign * state
    for n in range(size):
        u = sign * load(x, n * LANES)
        store(rising, n * LANES, at_least(sign * (u - state), splat(0.0)))
        attacked = attack_a * state + attack_b * u
        released = release_a * state + release_b * u
        state = larger(attacked, released)
        store(x, n * LANES, sign * state)
    store(states, 0, where(below(state, tiny), splat(0.0), sign * state))


@kernel
def follow_lanes_backward(g, size, before, u, rising, attack, release, carried, tiny, slopes):
    """Run the adjoint of eight rows, in place. ``carried`` is the gradient from the following sample."""
    attack_a, release_a, state = load(attack, 0), load(release, 0), load(carried, 0)
    attack_slope, release_slope = load(slopes, 0), load(slopes, LANES)
    for n in range(size - 1, -1, -1):
        mask = load(rising, n * LANES)
        a = where(mask, attack_a, release_a)
        s = load(g, n * LANES) + state
        state = a * s
        store(g, n * LANES, (splat(1.0) - a) * s)
        slope = s * (load(before, n * LANES) - load(u, n * LANES))
        attack_slope += where(mask, slope, splat(0.0))
        release_slope += where(mask, splat(0.0), slope)
    store(carried, 0, where(below(state, tiny), splat(0.0), state))
    store(slopes, 0, attack_slope)
    store(slopes, LANES, release_slope)


@kernel
def take_before(y, top, bottom, begin, end, initial, before):
    """Transpose the outputs of eight rows one sample before each, of which the first is the initial value."""
    if begin > 0:
        take_samples(y, top, bottom, begin - 1, end - 1, before)
    else:
        before[0] = initial
        take_samples(y, top, bottom, 0, end - 1, before[1:])
