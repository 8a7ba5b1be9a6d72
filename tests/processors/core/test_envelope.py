import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.envelope import Ballistics, TruncatedOnePoleIIRFilter
from torch.autograd import gradcheck


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("iir_len", [1, 10, 50, 16384])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_truncated_one_pole_is_a_rectified_convolution(rng, iir_len, dtype, tolerance):
    u, z = rng.normal(size=(2, 3, 50)), np.array([[-1.0], [4.0]])
    y = TruncatedOnePoleIIRFilter(iir_len)(torch.tensor(u, dtype=dtype), torch.tensor(z, dtype=dtype))
    alpha = sigmoid(z)
    response = (1 - alpha) * alpha ** np.arange(iir_len)
    for b in range(2):
        for c in range(3):
            expected = np.maximum(np.convolve(u[b, c], response[b])[:50], 0)
            np.testing.assert_allclose(y[b, c], expected, atol=tolerance)


def test_signals_may_lack_a_channel_axis(rng):
    u, z = torch.tensor(rng.uniform(size=(2, 30))), torch.tensor([[1.0], [2.0]])
    smooth = TruncatedOnePoleIIRFilter(8, flashfftconv=True, max_input_len=2**15)
    torch.testing.assert_close(smooth(u, z), smooth(u[:, None], z)[:, 0])
    z = torch.tensor([[1.0, 0.0], [2.0, -1.0]])
    torch.testing.assert_close(Ballistics()(u, z), Ballistics()(u[:, None], z)[:, 0])


def test_one_pole_coefficient_stays_below_one():
    y = TruncatedOnePoleIIRFilter()(torch.ones(1, 100), torch.tensor([[1e4]]))
    expected = 1 - (1 - 1e-5) ** np.arange(1, 101)
    np.testing.assert_allclose(y[0], expected, rtol=1e-5)


def test_ballistics_first_coefficient_is_for_rising():
    u = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    y = Ballistics()(u, torch.tensor([[-50.0, 0.0]]))
    torch.testing.assert_close(y, torch.tensor([[1.0, 1.0, 0.5, 0.25]]))
    y = Ballistics()(u, torch.tensor([[-50.0, 0.0]]), initial=2.0)
    torch.testing.assert_close(y, torch.tensor([[1.5, 1.25, 0.625, 0.3125]]))


def test_gradients(rng):
    u = torch.tensor(rng.uniform(size=(2, 20)), requires_grad=True)
    z = torch.tensor(rng.normal(size=(2, 2)), requires_grad=True)
    assert gradcheck(TruncatedOnePoleIIRFilter(6), (u, z[:, :1]))
    assert gradcheck(Ballistics(), (u, z))


@pytest.mark.parametrize("z", [-1e4, 1e4])
def test_extreme_coefficients_keep_everything_finite(z):
    u = torch.rand(1, 40, requires_grad=True)
    for smoother, count in ((TruncatedOnePoleIIRFilter(8), 1), (Ballistics(), 2)):
        z_alpha = torch.full((1, count), z, requires_grad=True)
        y = smoother(u, z_alpha)
        assert y.isfinite().all()
        assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), (u, z_alpha)))


def test_a_response_needs_a_sample():
    with pytest.raises(ParameterError, match="iir_len"):
        TruncatedOnePoleIIRFilter(0)
