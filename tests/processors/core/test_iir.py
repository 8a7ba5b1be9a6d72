import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.iir import BACKENDS, IIRFilter
from torch.autograd import gradcheck

TAPS = 1000


def sections(rng, *shape, radius=0.9):
    """Stable sections whose leading coefficient is not one."""
    r, angle = rng.uniform(0.2, radius, shape), rng.uniform(0.1, 3, shape)
    a = np.stack([np.ones(shape), -2 * r * np.cos(angle), r * r], -1) * rng.uniform(0.5, 2, (*shape, 1))
    return torch.from_numpy(rng.standard_normal((*shape, 3))), torch.from_numpy(a)


def expected(x, Bs, As):
    sos = torch.cat([Bs / As[..., :1], As / As[..., :1]], -1).double().numpy()
    return scipy.signal.sosfilt(sos, x.double().numpy())


def assert_near(y, reference, tolerance):
    assert y.shape == reference.shape
    np.testing.assert_allclose(
        y.detach().numpy(), reference, atol=tolerance * max(1e-300, np.abs(reference).max(initial=0))
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize("length", [0, 1, 2, 301])
def test_is_sosfilt(backend, dtype, tolerance, length, rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, length))).to(dtype)
    Bs, As = sections(rng, 1, 1, 4)
    y = IIRFilter(backend=backend, fsm_fir_len=TAPS)(x, Bs, As)
    assert y.dtype == dtype
    if length:
        assert_near(y, expected(x, Bs[0, 0], As[0, 0]), tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("channels, filters", [(1, 1), (2, 1), (2, 2), (1, 2)])
def test_filters_and_channels_broadcast(backend, channels, filters, rng):
    x = torch.from_numpy(rng.standard_normal((3, channels, 100)))
    Bs, As = sections(rng, 3, filters, 2)
    y = IIRFilter(backend=backend, fsm_fir_len=TAPS)(x, Bs, As)
    assert y.shape == (3, max(channels, filters), 100)
    for b, c in np.ndindex(*y.shape[:2]):
        f = c % filters
        assert_near(y[b, c], expected(x[b, c % channels], Bs[b, f], As[b, f]), 1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_first_order(backend, rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 50)))
    Bs, As = torch.tensor([[[[0.3, 0.5]]]]).double(), torch.tensor([[[[2.0, -1.2]]]]).double()
    y = IIRFilter(order=1, backend=backend, fsm_fir_len=TAPS)(x, Bs, As)
    assert_near(y[0, 0], scipy.signal.lfilter([0.3, 0.5], [2, -1.2], x[0, 0].numpy()), 1e-6)


@pytest.mark.parametrize("num_taps", [1, 2, 63, 64])
def test_frequency_sampling_folds_the_response(num_taps, rng):
    Bs, As = sections(rng, 1, 1, 3)
    impulse = torch.zeros(1, 1, 4096 * num_taps).double()
    impulse[..., 0] = 1
    folded = expected(impulse, Bs[0, 0], As[0, 0]).reshape(-1, num_taps).sum(0)
    y = IIRFilter(backend="fsm", fsm_fir_len=num_taps)(impulse[..., :64], Bs, As)[0, 0]
    np.testing.assert_allclose(y[:num_taps], folded, atol=1e-9)
    np.testing.assert_allclose(y[num_taps:], 0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", [1, 2])
def test_gradients(backend, order, rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 9))).requires_grad_()
    Bs, As = (c[..., : order + 1].clone().requires_grad_() for c in sections(rng, 2, 1, 2))
    assert gradcheck(IIRFilter(order, backend, fsm_fir_len=40), (x, Bs, As))


def test_backends_agree_in_gradients(rng):
    x, (Bs, As) = torch.from_numpy(rng.standard_normal((2, 2, 200))), sections(rng, 2, 2, 3)
    weight = torch.from_numpy(rng.standard_normal((2, 2, 200)))
    found = []
    for backend in BACKENDS:
        leaves = [t.clone().requires_grad_() for t in (x, Bs, As)]
        y = IIRFilter(backend=backend, fsm_fir_len=TAPS)(*leaves)
        found.append(torch.autograd.grad((y * weight).sum(), leaves))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


@pytest.mark.parametrize("backend", ["lfilter", "ssm"])
def test_float32_signals_keep_their_accuracy_beside_the_unit_circle(backend, rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 50_000))).float()
    sos = torch.from_numpy(scipy.signal.butter(2, 20 / 22050, output="sos"))[None, None]
    y = IIRFilter(backend=backend)(x, sos[..., :3], sos[..., 3:])
    assert_near(y, expected(x, sos[0, 0, :, :3], sos[0, 0, :, 3:]), 1e-6)


def test_frequency_sampling_is_finite_where_rounding_puts_poles_onto_the_circle():
    poles = torch.tensor([1, -2 * np.cos(1e-6), 1]).double()
    As = poles.repeat(1, 1, 2, 1).requires_grad_()
    Bs = torch.tensor([1.0, -2, 1]).double().repeat(1, 1, 2, 1).requires_grad_()
    y = IIRFilter(backend="fsm")(torch.ones(1, 1, 100), Bs, As)
    y.sum().backward()
    for tensor in (y, Bs.grad, As.grad):
        assert tensor.isfinite().all()


def test_options_of_the_convolution_are_accepted(recwarn):
    IIRFilter(flashfftconv=True, max_input_len=2**16)
    assert not recwarn
    with pytest.warns(UserWarning, match="FlashFFTConv"):
        IIRFilter(backend="fsm", flashfftconv=True, max_input_len=2**16)


def test_misuse_is_explained():
    for options, message in (
        ({"backend": "fft"}, "Unknown backend 'fft': use one of lfilter, fsm, ssm"),
        ({"order": 3}, "1 or 2, not 3"),
        ({"fsm_fir_len": 0}, "fsm_fir_len .* at least 1, not 0"),
    ):
        with pytest.raises(ParameterError, match=message):
            IIRFilter(**options)
    x, c = torch.zeros(1, 1, 8), torch.ones(1, 1, 2, 3)
    for Bs, As in ((c, c[:, :, :1]), (c[0], c[0]), (c[..., :2], c[..., :2])):
        with pytest.raises(ParameterError, match=r"\(batch, channels, sections, 3\), but Bs is"):
            IIRFilter()(x, Bs, As)
