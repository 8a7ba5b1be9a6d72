import numpy as np
import pytest
import torch
from grafx.processors.core.knees import (
    exponential_knee,
    guarded_quadratic_knee,
    hard_knee,
    hard_step,
    quadratic_knee,
    quadratic_step,
)
from torch.autograd import gradcheck

THRESHOLD, SLOPE, WIDTH = torch.tensor([[-3.0]]), torch.tensor([[-0.75]]), torch.tensor([[2.0]])


def levels(*around):
    return torch.tensor([around], dtype=torch.float64)


def test_hard_knee_is_a_ramp():
    level = levels(-9.0, -3.0, -2.0, 5.0)
    torch.testing.assert_close(hard_knee(level, THRESHOLD, SLOPE), levels(0.0, 0.0, -0.75, -6.0))


def test_quadratic_knee_meets_the_ramp_in_value_and_slope():
    level = torch.linspace(-8, 2, 1001, dtype=torch.float64)[None].requires_grad_()
    y = quadratic_knee(level, THRESHOLD, SLOPE, WIDTH)
    outside = (level - THRESHOLD).abs() >= 1
    torch.testing.assert_close(y[outside], hard_knee(level, THRESHOLD, SLOPE)[outside])
    (derivative,) = torch.autograd.grad(y.sum(), level)
    assert derivative.diff().abs().max() <= 0.75 * 0.01 / 2 + 1e-9
    at_threshold = quadratic_knee(levels(-3.0), THRESHOLD, SLOPE, WIDTH)
    torch.testing.assert_close(at_threshold, levels(-0.75 * 2 / 8))


def test_exponential_knee_is_a_softplus():
    level = np.linspace(-10, 10, 101)[None]
    y = exponential_knee(torch.tensor(level), THRESHOLD, SLOPE, WIDTH)
    np.testing.assert_allclose(y, -0.75 * np.logaddexp(0, 2 * (level + 3)) / 2, atol=1e-7)


@pytest.mark.parametrize("slope", [-0.75, 0.5])
def test_guarded_knee_is_a_parabola_between_ramps(slope):
    x = np.linspace(-3, 3, 601)
    y = guarded_quadratic_knee(torch.tensor(x[None] - 3), THRESHOLD, torch.tensor([[slope]]), WIDTH)
    expected = np.where(x > 1, x, np.where(x < -1, 0, (x + 1) ** 2 / (2 * 2.001)))
    np.testing.assert_allclose(y[0], slope * expected, atol=1e-12)


@pytest.mark.parametrize("curve", [quadratic_knee, exponential_knee])
def test_sharp_knees_are_hard(curve):
    level = torch.linspace(-8, 2, 501)[None]
    width = torch.tensor([[1e-6 if curve is quadratic_knee else 1e6]])
    torch.testing.assert_close(
        curve(level, THRESHOLD, SLOPE, width), hard_knee(level, THRESHOLD, SLOPE), atol=2e-6, rtol=1e-5
    )


def test_gradients(rng):
    level = torch.tensor(rng.normal(size=(2, 30)) - 3, requires_grad=True)
    rows = [
        torch.tensor(v, dtype=torch.float64, requires_grad=True)
        for v in ([[-3.0], [-2.0]], [[-0.7], [-2.0]], [[1.5], [0.8]])
    ]
    assert gradcheck(hard_knee, (level, *rows[:2]))
    assert gradcheck(quadratic_knee, (level, *rows))
    assert gradcheck(guarded_quadratic_knee, (level, *rows))
    assert gradcheck(exponential_knee, (level, *rows))


def test_hard_step_jumps_at_the_threshold_and_has_the_gradient_of_a_soft_one():
    level = levels(-9.0, -3.1, -3.0, -2.0, 5.0).requires_grad_()
    y = hard_step(level, THRESHOLD, SLOPE, WIDTH)
    torch.testing.assert_close(y, levels(0.0, 0.0, -0.75, -0.75, -0.75))
    soft = quadratic_step(level, THRESHOLD, SLOPE, torch.ones(1, 1))
    expected, found = (torch.autograd.grad(z.sum(), level)[0] for z in (soft, y))
    torch.testing.assert_close(found, expected)
    assert found[0, 1] < 0 and found[0, 0] == 0


def test_quadratic_step_is_continuous_in_value_and_slope():
    level = torch.linspace(-8, 2, 1001, dtype=torch.float64)[None].requires_grad_()
    y = quadratic_step(level, THRESHOLD, SLOPE, WIDTH)
    t = ((level + 3) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(y, -0.75 * torch.where(t < 0.5, 2 * t**2, 1 - 2 * (1 - t) ** 2))
    (derivative,) = torch.autograd.grad(y.sum(), level)
    assert derivative.diff().abs().max() <= 0.75 * 0.01 + 1e-9
    assert derivative.min() == pytest.approx(-0.75, abs=0.01)


def test_gradients_of_the_soft_step(rng):
    level = torch.tensor(rng.normal(size=(2, 30)) - 3, requires_grad=True)
    rows = [
        torch.tensor(v, dtype=torch.float64, requires_grad=True)
        for v in ([[-3.0], [-2.0]], [[-0.7], [2.0]], [[1.5], [0.8]])
    ]
    assert gradcheck(quadratic_step, (level, *rows))
