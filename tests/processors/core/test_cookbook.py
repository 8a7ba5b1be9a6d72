import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.core import cookbook
from torch.autograd import gradcheck

# The analog prototypes that the cookbook derives its formulas from.
PROTOTYPES = {
    "low_pass": lambda s, q, A: 1 / (s**2 + q * s + 1),
    "high_pass": lambda s, q, A: s**2 / (s**2 + q * s + 1),
    "band_pass": lambda s, q, A: q * s / (s**2 + q * s + 1),
    "notch": lambda s, q, A: (s**2 + 1) / (s**2 + q * s + 1),
    "all_pass": lambda s, q, A: (s**2 - q * s + 1) / (s**2 + q * s + 1),
    "peak": lambda s, q, A: (s**2 + q * A * s + 1) / (s**2 + q / A * s + 1),
    "low_shelf": lambda s, q, A: A * (s**2 + A**0.5 * q * s + A) / (A * s**2 + A**0.5 * q * s + 1),
    "high_shelf": lambda s, q, A: A * (A * s**2 + A**0.5 * q * s + 1) / (s**2 + A**0.5 * q * s + A),
}
WITH_GAIN = {"peak", "low_shelf", "high_shelf"}


def arguments(name, *values):
    return [torch.as_tensor(v, dtype=torch.float64) for v in (values if name in WITH_GAIN else values[:2])]


@pytest.mark.parametrize("name", PROTOTYPES)
@pytest.mark.parametrize("w0, q_inv, gain", [(1e-3, 0.1, 4.0), (0.3, 1.4, 0.2), (1.5, 1.0, 1.0), (3.1, 5.0, 10.0)])
def test_response_is_that_of_the_prototype(name, w0, q_inv, gain):
    w = np.linspace(0, 3.14, 400)
    b, a = getattr(cookbook, name)(*arguments(name, w0, q_inv, gain))
    _, response = scipy.signal.freqz(b.numpy(), a.numpy(), w)
    expected = PROTOTYPES[name](1j * np.tan(w / 2) / np.tan(w0 / 2), q_inv, gain)
    np.testing.assert_allclose(response, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name, design", [("notch", scipy.signal.iirnotch), ("band_pass", scipy.signal.iirpeak)])
def test_scipy_agrees_where_it_has_the_same(name, design):
    w0, bandwidth = 0.7, 0.11
    q_inv = 2 * np.tan(bandwidth / 2) / np.sin(w0)
    b, a = getattr(cookbook, name)(*arguments(name, w0, q_inv))
    expected = design(w0, w0 / bandwidth, fs=2 * np.pi)
    np.testing.assert_allclose([b / a[0], a / a[0]], expected, atol=1e-12)


def test_shapes_broadcast():
    for name in PROTOTYPES:
        args = arguments(name, np.full((4, 1), 0.5), np.full(3, 0.7), 2.0)
        b, a = getattr(cookbook, name)(*args)
        assert b.shape == a.shape == (4, 3, 3), name


@pytest.mark.parametrize("name", PROTOTYPES)
def test_gradients(name, rng):
    raw = [torch.from_numpy(rng.standard_normal((2, 3))).requires_grad_() for _ in arguments(name, 0, 0, 0)]
    assert gradcheck(lambda *raw: getattr(cookbook, name)(*cookbook.from_raw(*raw)), raw)


def test_raw_parameters_are_left_alone_in_any_musical_range():
    raw = torch.tensor([-9.0, -1.0, 0.0, 5.0, 8.0])
    w0, q_inv = cookbook.from_raw(raw, raw.clamp(-8))
    assert w0.dtype == q_inv.dtype == torch.float64
    np.testing.assert_allclose(w0, np.pi / (1 + np.exp(-raw.double().numpy())), rtol=1e-14)
    np.testing.assert_allclose(q_inv, np.exp(raw.clamp(-8).double().numpy()), rtol=1e-14)
    *_, gain = cookbook.from_raw(raw, raw, raw.clamp(-5, 5))
    np.testing.assert_allclose(gain, np.exp(raw.clamp(-5, 5).double().numpy()), rtol=1e-14)


def stable(a):
    """The triangle of Jury: both roots are inside the unit circle, whatever rounding a root finder would add."""
    a = a / a[..., :1]
    return bool(((a[..., 2].abs() < 1) & (a[..., 1].abs() < 1 + a[..., 2])).all())


@pytest.mark.parametrize("name", PROTOTYPES)
@pytest.mark.parametrize("size", [10.0, 1e3, 3e38])
def test_extreme_raw_parameters_are_finite_and_stable(name, size):
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, -0.3, 0.0, 1.0])] * 3)
    raw = [(size * r).unsqueeze(-1).requires_grad_() for r in signs.unbind(-1)][: 3 if name in WITH_GAIN else 2]
    b, a = getattr(cookbook, name)(*cookbook.from_raw(*raw))
    assert stable(a)
    ((b.square() + a.square()) / a[..., :1].square()).sum().backward()
    for tensor in (b, a, *(r.grad for r in raw)):
        assert tensor.isfinite().all()


def test_gains_in_series_stay_in_reach_of_float32():
    raw = torch.full((50,), 1e4)
    *_, gain = cookbook.from_raw(raw, raw, raw)
    assert 10 ** (260 / 20) < gain.square().prod() < 10 ** (350 / 20)
    *_, opposite = cookbook.from_raw(raw, raw, -raw)
    torch.testing.assert_close(opposite, 1 / gain)
