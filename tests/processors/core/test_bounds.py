import numpy as np
import pytest
import torch
from grafx.processors.core.bounds import safe_exp, soft_bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_safe_exp_is_exp_in_the_musical_range(dtype):
    x = torch.linspace(-20, 20, 401, dtype=dtype, requires_grad=True)
    y = safe_exp(x)
    y.sum().backward()
    expected = np.exp(x.detach().double().numpy())
    rtol = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(y.detach().double(), expected, rtol=rtol)
    np.testing.assert_allclose(x.grad.double(), expected, rtol=rtol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_safe_exp_of_every_finite_number_can_be_squared_and_differentiated(dtype):
    largest = torch.finfo(dtype).max
    x = torch.tensor([-largest, -1e30, -1e4, -100, 100, 1e4, 1e30, largest], dtype=dtype, requires_grad=True)
    y = safe_exp(x)
    energy = (y**2).sum() * 1e6
    energy.backward()
    assert torch.isfinite(energy)
    assert torch.isfinite(x.grad).all()
    assert (y > 0).all()


def test_soft_bound_is_odd_increasing_and_bounded():
    x = torch.linspace(0, 1e4, 10001, dtype=torch.float64)
    y = soft_bound(x)
    assert (y.diff() > 0).all()
    assert y[-1] < 30
    torch.testing.assert_close(soft_bound(-x), -y)


def test_soft_bound_gradient():
    x = torch.tensor([-300.0, -25.0, -3.0, 0.0, 19.0, 21.0, 500.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(soft_bound, x)
