import numpy as np
import pytest
import torch
from grafx.processors.core.series import polynomial_sum

POLYNOMIALS = {
    "powers": np.polynomial.polynomial.polyval,
    "chebyshev": np.polynomial.chebyshev.chebval,
}
BASES = list(POLYNOMIALS)


def loud(rng, *shape):
    return rng.uniform(-1.5, 1.5, size=shape)


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("count", [1, 2, 3, 10, 40])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_is_the_polynomial_of_numpy(basis, count, dtype, tolerance, rng):
    u, weights = np.clip(loud(rng, 3, 2, 50), -1, 1), rng.standard_normal((3, count))
    y = polynomial_sum(torch.tensor(u, dtype=dtype), torch.tensor(weights, dtype=dtype), basis)
    assert y.dtype == dtype
    expected = [POLYNOMIALS[basis](u[b], weights[b]) for b in range(3)]
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * count)


@pytest.mark.parametrize("basis", BASES)
def test_each_polynomial_saturates_by_itself(basis, rng):
    u, weights = loud(rng, 2, 1, 50), rng.standard_normal((2, 6))
    y = polynomial_sum(torch.tensor(u), torch.tensor(weights), basis, saturate=True)
    unit = np.eye(6)
    expected = [sum(weights[b, k] * np.tanh(POLYNOMIALS[basis](u[b], unit[k])) for k in range(6)) for b in range(2)]
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_gradients(basis, saturate, count, rng):
    u = torch.tensor(loud(rng, 2, 2, 7), requires_grad=True)
    weights = torch.tensor(rng.standard_normal((2, count)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda u, w: polynomial_sum(u, w, basis, saturate), (u, weights))


def test_chebyshev_polynomials_make_harmonics():
    phase = 2 * torch.pi * torch.arange(64, dtype=torch.float64) / 64
    for order in range(10):
        y = polynomial_sum(phase.cos()[None, None], torch.eye(10, dtype=torch.float64)[order][None], "chebyshev")
        torch.testing.assert_close(y[0, 0], (order * phase).cos())


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("count", [2, 10, 50])
def test_only_signals_far_too_loud_are_bounded(basis, count):
    weights = torch.eye(count, dtype=torch.float64)[-1:]
    limit = {"powers": 1e14 ** (1 / (count - 1)), "chebyshev": np.cosh(np.arccosh(1e14) / (count - 1))}[basis]
    for factor in (0.5, 0.999):
        u = torch.tensor([[[factor * limit]]], dtype=torch.float64)
        expected = POLYNOMIALS[basis](factor * limit, weights[0].numpy())
        np.testing.assert_allclose(polynomial_sum(u, weights, basis).item(), expected, rtol=1e-8)
    far = torch.tensor([[[1e30]]], dtype=torch.float64)
    assert 1e14 < polynomial_sum(far, weights, basis).item() < 3e14


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("level", [0.0, 1e-30, 1.0, 1e13, 1e30])
def test_values_and_gradients_are_finite_in_single_precision(basis, saturate, level):
    for count in (1, 2, 10, 30):
        u = (level * torch.tensor([-1.0, 0.0, 0.5, 1.0])).expand(1, 2, -1).clone().requires_grad_()
        weights = torch.ones(1, count, requires_grad=True)
        y = polynomial_sum(u, weights, basis, saturate)
        y.square().sum().backward()
        assert y.isfinite().all() and u.grad.isfinite().all() and weights.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 1, 0), (0, 2, 8), (1, 1, 1)])
def test_any_shape(shape):
    u = torch.rand(shape, requires_grad=True)
    y = polynomial_sum(u, torch.ones(shape[0], 4, requires_grad=True), "chebyshev")
    y.sum().backward()
    assert y.shape == u.grad.shape == shape
