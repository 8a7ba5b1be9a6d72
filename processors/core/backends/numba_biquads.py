"""Biquads over a few samples, forwards and backwards in time, eight rows side by side."""

from .numba_rows import inline, kernel
from .numba_vectors import LANES, below, load, splat, store, where

TURN = 8  # samples that a section takes at a time


@inline
def store_unless_quiet(state, s1, s2, tiny):
    """Store both states, or zeros if both are tiny, since subnormal arithmetic is slow.

    A single state may be tiny at any time: clearing it would sustain the oscillation.
    """
    quiet = below(s1, tiny) * below(s2, tiny)
    store(state, 0, where(quiet, splat(0.0), s1))
    store(state, LANES, where(quiet, splat(0.0), s2))


@kernel
def filter_turn(x, start, stop, c, state, tiny, y):
    """Run one section over a few samples, in transposed direct form II."""
    b0, b1, b2 = load(c, 0), load(c, LANES), load(c, 2 * LANES)
    a1, a2 = load(c, 3 * LANES), load(c, 4 * LANES)
    s1, s2 = load(state, 0), load(state, LANES)
    for n in range(start, stop):
        x_n = load(x, n * LANES)
        y_n = b0 * x_n + s1
        s1 = (b1 * x_n + s2) - a1 * y_n
        s2 = b2 * x_n - a2 * y_n
        store(y, n * LANES, y_n)
    store_unless_quiet(state, s1, s2, tiny)


@kernel
def adjoint_turn(g, start, stop, c, costate, tiny, x, y, grad_c):
    """Run the transposed section backwards in time: ``g`` holds the gradients to the outputs, then to the inputs."""
    b0, b1, b2 = load(c, 0), load(c, LANES), load(c, 2 * LANES)
    a1, a2 = load(c, 3 * LANES), load(c, 4 * LANES)
    d0, d1, d2 = load(grad_c, 0), load(grad_c, LANES), load(grad_c, 2 * LANES)
    e1, e2 = load(grad_c, 3 * LANES), load(grad_c, 4 * LANES)
    q1, q2 = load(costate, 0), load(costate, LANES)
    for n in range(stop - 1, start - 1, -1):
        x_n, y_n = load(x, n * LANES), load(y, n * LANES)
        q0 = (load(g, n * LANES) - a2 * q2) - a1 * q1
        store(g, n * LANES, b0 * q0 + (b1 * q1 + b2 * q2))
        d0 += q0 * x_n
        d1 += q1 * x_n
        d2 += q2 * x_n
        e1 -= q1 * y_n
        e2 -= q2 * y_n
        q2 = q1
        q1 = q0
    store_unless_quiet(costate, q1, q2, tiny)
    store(grad_c, 0, d0)
    store(grad_c, LANES, d1)
    store(grad_c, 2 * LANES, d2)
    store(grad_c, 3 * LANES, e1)
    store(grad_c, 4 * LANES, e2)
