"""Compiled kernels of :mod:`.recursion` for the CPU. Imported on first use, for numba takes long to load.

Rows are independent, so they are shared out over plain threads that live for one call: numba's own threading
layers survive neither a fork nor concurrent callers, and data-loader workers are forks.
"""

from collections.abc import Callable
from itertools import pairwise
from threading import Thread

import numpy as np
import torch
from numba import njit
from torch import Tensor

MIN_SAMPLES_PER_THREAD = 1 << 14  # below that, starting a thread takes longer than the work
BLOCK = 16  # samples between two checks for a decay into silence

kernel = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


def onepole(u: Tensor, alpha: Tensor, initial: Tensor, taps: int) -> Tensor:
    y = _empty(u)
    _run_rows(onepole_rows, u, alpha.double(), initial.double(), taps, _tiny(u), y)
    return y


def onepole_backward(
    grad: Tensor, u: Tensor, alpha: Tensor, initial: Tensor, y: Tensor, taps: int
) -> tuple[Tensor, Tensor, Tensor]:
    a, first = alpha.double(), initial.double()
    grads = _empty(u), _empty(a), _empty(a)
    _run_rows(onepole_backward_rows, u, a, first, y, grad, taps, _tiny(u), *grads)
    return grads[0], grads[1].to(alpha.dtype), grads[2].to(initial.dtype)


