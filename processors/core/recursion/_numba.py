"""Compiled kernels of :mod:`.recursion` for the CPU. Imported on first use, since numba is slow to load.

A linear recursion processes eight samples of a row at a time: first their interaction, which does not depend on earlier
samples, then the previous state. Ballistics are nonlinear, so there eight rows run side by side.
"""

import numpy as np
import torch
from torch import Tensor

from ..backends.numba_recursions import (
    CHUNK,
    as_lanes,
    follow_lanes,
    follow_lanes_backward,
    onepole_backward_row,
    prefix,
    put,
    smooth,
    suffix,
    take_before,
)
from ..backends.numba_rows import kernel, put_samples, run_rows, take_samples, tiny
from ..backends.numba_vectors import LANES, first, last, load, splat, store, total
from ..operators import empty
from ..precision import wide


def onepole(u: Tensor, alpha: Tensor, initial: Tensor, taps: int) -> Tensor:
    y = empty(u)
    run_rows(onepole_rows, u, alpha.double(), initial.double(), taps, tiny(u), y)
    return y


def onepole_backward(
    grad: Tensor, u: Tensor, alpha: Tensor, initial: Tensor, y: Tensor, taps: int
) -> tuple[Tensor, Tensor, Tensor]:
    a, first = alpha.double(), initial.double()
    grads = empty(u), empty(a), empty(a)
    run_rows(onepole_backward_rows, u, a, first, y, grad, taps, tiny(u), *grads)
    return grads[0], grads[1].to(alpha.dtype), grads[2].to(initial.dtype)


def first_order(u: Tensor, a: Tensor, initial: Tensor) -> Tensor:
    y = empty(u)
    rows = first_order_complex_rows if u.is_complex() else first_order_rows
    run_rows(rows, u, _wide_if_constant(a), wide(initial), tiny(u), y)
    return y


