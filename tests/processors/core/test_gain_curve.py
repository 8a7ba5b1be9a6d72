import math

import numpy as np
import pytest
import torch
from grafx.processors.core.backends.numba_math import exp32, log32
from grafx.processors.core.gain_curve import Curve, gain_of_energy
from numba import njit

KNEES = ["hard", "quadratic", "exponential", "hard step", "quadratic step"]
COMPILED = ["hard", "quadratic", "quadratic step"]
FLOOR = 1e-5
FORMULAS = {  # of the level over the threshold, and the width
    "hard": lambda x, w: x.clamp(min=0),
    "quadratic": lambda x, w: torch.where(x.abs() <= w / 2, (x + w / 2) ** 2 / (2 * w), x.clamp(min=0)),
    "exponential": lambda x, w: torch.log1p(torch.exp(w * x)) / w,
    "hard step": lambda x, w: (x >= 0).to(x),
    "quadratic step": lambda x, w: _step((x / w + 0.5).clamp(0, 1)),
}


def _step(t):
    return torch.where(t <= 0.5, 2 * t**2, 1 - 2 * (1 - t) ** 2)


def formula(energy, threshold, slope, width, knee, mirrored):
    over = torch.log(energy.clamp(min=0) + FLOOR) - threshold
    return (slope * FORMULAS[knee](-over if mirrored else over, width)).exp()


def arguments(rng, dtype, rows=(3,), length=700):
    energy = np.exp(rng.normal(-5, 4, (*rows, length)))
    energy[..., :3] = 1e-12, -1e-9, 1e-30
    own = [rng.normal(-5, 1, (3, 1)), -rng.uniform(0.1, 2, (3, 1)), rng.uniform(0.5, 4, (3, 1))]
    return [torch.tensor(v, dtype=dtype).requires_grad_() for v in (energy, *own)]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("knee", KNEES)
def test_gains_are_those_of_the_formula(knee, mirrored, rng):
    for dtype, tolerance in ((torch.float32, 2e-5), (torch.float64, 1e-9)):
        energy, threshold, slope, width = arguments(rng, dtype)
        gain = gain_of_energy(energy, FLOOR, threshold, Curve(knee, slope, width, mirrored))
        expected = formula(*(v.detach().double() for v in (energy, threshold, slope, width)), knee, mirrored)
        assert gain.dtype == dtype
        torch.testing.assert_close(gain.double(), expected, rtol=tolerance, atol=tolerance / 100)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("knee", COMPILED)
def test_gradients_are_those_of_the_formula(knee, mirrored, rng):
    single = arguments(rng, torch.float32)
    double = [v.detach().double().requires_grad_() for v in single]
    energy, threshold, slope, width = single
    weights = torch.tensor(rng.normal(size=(3, 700)))
    gain = gain_of_energy(energy, FLOOR, threshold, Curve(knee, slope, width, mirrored))
    found = torch.autograd.grad((gain * weights).sum(), single, allow_unused=True)
    expected = torch.autograd.grad((formula(*double, knee, mirrored) * weights).sum(), double, allow_unused=True)
    for a, b in zip(found, expected, strict=True):
        b = torch.zeros_like(a) if b is None else b
        torch.testing.assert_close(a.double(), b.double(), rtol=1e-4, atol=1e-5 * b.abs().max().item())


@pytest.mark.parametrize("knee", COMPILED)
def test_extremes(knee):
    energy = torch.tensor([[math.inf, math.nan, 3e38, 0.0]])
    gain = gain_of_energy(energy, 1e-13, torch.zeros(1, 1), Curve(knee, torch.tensor([[-50.0]]), torch.ones(1, 1)))
    assert gain[0, 1].isnan() and gain[0, 3] == 1
    assert (gain[0, [0, 2]] < 1e-20).all()


def test_parameters_and_energies_broadcast(rng):
    energy, threshold, slope, width = (v.detach() for v in arguments(rng, torch.float32, rows=(2, 3)))
    curve = Curve("quadratic", slope[:1], width)
    gain = gain_of_energy(energy, FLOOR, threshold, curve)
    for i, j in ((0, 0), (1, 2)):
        alone = gain_of_energy(energy[i, j], FLOOR, threshold[j], Curve("quadratic", slope[0], width[j]))
        torch.testing.assert_close(gain[i, j], alone)
    assert gain_of_energy(energy[:0], FLOOR, threshold, curve).shape == (0, 3, 700)
    assert gain_of_energy(energy[..., :0], FLOOR, threshold, curve).shape == (2, 3, 0)


def test_derivatives_of_second_order_and_of_functions(rng):
    energy, threshold, slope, width = arguments(rng, torch.float32, length=20)
    fixed = threshold.detach(), slope.detach(), width.detach()

    def total(slope):
        return gain_of_energy(energy.detach(), FLOOR, fixed[0], Curve("quadratic", slope, fixed[2])).sum()

    def plain(slope):
        return formula(energy.detach(), fixed[0], slope, fixed[2], "quadratic", False).sum()

    for derivative in (torch.func.grad, torch.func.jacrev):
        torch.testing.assert_close(derivative(total)(fixed[1]), derivative(plain)(fixed[1]), rtol=1e-4, atol=1e-4)
    for function in (total, plain):
        (first,) = torch.autograd.grad(function(slope), slope, create_graph=True)
        slope_of_slope = torch.autograd.grad(first.sum(), slope)[0]
        if function is total:
            found = slope_of_slope
    torch.testing.assert_close(found, slope_of_slope, rtol=1e-4, atol=1e-4)


@njit
def apply(exponential, x, y):
    for i in range(x.size):
        y[i] = exp32(x[i]) if exponential else log32(x[i])


def test_functions_of_kernels(rng):
    x = np.concatenate([rng.uniform(-87, 88, 20000), [0, 1, -1, 1e-8, -math.inf, math.inf, -200, 200]])
    x = x.astype(np.float32)
    y = np.empty_like(x)
    apply(True, x, y)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(y, np.exp(x.astype(float)).astype(np.float32), rtol=3e-7)
    x = np.exp(rng.uniform(-87, 88, 20000)).astype(np.float32)
    x[:5] = 1, 1 + 2**-23, 1 - 2**-24, math.inf, 2
    y = np.empty_like(x)
    apply(False, x, y)
    np.testing.assert_allclose(y, np.log(x.astype(float)), rtol=2e-7)
    for exponential in (True, False):
        apply(exponential, np.full(1, np.nan, np.float32), y)
        assert np.isnan(y[0])