def ballistics(u: Tensor, attack: Tensor, release: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    y, rising = _empty(u), _empty(u, torch.bool)
    _run_rows(ballistics_rows, u, attack.double(), release.double(), initial.double(), _tiny(u), y, rising)
    return y, rising


def ballistics_backward(
    grad: Tensor, u: Tensor, attack: Tensor, release: Tensor, initial: Tensor, y: Tensor, rising: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    coefficients = attack.double(), release.double(), initial.double()
    grads = _empty(u), *(_empty(c) for c in coefficients)
    _run_rows(ballistics_backward_rows, u, *coefficients, y, rising, grad, _tiny(u), *grads)
    return grads[0], grads[1].to(attack.dtype), grads[2].to(release.dtype), grads[3].to(initial.dtype)


def _empty(like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return torch.empty(like.shape, dtype=dtype or like.dtype)


def _tiny(signal: Tensor) -> float:
    return torch.finfo(signal.dtype).tiny


def _run_rows(row_kernel: Callable, *arguments: Tensor | float) -> None:
    """Call ``row_kernel(start, stop, *arrays)`` on disjoint ranges of rows, concurrently."""
    arrays = [a.detach().contiguous().numpy() if isinstance(a, Tensor) else a for a in arguments]
    rows, length = arrays[0].shape
    num_threads = max(1, min(torch.get_num_threads(), rows, rows * length // MIN_SAMPLES_PER_THREAD))
    bounds = [rows * i // num_threads for i in range(num_threads + 1)]
    threads = [Thread(target=row_kernel, args=(start, stop, *arrays)) for start, stop in pairwise(bounds[1:])]
    for thread in threads:
        thread.start()
    row_kernel(0, bounds[1], *arrays)
    for thread in threads:
        thread.join()


@kernel
def scan(v, a, state, tiny):
    """y[n] = a·y[n−1] + v[n] in place, four samples to each step of the chain that cannot be overlapped."""
    length = v.size
    a2 = a * a
    a3 = a2 * a
    a4 = a2 * a2
    whole = length - length % 4
    for n in range(0, whole, 4):
        w0 = v[n]
        w1 = v[n + 1] + a * w0
        w2 = v[n + 2] + a * w1
        w3 = v[n + 3] + a * w2
        v[n] = w0 + a * state
        v[n + 1] = w1 + a2 * state
        v[n + 2] = w2 + a3 * state
        state = w3 + a4 * state
        v[n + 3] = state
        # A decay into silence would otherwise stay in the subnormal range, where arithmetic is slow.
        if abs(state) < tiny:
            state = 0.0
    for n in range(whole, length):
        state = a * state + v[n]
        v[n] = state


@kernel
def onepole_rows(start, stop, u, alpha, initial, taps, tiny, y):
    length = u.shape[1]
    v = np.empty(length)
    for r in range(start, stop):
        a = alpha[r]
        b = 1.0 - a
        for n in range(min(taps, length)):
            v[n] = b * u[r, n]
        if taps < length:
            c = b * a**taps
            for n in range(taps, length):
                v[n] = b * u[r, n] - c * u[r, n - taps]
        scan(v, a, initial[r], tiny)
        for n in range(length):
            y[r, n] = v[n]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def dot(a, b):
    """Inner product in float64; free order of summation lets it run on vectors."""
    total = 0.0
    for n in range(a.size):
        total += np.float64(a[n]) * np.float64(b[n])
    return total


@kernel
def onepole_backward_rows(start, stop, u, alpha, initial, y, grad, taps, tiny, grad_u, grad_alpha, grad_initial):
    length = u.shape[1]
    s = np.empty(length)
    for r in range(start, stop):
        a = alpha[r]
        b = 1.0 - a
        for n in range(length):
            s[n] = grad[r, n]
        scan(s[::-1], a, 0.0, tiny)
        for n in range(length):
            grad_u[r, n] = b * s[n]
        total = dot(s[1:], y[r, :-1]) - dot(s, u[r])
        first = s[0] if length > 0 else 0.0
        total += first * initial[r]
        grad_initial[r] = a * first
        if taps < length:
            c = a**taps
            for n in range(length - taps):
                grad_u[r, n] = b * (s[n] - c * s[n + taps])
            total += (c - b * taps * a ** (taps - 1)) * dot(s[taps:], u[r, :-taps])
        grad_alpha[r] = total


@kernel
def ballistics_rows(start, stop, u, attack, release, initial, tiny, y, rising):
    length = u.shape[1]
    for r in range(start, stop):
        attack_a, release_a = attack[r], release[r]
        attack_b, release_b = 1.0 - attack_a, 1.0 - release_a
        # The branch taken is the larger of both where the attack is the faster one. Choosing it by value, and
        # mirroring the signal otherwise, keeps the comparison of u and y out of the chain of dependent steps.
        sign = 1.0 if attack_a <= release_a else -1.0
        state = sign * initial[r]
        for block in range(0, length, BLOCK):
            if abs(state) < tiny:
                state = 0.0
            for n in range(block, min(block + BLOCK, length)):
                x = sign * u[r, n]
                rising[r, n] = sign * (x - state) >= 0.0
                attacked = attack_a * state + attack_b * x
                released = release_a * state + release_b * x
                state = attacked if attacked > released else released
                y[r, n] = sign * state


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def slopes(s, before, u, rising):
    """Σ s·(before − u) over the rising samples, and over the others."""
    total_rising, total = 0.0, 0.0
    for n in range(s.size):
        slope = s[n] * (np.float64(before[n]) - np.float64(u[n]))
        total += slope
        total_rising += slope if rising[n] else 0.0
    return total_rising, total - total_rising


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
    s = np.empty(length)
    for r in range(start, stop):
        attack_a, release_a = attack[r], release[r]
        state, a = 0.0, 0.0
        for block in range(length, 0, -BLOCK):
            if abs(state) < tiny:
                state = 0.0
            for n in range(block - 1, max(block - BLOCK, 0) - 1, -1):
                state = grad[r, n] + a * state
                s[n] = state
                a = attack_a if rising[r, n] else release_a
        grad_initial[r] = a * state
        for n in range(length):
            grad_u[r, n] = s[n] * (1.0 - (attack_a if rising[r, n] else release_a))
        total_attack, total_release = slopes(s[1:], y[r, :-1], u[r, 1:], rising[r, 1:])
        if length > 0:
            first = s[0] * (initial[r] - u[r, 0])
            total_attack += first if rising[r, 0] else 0.0
            total_release += 0.0 if rising[r, 0] else first
        grad_attack[r] = total_attack
        grad_release[r] = total_release
