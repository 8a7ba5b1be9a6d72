"""Means of curves, against integrals by many points."""

import mpmath
import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.antialiasing import _numba as _antialiasing_numba
from grafx.processors.core.antialiasing import _torch as _antialiasing_torch
from grafx.processors.core.antialiasing import antialiased
from grafx.processors.core.waveshapes import WAVESHAPES
from torch.autograd import gradcheck

BOTH = [1, 2]
ALL = pytest.mark.parametrize("shape", WAVESHAPES)
SPREADS = [3.0, 0.3, 3e-2, 3e-3, 1e-4, 1e-6, 1e-9, 0.0]


def mean(shape, order, points, count=400):
    """Of a curve over the line or triangle of some points, with a fine composite rule of Gauss."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    edges = np.linspace(0, 1, count + 1)
    s = (edges[:-1, None] + (nodes + 1) / 2 / count).ravel()
    w = np.tile(weights / 2 / count, count)
    curve = WAVESHAPES[shape].curve
    a, b, *c = points
    if order == 1:
        return float((torch.tensor(w) * curve(torch.tensor(b + s * (a - b)))).sum())
    # Over a triangle: a mean of means over lines from one corner to the opposite side, weighted by their distance.
    side = b + s[:, None] * (c[0] - b)
    inner = a + s[None, :] * (side - a)
    return float((torch.tensor(w[:, None] * 2 * s * w) * curve(torch.tensor(inner))).sum())


@ALL
@pytest.mark.parametrize("order", BOTH)
def test_it_is_the_mean_of_the_curve(shape, order, rng):
    for center, spread in [(0.0, 3.0), (0.9, 0.5), (-1.4, 0.05), (2.2, 1e-3), (-0.1, 1e-5), (1.7, 0.0)]:
        x = center + spread * rng.normal(size=order + 1)
        y = antialiased(torch.tensor(x[None, ::-1].copy()), shape, order)
        assert abs(y.item() - mean(shape, order, x, 400 if order == 1 else 40)) < 3e-6 * min(1, spread) + 1e-13


EXACT = {
    "hard": lambda v: max(min(v, mpmath.mpf(1)), mpmath.mpf(-1)),
    "tanh": mpmath.tanh,
    "arctan": lambda v: 2 / mpmath.pi * mpmath.atan(mpmath.pi * v / 2),
    "sine_fold": mpmath.sin,
}


@pytest.mark.parametrize("shape", EXACT)
@pytest.mark.parametrize("spread", SPREADS)
def test_it_is_precise_however_close_samples_are(shape, spread):
    """Of three in a line, two that are equal, and two that follow each other, against integrals with 30 digits."""
    for x in ([0.2, 0.2 + spread, 0.2 + 2 * spread], [0.4, 0.4 + spread, 0.4], [-0.3, -0.3, -0.3 + spread]):
        tensor = torch.tensor([x], dtype=torch.float64)
        assert abs(antialiased(tensor, shape, 2).item() - over_triangle(EXACT[shape], *x)) < 2e-12
        expected = [over_line(EXACT[shape], *pair) for pair in (x[:2], x[1:])]
        np.testing.assert_allclose(antialiased(tensor, shape, 1)[0], expected, rtol=0, atol=2e-14)


def over_line(f, *ends):
    low, high = sorted(map(mpmath.mpf, ends))
    with mpmath.workdps(30):
        return float(f(low) if low == high else mpmath.quad(f, with_corners(low, high)) / (high - low))


def over_triangle(f, *corners):
    low, middle, high = sorted(map(mpmath.mpf, corners))

    def weighted(v):
        part = (v - low) / (middle - low) if v < middle else (high - v) / (high - middle)
        return 2 / (high - low) * part * f(v)

    with mpmath.workdps(30):
        return float(f(low) if low == high else mpmath.quad(weighted, with_corners(low, middle, high)))


def with_corners(*points):
    inside = [v for v in (-1, 1) if points[0] < v < points[-1]]
    return sorted({*points, *map(mpmath.mpf, inside)})


@ALL
@pytest.mark.parametrize("order", BOTH)
def test_gradients(shape, order, rng):
    x = torch.tensor(rng.normal(size=(3, 12)) * np.array([[2.0], [0.3], [0.02]]) + 0.1, requires_grad=True)
    assert gradcheck(lambda x: antialiased(x, shape, order), x, atol=1e-6, rtol=1e-4)


@ALL
@pytest.mark.parametrize("order", BOTH)
@pytest.mark.parametrize("spread", SPREADS)
def test_slopes_add_up_to_that_of_a_shift(shape, order, spread, rng):
    """Where all samples move alike, the mean of the curve moves by the mean of its slope."""
    x = torch.tensor(0.3 + spread * rng.normal(size=(1, 200)), requires_grad=True)
    (slope,) = torch.autograd.grad(antialiased(x, shape, order).sum(), x)
    step = 1e-3
    with torch.no_grad():
        moved = [antialiased(x + side * step, shape, order).sum() for side in (-2, -1, 1, 2)]
    expected = (8 * (moved[2] - moved[1]) - (moved[3] - moved[0])) / (12 * step)
    corners = 200 * step if shape in ("hard", "triangle_fold", "cubic", "tube") and spread > 0.1 else 1e-4
    assert abs(slope.sum() - expected) < corners


@ALL
@pytest.mark.parametrize("order", BOTH)
def test_equal_samples_pass_through_the_curve(shape, order):
    x = torch.linspace(-3, 3, 61)[:, None].repeat(1, 4).requires_grad_()
    y = antialiased(x, shape, order)
    torch.testing.assert_close(y, WAVESHAPES[shape].curve(x[:, order:]))
    (slope,) = torch.autograd.grad(y[:, 0].sum(), x)
    smooth = (x.detach()[:, 0] - 1).abs() > 0.01
    expected = WAVESHAPES[shape].slope(x.detach()[:, 0])
    torch.testing.assert_close(slope[:, : order + 1].sum(1)[smooth], expected[smooth], rtol=1e-5, atol=1e-5)


@ALL
@pytest.mark.parametrize("order", BOTH)
@pytest.mark.parametrize("level", [1e-20, 1.0, 1e5, 1e13])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_means_stay_within_the_curve_at_all_levels(shape, order, level, dtype, rng):
    x = (level * torch.tensor(rng.normal(size=(2, 500)))).to(dtype)
    x[:, 100:110] = x[:, 100:101]
    x[:, 200:210] *= -1
    x.requires_grad_()
    y = antialiased(x, shape, order)
    assert y.dtype == dtype and y.abs().max() <= 1 + 1e-6
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert slope.isfinite().all() and slope.abs().max() <= order + 1 + 1e-3


@ALL
@pytest.mark.parametrize("order", BOTH)
@pytest.mark.parametrize("spread", [30.0, *SPREADS])
def test_compiled_kernels_compute_what_plain_ones_do(shape, order, spread, rng):
    x = torch.tensor(rng.normal(size=(3, 1)) + spread * rng.normal(size=(3, 60)))
    x[0] *= 1e3
    grad = torch.tensor(rng.normal(size=(3, 60 - order)))
    compiled, plain = _antialiasing_numba, _antialiasing_torch
    torch.testing.assert_close(
        compiled.antialiased(x, shape, order), plain.antialiased(x, shape, order), rtol=0, atol=1e-9
    )
    slopes = [kernels.antialiased_backward(grad, x, shape, order) for kernels in (compiled, plain)]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-6)
    single = compiled.antialiased(x.float(), shape, order)
    torch.testing.assert_close(single, compiled.antialiased(x.float().double(), shape, order).float())


@pytest.mark.parametrize("order", BOTH)
@pytest.mark.parametrize("length", [0, 1])
def test_short_signals(order, length):
    x = torch.randn(2, 3, order + length, requires_grad=True)
    y = antialiased(x, "tanh", order)
    assert y.shape == (2, 3, length)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert slope.shape == x.shape


def test_it_compiles():
    x = torch.randn(1, 20, dtype=torch.float64, requires_grad=True)
    compiled = torch.compile(lambda x: antialiased(x, "tanh", 2), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), antialiased(x, "tanh", 2))
    slopes = [torch.autograd.grad(f(x).sum(), x) for f in (compiled, lambda x: antialiased(x, "tanh", 2))]
    torch.testing.assert_close(*slopes)


def test_unknown_shapes_and_orders_are_refused():
    with pytest.raises(ParameterError, match="no anti-aliasing of order 3 of a shape 'tanh'"):
        antialiased(torch.zeros(1, 4), "tanh", 3)
    with pytest.raises(ParameterError, match="of a shape 'square'"):
        antialiased(torch.zeros(1, 4), "square", 1)
