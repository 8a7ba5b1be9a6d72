"""No accuracy is given up: outputs and gradients against scipy in double precision, for one sample to a million."""

import itertools
from importlib import import_module

import numpy as np
import pytest
import torch
from grafx.processors.core.backends import dispatch
from grafx.processors.core.biquad import biquad_cascade
from grafx.processors.core.convolution import convolve
from grafx.processors.core.recursion import ballistics, first_order, onepole
from grafx.processors.core.state_space import state_space
from scipy.signal import lfilter, oaconvolve, sosfilt

LONGEST = 1 << 20
LENGTHS = [1, 2, 3, 100, 4097, (1 << 17) + 1, LONGEST]
KINDS = [
    *itertools.product(LENGTHS, ["float32"]),
    *itertools.product([3, 4097, (1 << 17) + 1], ["float64"]),
    *itertools.product([1, 100, LONGEST], ["float32 in plain torch"]),
]
LIMIT = 3e-6  # of the largest value
START = 0.3  # states before the first sample


@pytest.fixture
def dtype(request, monkeypatch):
    dtype, *plain = request.param.split(maxsplit=1)
    if plain:
        monkeypatch.setattr(dispatch, "_load", lambda name, _: import_module(f"grafx.processors.core.{name}._torch"))
    return np.dtype(dtype)


