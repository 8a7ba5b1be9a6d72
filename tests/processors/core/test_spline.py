import numpy as np
import pytest
import torch
from grafx.processors.core.spline import rational_quadratic


def loop(u, rises, slopes):
    """The formula, one sample after another."""
    count = len(rises)
    width = 2 / count
    knots = np.concatenate([[0], np.cumsum(rises)])
    knots = knots - knots[count // 2]
    y = np.empty_like(u)
    for n, v in enumerate(u):
        if v < -1:
            y[n] = knots[0] + slopes[0] * (v + 1)
        elif v >= 1:
            y[n] = knots[-1] + slopes[-1] * (v - 1)
        else:
            k = int((v + 1) // width)
            t, s = (v + 1) / width - k, rises[k] / width
            above = rises[k] * (s * t * t + slopes[k] * t * (1 - t))
            y[n] = knots[k] + above / (s + (slopes[k] + slopes[k + 1] - 2 * s) * t * (1 - t))
    return y


@pytest.fixture
def spline(rng):
    return tuple(torch.tensor(np.exp(rng.normal(size=(3, size))), requires_grad=True) for size in (6, 7))


def test_it_is_the_formula(spline, rng):
    u = torch.tensor(rng.normal(size=(3, 2, 200)))
    u[0, 0, :4] = torch.tensor([-1.0, 1.0, 0.0, 1 / 3])
    y = rational_quadratic(u, *spline).detach()
    for row in range(3):
        values = [p[row].detach().numpy() for p in spline]
        for channel in range(2):
            np.testing.assert_allclose(y[row, channel], loop(u[row, channel].numpy(), *values), rtol=1e-12, atol=1e-12)


def test_it_rises_smoothly_through_zero(spline):
    u = torch.linspace(-1.5, 1.5, 30001, dtype=torch.float64).expand(3, 1, -1).clone().requires_grad_()
    y = rational_quadratic(u, *spline)
    (slope,) = torch.autograd.grad(y.sum(), u)
    assert (slope > 0).all() and (y.diff() > 0).all()
    assert y[..., 15000].abs().max() == 0
    assert slope.diff().abs().max() < 0.02 * slope.max()  # without corners


def test_gradients(spline, rng):
    u = torch.tensor(rng.normal(size=(3, 1, 12)), requires_grad=True)
    assert torch.autograd.gradcheck(rational_quadratic, (u, *spline))
