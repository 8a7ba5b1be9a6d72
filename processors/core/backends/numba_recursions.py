"""First-order recursions in vectors: eight samples of a row at a time where they are linear, or eight rows."""

import numpy as np

from .numba_rows import inline, kernel
from .numba_vectors import (
    LANES,
    advance,
    at_least,
    below,
    delay,
    hidden_zeros,
    larger,
    last,
    load,
    splat,
    store,
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
