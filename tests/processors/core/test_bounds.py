import numpy as np
import pytest
import torch
from grafx.processors.core.bounds import clip, safe_exp, soft_bound, soft_bound_sum

pytestmark = pytest.mark.versions


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


def test_soft_bound_sum_scales_each_sign_by_itself():
    x = torch.tensor([[3.0, -1, 4, -2], [30.0, -1, 10, -2], [3.0, -100, 0, -300]], dtype=torch.float64)
    y = soft_bound_sum(x, 8, 2)
    torch.testing.assert_close(y[0], x[0])
    positive, negative = soft_bound(torch.tensor([40.0, -400.0]).double(), 8, 2)
    torch.testing.assert_close(
        y[1], torch.tensor([0.75, -1, 0.25, -2]).double() * torch.tensor([positive, 1, positive, 1])
    )
    torch.testing.assert_close(
        y[2], torch.tensor([3, 0.25, 0, 0.75]).double() * torch.tensor([1, negative, 1, negative])
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soft_bound_sum_is_differentiable_and_finite(dtype):
    x = torch.tensor([[3.0, -1, 0], [30, -70, 5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: soft_bound_sum(x, 8, 2), x)
    largest = torch.tensor([0, 1, -1, 1], dtype=dtype).mul(torch.finfo(dtype).max / 4).requires_grad_()
    y = soft_bound_sum(largest, 8, 2)
    y.sum().backward()
    assert y.abs().max() <= 10 and largest.grad.isfinite().all()


def test_clipped_values_have_a_slope_up_to_the_very_ends():
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], requires_grad=True)
    low, high = torch.tensor(-1.0, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    for ends in ((-1.0, 1.0), (low, high)):
        y = clip(x, *ends)
        assert y.tolist() == [-1, -1, 0, 1, 1]
        assert torch.autograd.grad(y.sum(), x, retain_graph=True)[0].tolist() == [0, 1, 1, 1, 0]
    assert torch.autograd.grad(y.sum(), (low, high)) == (1, 1)
    assert torch.equal(clip(x, high=0.0), x.clamp(max=0)) and torch.equal(clip(x, 0.0), x.clamp(min=0))
