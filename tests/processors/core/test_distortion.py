import math

import numpy as np
import pytest
import torch
from grafx.processors.core.backends.numba_math import tanh32
from grafx.processors.core.distortion import COMPILED, distort
from grafx.processors.core.waveshapes import WAVESHAPES
from numba import njit


def arguments(rng, dtype, rows=(2, 3), length=700):
    u = rng.normal(0, 2, (*rows, length))
    own = [rng.uniform(0.2, 3, (2, 1, 1)), rng.normal(0, 0.5, (2, 1, 1)), rng.uniform(0.5, 2, (1, 1, 1))]
    return [torch.tensor(v, dtype=dtype).requires_grad_() for v in (u, *own)]


def formula(u, drive, bias, gain, shape):
    curve = WAVESHAPES[shape].curve
    return gain * (curve(drive * u + bias) - curve(bias))


@pytest.mark.parametrize("shape", WAVESHAPES)
def test_values_and_gradients_are_those_of_the_formula(shape, rng):
    single = arguments(rng, torch.float32)
    double = [v.detach().double().requires_grad_() for v in single]
    weights = torch.tensor(rng.normal(size=(2, 3, 700)))
    y, expected = distort(*single, shape), formula(*double, shape)
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-6)
    found = torch.autograd.grad((y * weights).sum(), single)
    slopes = torch.autograd.grad((expected * weights).sum(), double)
    for a, b in zip(found, slopes, strict=True):
        assert a.shape == b.shape and a.dtype == torch.float32
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-5 * b.abs().max().item())
    torch.testing.assert_close(distort(*double, shape), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", COMPILED)
def test_extremes_and_empty_signals(shape):
    one = torch.ones(1, 1)
    y = distort(torch.tensor([[math.inf, -math.inf, math.nan, 0.0, 1e38]]), one, 0 * one, one, shape)
    low = -0.5 if shape == "tube" else -1
    assert y[0, 2].isnan()
    torch.testing.assert_close(y[0, [0, 1, 3, 4]], torch.tensor([1.0, low, 0.0, 1.0]))
    assert distort(torch.ones(2, 0), one, one, one, shape).shape == (2, 0)
    assert distort(torch.ones(0, 2, 5), one, one, one, shape).shape == (0, 2, 5)


@pytest.mark.parametrize("shape", COMPILED)
def test_derivatives_of_functions_and_second_ones(shape, rng):
    u, drive, bias, gain = (v.detach() for v in arguments(rng, torch.float32, length=20))
    for function in (torch.func.grad, torch.func.jacrev):
        found = function(lambda d: distort(u, d, bias, gain, shape).sum())(drive)
        torch.testing.assert_close(found, function(lambda d: formula(u, d, bias, gain, shape).sum())(drive))
    second = []
    for of in (distort, formula):
        d = drive.clone().requires_grad_()
        (first,) = torch.autograd.grad(of(u, d, bias, gain, shape).square().sum(), d, create_graph=True)
        second.append(torch.autograd.grad(first.sum(), d)[0])
    torch.testing.assert_close(*second, rtol=1e-4, atol=1e-3)


@njit
def apply(x, y):
    for i in range(x.size):
        y[i] = tanh32(x[i])


def test_hyperbolic_tangent(rng):
    size = np.exp(rng.uniform(-60, 5, 20000))
    x = np.concatenate([size, -size, [0, 0.625, -0.625, 100, -1e30]]).astype(np.float32)
    y = np.empty_like(x)
    apply(x, y)
    np.testing.assert_allclose(y, np.tanh(x.astype(float)), rtol=3e-7)
