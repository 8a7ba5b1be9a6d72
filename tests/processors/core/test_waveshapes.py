import mpmath
import numpy as np
import pytest
import torch
from grafx.processors.core.waveshapes import WAVESHAPES

FORMULAS = {
    "hard": lambda x: np.clip(x, -1, 1),
    "cubic": lambda x: np.where(abs(x) < 1.5, x - 4 * x**3 / 27, np.sign(x)),
    "tanh": np.tanh,
    "arctan": lambda x: 2 / np.pi * np.arctan(np.pi * x / 2),
    "tube": lambda x: np.where(x < 0, np.tanh(2 * x) / 2, np.tanh(x)),
    "sine_fold": np.sin,
    "triangle_fold": lambda x: 2 / np.pi * np.arcsin(np.sin(np.pi * x / 2)),
}


def test_all_have_a_formula():
    assert set(FORMULAS) == set(WAVESHAPES)


@pytest.mark.parametrize("name", WAVESHAPES)
def test_curves_are_those_of_the_formulas(name, rng):
    x = np.concatenate([5 * rng.normal(size=1000), [0, 1, -1, 1.5, -1.5, 2, -2, 1e3, -1e3]])
    np.testing.assert_allclose(WAVESHAPES[name].curve(torch.tensor(x)), FORMULAS[name](x), atol=1e-12)


@pytest.mark.parametrize("name", WAVESHAPES)
def test_each_is_the_slope_of_the_next(name):
    wave = WAVESHAPES[name]
    x = torch.linspace(-7, 7, 2002, dtype=torch.float64, requires_grad=True)
    for integral, function in ((wave.second, wave.first), (wave.first, wave.curve), (wave.curve, wave.slope)):
        (slope,) = torch.autograd.grad(integral(x).sum(), x)
        torch.testing.assert_close(slope, function(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", WAVESHAPES)
@pytest.mark.parametrize("which", ["curve", "first", "second"])
def test_antiderivatives_have_no_jumps(name, which):
    """Nor have the curves, where one formula ends and the next begins."""
    x = torch.linspace(-9, 9, 36001, dtype=torch.float64)
    assert getattr(WAVESHAPES[name], which)(x).diff().abs().max() < 18 / 36000 * 45


@pytest.mark.parametrize("x", [1e-3, 0.1, 0.5, 1.0, 3.0, 20.0, 700.0])
def test_the_integral_of_ln_cosh_is_that_of_its_definition(x):
    with mpmath.workdps(30):
        expected = mpmath.quad(lambda t: mpmath.log(mpmath.cosh(t)), mpmath.linspace(0, x, 9))
    found = WAVESHAPES["tanh"].second(torch.tensor([x, -x], dtype=torch.float64))
    np.testing.assert_allclose(found, [float(expected), -float(expected)], rtol=1e-14, atol=3e-16)


@pytest.mark.parametrize("name", WAVESHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_is_finite_wherever_a_drive_may_lead(name, dtype):
    x = torch.tensor([0.0, 1e-30, 1.0, 1e4, 1e13], dtype=dtype)
    for function in WAVESHAPES[name][:4]:
        y = function(torch.cat([x, -x]))
        assert y.dtype == dtype and y.isfinite().all()
