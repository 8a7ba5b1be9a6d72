import numpy as np
import pytest
import torch
from grafx.processors.core.decay import decaying_sum


def arguments(rng, rows, dtype=torch.float64, count=2, length=9):
    noise = torch.tensor(rng.standard_normal((rows, 2, 3, length)), dtype=dtype)
    amplitudes = torch.tensor(rng.standard_normal((4, 2, 3, count)), dtype=dtype, requires_grad=True)
    rates = torch.tensor(rng.uniform(0, 0.3, size=(4, 2, 3, count)), dtype=dtype, requires_grad=True)
    return noise, amplitudes, rates


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_is_the_formula(rows, count, dtype, tolerance, rng):
    noise, amplitudes, rates = arguments(rng, rows, dtype, count, 50)
    h = decaying_sum(noise, amplitudes, rates)
    assert h.dtype == dtype
    s, a, r = (v.detach().double().numpy() for v in (noise, amplitudes, rates))
    envelopes = (a[..., None] * np.exp(-r[..., None] * np.arange(50))).sum(-2)
    np.testing.assert_allclose(h.detach(), (s * envelopes).sum(-2), atol=tolerance)


@pytest.mark.parametrize("rows", [1, 4])
def test_gradients(rows, rng):
    noise, *parameters = arguments(rng, rows)
    assert torch.autograd.gradcheck(lambda a, r: decaying_sum(noise, a, r), parameters)


def test_far_decays_are_silent_and_finite():
    noise, amplitudes = torch.ones(1, 1, 1, 1000), torch.full((1, 1, 1, 1), 1e13, requires_grad=True)
    rates = torch.full((1, 1, 1, 1), 5.0, requires_grad=True)
    h = decaying_sum(noise, amplitudes, rates)
    h.sum().backward()
    assert h[..., 20:].abs().max() < 1e-12
    assert amplitudes.grad.isfinite().all() and rates.grad.isfinite().all()
