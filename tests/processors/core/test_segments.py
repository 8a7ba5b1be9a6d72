import math
from importlib import import_module

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.backends import dispatch
from grafx.processors.core.segments import segments
from torch.autograd import gradcheck
from torch.library import opcheck

DOUBLE = torch.float64
KINDS = [(True, False, True), (False, False, False), (False, True, True)]
LENGTHS = [0, 1, 7, 61, 2000]


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture(params=["numba", "torch"])
def backend(request, monkeypatch):
    monkeypatch.setattr(
        dispatch, "_load", lambda name, _: import_module(f"grafx.processors.core.{name}._{request.param}")
    )


def shapes(rows, length):
    """Three segments each, the first of which may have begun before the curve, or begin after its start."""
    values = torch.rand(rows, 3, 4, dtype=DOUBLE)
    values[..., 0] = (values[..., 0].cumsum(1) - 0.3) * length / 1.5
    values[..., 3] *= 4 / (length + 1)
    return values


def loop(curve, linear, length, first=0):
    y = np.zeros(length)
    for n in range(length):
        for (start, base, height, rate), is_linear in zip(curve.tolist(), linear, strict=True):
            if start <= first + n:
                x = rate * (first + n - start)
                y[n] = base + height * (max(0, 1 - x) if is_linear else math.exp(-x))
    return y


@pytest.mark.parametrize("linear", KINDS)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_curves_are_those_of_the_formula(backend, linear, length, dtype):
    given = shapes(4, length)
    y = segments(given, linear, length, dtype)
    assert y.dtype == dtype and y.shape == (4, length)
    expected = np.stack([loop(curve, linear, length) for curve in given])
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-13)


@pytest.mark.parametrize("linear", KINDS)
def test_curves_go_on_at_any_sample(backend, linear):
    given = shapes(3, 100)
    whole = segments(given, linear, 100)
    for first in (0, 1, 33, 99, 100):
        torch.testing.assert_close(segments(given, linear, 100 - first, first_sample=first), whole[:, first:])
    far = given + torch.tensor([2.0**40, 0, 0, 0])
    torch.testing.assert_close(segments(far, linear, 100, first_sample=2**40), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("linear", KINDS)
@pytest.mark.parametrize("length", [0, 1, 8, 45])
def test_gradients(backend, linear, length):
    given = shapes(2, length).requires_grad_()
    assert gradcheck(lambda s: segments(s, linear, length, first_sample=2), (given,))


def test_gradients_of_long_decays_are_slopes():
    given = torch.tensor([[[0.4, 0.1, 2.0, 1e-3], [5000.4, 0.3, -1.0, 0.3], [9000.7, 0.0, 1.0, 2e-4]]], dtype=DOUBLE)
    weights = torch.randn(20000, dtype=DOUBLE)

    def number(factors):
        return (segments(given * factors, (False, False, True), 20000) * weights).sum()

    assert gradcheck(number, (torch.ones_like(given, requires_grad=True),), rtol=1e-5)


@pytest.mark.parametrize("kind", [True, False])
@pytest.mark.parametrize("rate", [0.0, 1e-12, 1.0, 1e3, 1e12])
def test_all_rates_are_finite(backend, kind, rate):
    given = torch.tensor([[[-3.0, 0.5, 1.0, rate]], [[2.5, 0.5, -1.0, rate]]], dtype=DOUBLE, requires_grad=True)
    y = segments(given, (kind,), 600)
    np.testing.assert_allclose(y.detach(), np.stack([loop(c, (kind,), 600) for c in given.detach()]), atol=1e-13)
    y.sum().backward()
    assert given.grad.isfinite().all()


def test_decays_end_in_zeros():
    """Not in numbers below the normal range, which are slow."""
    y = segments(torch.tensor([[0.0, 0.0, 1.0, 0.1]]), (False,), 5000)
    assert (y[:800] > 0).all() and not y[2000:].any()
    assert not ((y > 0) & (y < torch.finfo(torch.float32).tiny))[1024:].any()


@pytest.mark.parametrize("linear", KINDS)
@pytest.mark.parametrize("length", [0, 9])
def test_operators_keep_their_contract(linear, length):
    given = shapes(3, length).requires_grad_()
    arguments = given, list(linear), length, torch.float32, 1
    opcheck(torch.ops.grafx.segments, arguments)
    opcheck(torch.ops.grafx.segments_backward, (torch.randn(3, length), given.detach(), list(linear), 1))


def test_not_a_number_stays_within_the_curve():
    given = torch.full((1, 2, 4), math.nan, dtype=DOUBLE, requires_grad=True)
    y = segments(given, (True, False), 20)
    y.sum().backward()
    assert y.shape == (1, 20)


@pytest.mark.parametrize(
    "shape, dtype", [((2, 4), torch.float32), ((3, 3), torch.float32), ((4,), None), ((3, 4), torch.float16)]
)
def test_wrong_shapes_are_refused(shape, dtype):
    with pytest.raises(ParameterError, match="3 segments need shapes"):
        segments(torch.zeros(shape), (True, False, True), 5, dtype)