def signals(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def leaf(values, dtype=None):
    return torch.tensor(np.asarray(values), dtype=dtype).requires_grad_()


def few_if_long(length, cases):
    """The hardest case alone, where there are many samples."""
    return cases[-1:] if length == LONGEST else cases


def assert_close(results, references):
    for result, reference in zip(results, references, strict=True):
        assert result.shape == np.shape(reference)
        assert error(result, reference) <= LIMIT * np.abs(reference).max()


def error(result, reference):
    return np.abs(result.detach().numpy() - reference).max()


def earlier(v, start=0.0):
    return np.concatenate([[start], v[:-1]])


@pytest.mark.parametrize("length, dtype", KINDS, indirect=["dtype"])
@pytest.mark.parametrize("taps", [None, 1, 50, 16384])
def test_onepole(length, taps, dtype, rng):
    alphas = few_if_long(length, [0.0, -0.5, 0.9, 1 - 1e-4, 1 - 1e-7])
    u, w = signals(rng, dtype, 2, len(alphas), length)
    leaves = leaf(u), leaf(alphas), leaf([START] * len(alphas))
    y = onepole(*leaves, taps)
    grads = torch.autograd.grad(y, leaves, torch.from_numpy(w))
    for r, a in enumerate(alphas):
        assert_close((y[r], *(g[r] for g in grads)), smoothed(u[r].astype(float), a, taps, w[r].astype(float)))


def smoothed(u, a, taps, w):
    """The output, and the gradients to input, coefficient and initial output."""
    n = np.arange(u.size)
    free = a ** (n + 1.0)
    if taps is None:
        y = lfilter([1 - a], [1, -a], u, zi=[a * START])[0]
        by_a = lfilter([1], [1, -a], earlier(y, START) - u)
        return y, lfilter([1 - a], [1, -a], w[::-1])[::-1], w @ by_a, w @ free
    k = n[:taps]
    h, slope = (1 - a) * a**k, (1 - a) * k * np.power(a, np.maximum(k - 1.0, 0)) - a**k
    by_a = oaconvolve(u, slope)[: u.size] + START * (n + 1) * np.power(a, 1.0 * n)
    return oaconvolve(u, h)[: u.size] + START * free, oaconvolve(w[::-1], h)[: u.size][::-1], w @ by_a, w @ free


@pytest.mark.parametrize("length, dtype", KINDS, indirect=["dtype"])
@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("complex_numbers", [False, True])
def test_first_order(length, varying, complex_numbers, dtype, rng):
    a = np.array(few_if_long(length, [0.0, -0.9, 1 - 1e-4, 1e-7 - 1, 1 - 1e-7]))
    a = a * np.exp(1j) if complex_numbers else a
    u, w = signals(rng, dtype, 2, len(a), length)
    w = w * (1 + 0.5j) if complex_numbers else w
    coefficients = np.repeat(a[:, None], length, 1) if varying else a
    leaves = leaf(u), leaf(coefficients), leaf([START] * len(a))
    y = first_order(*leaves)
    grads = torch.autograd.grad(y, leaves, torch.from_numpy(w).to(y.dtype))
    for r, c in enumerate(a):
        before = lfilter([1], [1, -c], u[r].astype(float), zi=[c * START])[0]
        adjoint = lfilter([1], [1, -c.conj()], w[r, ::-1].astype(np.result_type(c, float)))[::-1]
        by_a = adjoint * earlier(before, START).conj()
        expected = before, adjoint.real, by_a if varying else by_a.sum(), (c.conj() * adjoint[0]).real
        assert_close((y[r], *(g[r] for g in grads)), expected)


# In plain torch, from sample to sample.
@pytest.mark.parametrize("length, dtype", [k for k in KINDS if "plain" not in k[1] or k[0] <= 100], indirect=["dtype"])
def test_ballistics(length, dtype, rng):
    cases = few_if_long(length, [(0.5, 0.9), (0.99, 1 - 1e-7), (0.0, 1 - 1e-4), (1 - 1e-7, 0.9)])
    u, w = signals(rng, dtype, 2, len(cases), length)
    leaves = leaf(u), *(leaf(c) for c in zip(*cases, strict=True)), leaf([START] * len(cases))
    y = ballistics(*leaves)
    grads = torch.autograd.grad(y, leaves, torch.from_numpy(w))
    for r, case in enumerate(cases):
        assert_close((y[r], *(g[r] for g in grads)), followed(u[r].astype(float), *case, w[r].astype(float)))


def followed(u, attack, release, w):
    y, state = [], START
    for x in u.tolist():
        a = attack if x >= state else release
        state = a * state + (1 - a) * x
        y.append(state)
    before = earlier(np.array(y), START)
    rising = u >= before
    a = np.where(rising, attack, release)
    adjoint, state = [], 0.0
    for g, c in zip(w[::-1].tolist(), a[::-1].tolist(), strict=True):
        adjoint.append(state + g)
        state = c * adjoint[-1]
    adjoint = np.array(adjoint[::-1])
    slope = adjoint * (before - u)
    return np.array(y), (1 - a) * adjoint, slope[rising].sum(), slope[~rising].sum(), state


POLES = [(0.9, 1.0), (1 - 1e-4, 0.1), (1 - 1e-6, np.pi), (1 - 1e-6, 1.0), (1 - 1e-6, 1e-6), (1 - 1e-6, 0.0)]


@pytest.mark.parametrize("length, dtype", KINDS, indirect=["dtype"])
@pytest.mark.parametrize("b", [[1, 0.5, 0.25], [1, -2, 1]])
def test_biquads(length, b, dtype, rng):
    poles = few_if_long(length, POLES)
    following = [0.2, 0.3, 0.1, 2, 0.4, 0.2]
    sos = [[[*b, 1, -2 * radius * np.cos(angle), radius**2], following] for radius, angle in poles]
    x, w = signals(rng, dtype, 2, len(poles), length)
    leaves = leaf(x), leaf(sos), leaf(rng.standard_normal((len(poles), 2, 2)))
    y, final = biquad_cascade(*leaves)
    grad_x, grad_sos, grad_state = torch.autograd.grad(y, leaves, torch.from_numpy(w))
    for r, state in enumerate(leaves[2].detach().numpy()):
        c = np.array(sos[r]) / np.array(sos[r])[:, 3:4]
        u, g = x[r].astype(float), w[r].astype(float)
        expected, end = sosfilt(c, u, zi=state)
        assert_close((y[r], final[r], grad_x[r]), (expected, end, sosfilt(c, g[::-1])[::-1]))
        assert_close((grad_sos[r, 0], grad_state[r, 0]), gradients_of_first_section(u, c, state, g))


def gradients_of_first_section(u, c, state, w):
    """Of the gradient to the output of its recursion, with its inputs and outputs up to two samples ago."""
    (b, a), y = np.split(c[0], 2), sosfilt(c[:1], u, zi=state[:1])[0]
    adjoint = lfilter([1], a, sosfilt(c[1:], w[::-1]))[::-1]
    by_b = [adjoint[k:] @ v for k, v in enumerate([u, u[: u.size - 1], u[: max(0, u.size - 2)]])]
    by_a = [-adjoint[k:] @ v for k, v in [(1, y[: u.size - 1]), (2, y[: max(0, u.size - 2)])]]
    return np.array([*by_b, -(by_b @ b) - by_a @ a[1:], *by_a]), np.pad(adjoint, (0, 1))[:2]


@pytest.mark.parametrize("length, dtype", KINDS, indirect=["dtype"])
def test_state_space(length, dtype, rng):
    """Of a rotation with losses, whose states and costates are outputs of filters."""
    poles = few_if_long(length, [(0.9, 1.0), (1 - 1e-4, 0.1), (1 - 1e-6, 0.0), (1 - 1e-6, 1.0)])
    u, w = signals(rng, dtype, 2, len(poles), length)
    re, im = np.array([(radius * np.cos(angle), radius * np.sin(angle)) for radius, angle in poles]).T
    A = np.array([[re, -im], [im, re]]).transpose(2, 0, 1)
    first = np.broadcast_to([1.0, 0.0], (len(poles), 2))
    leaves = leaf(u), leaf(A), leaf(first), leaf(first), leaf([0.5] * len(poles)), leaf(0 * first)
    y, final = state_space(*leaves)
    grads = torch.autograd.grad(y, leaves, torch.from_numpy(w))
    for r in range(len(poles)):
        v, g, poly = u[r].astype(float), w[r].astype(float), [1, -2 * re[r], re[r] ** 2 + im[r] ** 2]
        x, q = (
            np.stack([lfilter([0, 1, -re[r]], poly, signal), lfilter([0, 0, turn * im[r]], poly, signal)])
            for signal, turn in ((v, 1), (g[::-1], -1))
        )
        q = q[:, ::-1]
        end, start = A[r] @ x[:, -1] + [v[-1], 0], A[r].T @ q[:, 0] + [g[0], 0]
        assert_close((y[r], final[r]), (x[0] + 0.5 * v, end))
        assert_close([grad[r] for grad in grads], (q[0] + 0.5 * g, q @ x.T, q @ v, x @ g, g @ v, start))


@pytest.mark.parametrize("length, dtype", KINDS, indirect=["dtype"])
@pytest.mark.parametrize("taps", [1, 2, 2047, 60_000, "more than samples"])
@pytest.mark.parametrize("mode", ["causal", "zerophase"])
def test_convolve(length, taps, mode, dtype, rng):
    taps = min(length + 1000, 1 << 18) if isinstance(taps, str) else taps
    x, h, w = (signals(rng, dtype, n) for n in (length, taps, length))
    leaves = leaf(x[None, None]), leaf(h[None, None])
    y = convolve(*leaves, mode)
    grads = torch.autograd.grad(y, leaves, torch.from_numpy(w[None, None]))
    x, h, w = (v.astype(float) for v in (x, h, w))
    delay = 0 if mode == "causal" else taps // 2
    expected = oaconvolve(x, h)[delay:][:length], oaconvolve(w, h[::-1])[taps - 1 - delay :][:length]
    assert_close((y[0, 0], grads[0][0, 0]), expected)
    by_h = np.pad(oaconvolve(w, x[::-1]), taps)[taps + length - 1 - delay :][:taps]
    # Sums over all samples, which may all be small by chance where there are few of them.
    size = max(np.abs(by_h).max(), np.linalg.norm(x) * np.linalg.norm(w) / np.sqrt(length))
    assert error(grads[1][0, 0], by_h) <= LIMIT * size