def first_order_backward(grad: Tensor, a: Tensor, initial: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    coefficients, first = _wide_if_constant(a), wide(initial)
    grads = empty(y), empty(coefficients), empty(first)
    rows = first_order_backward_complex_rows if y.is_complex() else first_order_backward_rows
    run_rows(rows, grad, coefficients, first, y, tiny(y), *grads)
    return grads[0], grads[1].to(a.dtype), grads[2].to(initial.dtype)


def ballistics(u: Tensor, attack: Tensor, release: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    y, rising = empty(u), empty(u, torch.bool)
    arguments = u, attack.double(), release.double(), initial.double(), tiny(u), y, rising
    run_rows(ballistics_rows, *arguments, lanes=LANES)
    return y, rising


def ballistics_backward(
    grad: Tensor, u: Tensor, attack: Tensor, release: Tensor, initial: Tensor, y: Tensor, rising: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    coefficients = attack.double(), release.double(), initial.double()
    grads = empty(u), *(empty(c) for c in coefficients)
    run_rows(ballistics_backward_rows, u, *coefficients, y, rising, grad, tiny(u), *grads, lanes=LANES)
    return grads[0], grads[1].to(attack.dtype), grads[2].to(release.dtype), grads[3].to(initial.dtype)


def _wide_if_constant(a: Tensor) -> Tensor:
    """Convert constant coefficients; for those of each sample, kernels convert while they run."""
    return wide(a) if a.shape[1] == 1 else a


@kernel
def onepole_rows(start, stop, u, alpha, initial, taps, tiny, y):
    length = u.shape[1]
    for r in range(start, stop):
        a, state = alpha[r], initial[r]
        tail = a**taps
        begin = 0
        while begin < length:
            end = min(begin + CHUNK, length)
            if begin < taps:
                end = min(end, taps)
            old = u[r][begin - taps : end - taps] if begin >= taps else u[r][:0]
            state = smooth(u[r][begin:end], old, a, tail, state, y[r][begin:end])
            # A decay to silence would otherwise stay in the subnormal range, where arithmetic is slow.
            if abs(state) < tiny:
                state = 0.0
            begin = end


@kernel
def onepole_backward_rows(start, stop, u, alpha, initial, y, grad, taps, tiny, grad_u, grad_alpha, grad_initial):
    length = u.shape[1]
    adjoint = np.empty(length if taps < length else 0)
    for r in range(start, stop):
        grad_alpha[r], grad_initial[r] = onepole_backward_row(
            grad[r], u[r], y[r], alpha[r], initial[r], taps, tiny, adjoint, grad_u[r]
        )


@kernel
def drive(u, a, start, stop, state, y):
    """Compute samples of a row of y[n] = a[n]·y[n−1] + u[n]."""
    varying = a.size > 1
    constant = a[0]
    whole = start + (stop - start) // LANES * LANES
    for n in range(start, whole, LANES):
        v, p = prefix(load(u, n), load(a, n) if varying else splat(constant))
        store(y, n, v + p * splat(state))
        state = last(v) + last(p) * state
    for n in range(whole, stop):
        state = (a[n] if varying else constant) * state + u[n]
        y[n] = state
    return state


@kernel
def first_order_rows(start, stop, u, a, initial, tiny, y):
    length = u.shape[1]
    for r in range(start, stop):
        state = initial[r]
        for begin in range(0, length, CHUNK):
            state = drive(u[r], a[r], begin, min(begin + CHUNK, length), state, y[r])
            if abs(state) < tiny:
                state = 0.0


@kernel
def drive_backward(grad, a, y, start, stop, state, grad_u, grad_a):
    """Compute the same backwards in time. Return the state, and the gradient to a constant coefficient."""
    varying = a.size > 1
    constant = a[0]
    slopes = splat(0.0)
    n = stop
    while n - LANES >= start:
        n -= LANES
        v, p = suffix(load(grad, n), load(a, n + 1) if varying else splat(constant))
        s = v + p * splat(state)
        state = first(v) + first(p) * state
        store(grad_u, n, s)
        slope = s * load(y, n - 1)
        if varying:
            store(grad_a, n, slope)
        else:
            slopes += slope
    sum_of_slopes = total(slopes)
    while n > start:
        n -= 1
        state = grad[n] + (a[n + 1] if varying else constant) * state
        grad_u[n] = state
        if varying:
            grad_a[n] = state * y[n - 1]
        else:
            sum_of_slopes += state * y[n - 1]
    return state, sum_of_slopes


@kernel
def first_order_backward_rows(start, stop, grad, a, initial, y, tiny, grad_u, grad_a, grad_initial):
    length = grad.shape[1]
    varying = a.shape[1] > 1
    for r in range(start, stop):
        state, slope = 0.0, 0.0
        if length > 1:
            state = np.float64(grad[r, -1])
            grad_u[r, -1] = state
            slope = state * y[r, -2]
            if varying:
                grad_a[r, -1] = slope
        end = length - 1
        while end > 1:
            begin = max(end - CHUNK, 1)
            state, slopes = drive_backward(grad[r], a[r], y[r], begin, end, state, grad_u[r], grad_a[r])
            if abs(state) < tiny:
                state = 0.0
            slope += slopes
            end = begin
        if length > 0:
            state = grad[r, 0] + (a[r, 1] if varying else a[r, 0]) * state
            grad_u[r, 0] = state
        if varying:
            grad_a[r, 0] = state * initial[r]
        elif a.shape[1] == 1:
            grad_a[r, 0] = slope + state * initial[r]
        grad_initial[r] = a[r, 0] * state if length > 0 else 0.0


@kernel
def first_order_complex_rows(start, stop, u, a, initial, tiny, y):
    varying = a.shape[1] > 1
    for r in range(start, stop):
        state = initial[r]
        for n in range(u.shape[1]):
            state = a[r, n if varying else 0] * state + u[r, n]
            y[r, n] = state
            if n % CHUNK == 0 and abs(state.real) + abs(state.imag) < tiny:
                state = 0j


@kernel
def first_order_backward_complex_rows(start, stop, grad, a, initial, y, tiny, grad_u, grad_a, grad_initial):
    varying = a.shape[1] > 1
    for r in range(start, stop):
        carried, slopes = 0j, 0j
        for n in range(grad.shape[1] - 1, -1, -1):
            state = carried + grad[r, n]
            grad_u[r, n] = state
            slope = state * np.conj(np.complex128(y[r, n - 1]) if n > 0 else initial[r])
            slopes += slope
            if varying:
                grad_a[r, n] = slope
            carried = np.conj(a[r, n if varying else 0]) * state
            if n % CHUNK == 0 and abs(carried.real) + abs(carried.imag) < tiny:
                carried = 0j
        if a.shape[1] == 1:
            grad_a[r, 0] = slopes
        grad_initial[r] = carried


@kernel
def ballistics_rows(start, stop, u, attack, release, initial, tiny, y, rising):
    length = u.shape[1]
    x, mask = np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES))
    for top in range(start, stop, LANES):
        bottom = min(top + LANES, stop) - 1
        a, r, state = as_lanes(attack, top, bottom), as_lanes(release, top, bottom), as_lanes(initial, top, bottom)
        for begin in range(0, length, CHUNK):
            end = min(begin + CHUNK, length)
            take_samples(u, top, bottom, begin, end, x)
            follow_lanes(x, end - begin, a, r, state, tiny, mask)
            put_samples(x, top, bottom, begin, end, y)
            put_samples(mask, top, bottom, begin, end, rising)


@kernel
def ballistics_backward_rows(
    start,
    stop,
    u,
    attack,
    release,
    initial,
    y,
    rising,
    grad,
    tiny,
    grad_u,
    grad_attack,
    grad_release,
    grad_initial,
):
    length = u.shape[1]
    g, x = np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES))
    mask, before = np.empty((CHUNK, LANES)), np.empty((CHUNK, LANES))
    carried, slopes = np.empty(LANES), np.empty((2, LANES))
    for top in range(start, stop, LANES):
        bottom = min(top + LANES, stop) - 1
        a, r, state = as_lanes(attack, top, bottom), as_lanes(release, top, bottom), as_lanes(initial, top, bottom)
        carried[:] = 0.0
        slopes[:] = 0.0
        for begin in range((length - 1) // CHUNK * CHUNK, -1, -CHUNK):
            end = min(begin + CHUNK, length)
            take_samples(grad, top, bottom, begin, end, g)
            take_samples(u, top, bottom, begin, end, x)
            take_samples(rising, top, bottom, begin, end, mask)
            take_before(y, top, bottom, begin, end, state, before)
            follow_lanes_backward(g, end - begin, before, x, mask, a, r, carried, tiny, slopes)
            put_samples(g, top, bottom, begin, end, grad_u)
        put(slopes[0], top, bottom, grad_attack)
        put(slopes[1], top, bottom, grad_release)
        put(carried, top, bottom, grad_initial)
