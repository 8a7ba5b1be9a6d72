import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn as nn
from grafx.processors import filter as filters
from grafx.processors.base import ParameterError
from torch.autograd import gradcheck

SIMPLE = ["LowPassFilter", "HighPassFilter", "BandPassFilter", "BandRejectFilter", "AllPassFilter"]
WITH_GAIN = ["PeakingFilter", "LowShelf", "HighShelf"]
OTHERS = ["BiquadFilter", "PoleZeroFilter", "StateVariableFilter"]


def cookbook(name, w0, q_inv, log_gain):
    """The coefficients as they are printed in the cookbook."""
    c, A = np.cos(w0), np.exp(log_gain)
    alpha = np.sin(w0) * q_inv / 2
    r = 2 * np.sqrt(A) * alpha
    a = [1 + alpha, -2 * c, 1 - alpha]
    return {
        "LowPassFilter": ([(1 - c) / 2, 1 - c, (1 - c) / 2], a),
        "HighPassFilter": ([(1 + c) / 2, -(1 + c), (1 + c) / 2], a),
        "BandPassFilter": ([alpha, 0, -alpha], a),
        "BandRejectFilter": ([1, -2 * c, 1], a),
        "AllPassFilter": ([1 - alpha, -2 * c, 1 + alpha], a),
        "PeakingFilter": ([1 + alpha * A, -2 * c, 1 - alpha * A], [1 + alpha / A, -2 * c, 1 - alpha / A]),
        "LowShelf": (
            [A * (A + 1 - (A - 1) * c + r), 2 * A * (A - 1 - (A + 1) * c), A * (A + 1 - (A - 1) * c - r)],
            [A + 1 + (A - 1) * c + r, -2 * (A - 1 + (A + 1) * c), A + 1 + (A - 1) * c - r],
        ),
        "HighShelf": (
            [A * (A + 1 + (A - 1) * c + r), -2 * A * (A - 1 + (A + 1) * c), A * (A + 1 + (A - 1) * c - r)],
            [A + 1 - (A - 1) * c + r, 2 * (A - 1 - (A + 1) * c), A + 1 - (A - 1) * c - r],
        ),
    }[name]


def in_series(x, sections):
    for b, a in sections:
        x = scipy.signal.lfilter(b, a, x)
    return x


def raw(processor, rng, batch=2, std=1.0, dtype=torch.float64):
    sizes = {name: (n,) if isinstance(n, int) else n for name, n in processor.parameter_size().items()}
    return {n: torch.from_numpy(std * rng.standard_normal((batch, *size))).to(dtype) for n, size in sizes.items()}


def check(processor, sections_of, rng, rtol=1e-8):
    """Against scipy, for mono and stereo: ``sections_of`` takes the raw parameters of one row."""
    p = raw(processor, rng)
    for channels in (1, 2):
        x = rng.standard_normal((2, channels, 101))
        y = processor(torch.from_numpy(x), **p)
        for row in range(2):
            sections = sections_of(**{name: value[row].numpy() for name, value in p.items()})
            expected = in_series(x[row], sections)
            np.testing.assert_allclose(y[row], expected, atol=rtol * np.abs(expected).max())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("name", SIMPLE)
def test_cookbook_filters(name, rng):
    def sections(w0, q_inv):
        return [cookbook(name, np.pi * sigmoid(w0[0]), np.exp(q_inv[0]), 0.0)]

    processor = getattr(filters, name)()
    assert processor.parameter_size() == {"w0": 1, "q_inv": 1}
    check(processor, sections, rng)


@pytest.mark.parametrize("name", WITH_GAIN)
@pytest.mark.parametrize("num_filters", [1, 3])
def test_cookbook_filters_with_a_gain(name, num_filters, rng):
    def sections(w0, q_inv, log_gain):
        return [cookbook(name, *args) for args in zip(np.pi * sigmoid(w0), np.exp(q_inv), log_gain, strict=True)]

    processor = getattr(filters, name)(num_filters=num_filters)
    assert processor.parameter_size() == dict.fromkeys(("w0", "q_inv", "log_gain"), num_filters)
    check(processor, sections, rng)


@pytest.mark.parametrize("normalized", [False, True])
def test_biquads(normalized, rng):
    def sections(Bs, A1_pre, A2_pre, A0=(1.0, 1.0)):
        a1 = 2 * np.tanh(A1_pre)
        a2 = ((2 - abs(a1)) * np.tanh(A2_pre) + abs(a1)) / 2
        return [(Bs[k] + [1, 0, 0], np.array([1, a1[k], a2[k]]) * A0[k]) for k in range(2)]

    processor = filters.BiquadFilter(num_filters=2, normalized=normalized)
    assert processor.parameter_size() == {
        **{"Bs": (2, 3), "A1_pre": 2, "A2_pre": 2},
        **({"A0": 2} if normalized else {}),
    }
    check(processor, sections, rng, rtol=1e-4 if normalized else 1e-8)


def test_biquads_start_as_the_identity(rng):
    processor, x = filters.BiquadFilter(3), torch.from_numpy(rng.standard_normal((1, 2, 30)))
    torch.testing.assert_close(processor(x, torch.zeros(1, 3, 3), torch.zeros(1, 3), torch.zeros(1, 3)), x)


def test_poles_and_zeros(rng):
    def sections(log_gain, poles, zeros):
        p, q = (np.concatenate([r @ [1, 1j], r @ [1, -1j]]) for r in (poles, zeros))
        p = p / np.abs(p) * np.tanh(np.abs(p))
        return [np.split(row, 2) for row in scipy.signal.zpk2sos(q, p, np.exp(log_gain[0]))]

    processor = filters.PoleZeroFilter(num_filters=3)
    assert processor.parameter_size() == {"log_gain": 1, "poles": (3, 2), "zeros": (3, 2)}
    check(processor, sections, rng)


def test_poles_and_zeros_at_the_origin_are_a_gain(rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 30)))
    poles, zeros = torch.zeros(2, 1, 2, 2).requires_grad_().unbind(0)
    y = filters.PoleZeroFilter(2)(x, torch.tensor([[0.5]]), poles, zeros)
    torch.testing.assert_close(y, np.exp(0.5) * x)
    for gradient in torch.autograd.grad(y.sum(), (poles, zeros)):
        assert gradient.isfinite().all() and gradient.any()


def test_state_variable_filters(rng):
    def sections(twoR, G, c_hp, c_bp, c_lp):
        for k in range(2):
            cutoff, damping = np.tan(np.pi / 2 * sigmoid(G[k])), np.log1p(np.exp(twoR[k])) / np.log(2) + 1e-2
            # At a rate of 1/2, s becomes (1 − 1/z)/(1 + 1/z).
            analog = [c_hp[k] / cutoff**2, c_bp[k] / cutoff, c_lp[k]], [1 / cutoff**2, damping / cutoff, 1]
            yield scipy.signal.bilinear(*analog, fs=0.5)

    processor = filters.StateVariableFilter(num_filters=2)
    assert processor.parameter_size() == dict.fromkeys(("twoR", "G", "c_hp", "c_bp", "c_lp"), 2)
    check(processor, sections, rng)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind, num_filters", [("mono", 1), ("stereo", 2)])
def test_fir_filter(channels, kind, num_filters, rng):
    processor = filters.FIRFilter(6, kind)
    assert processor.parameter_size() == {"fir": (num_filters, 6)}
    x, (fir,) = rng.standard_normal((2, channels, 20)), raw(processor, rng).values()
    y = processor(torch.from_numpy(x), fir)
    h = np.tanh(fir.numpy())
    h = h / np.sqrt((h**2).sum((1, 2), keepdims=True) / num_filters)
    assert y.shape == (2, max(channels, num_filters), 20)
    for b, c in np.ndindex(*y.shape[:2]):
        expected = np.convolve(x[b, c % channels], h[b, c % num_filters])[:20]
        np.testing.assert_allclose(y[b, c], expected, atol=1e-9)


def test_fir_filter_of_mid_and_side(rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 20)))
    (fir,) = raw(filters.FIRFilter(6, "midside"), rng).values()
    left, right = x[:, :1], x[:, 1:]
    wet = filters.FIRFilter(6, "stereo")(torch.cat([left + right, left - right], 1) / 2, fir)
    mid, side = wet[:, :1], wet[:, 1:]
    y = filters.FIRFilter(6, "midside")(x, fir)
    torch.testing.assert_close(y, torch.cat([mid + side, mid - side], 1))
    with pytest.raises(ParameterError, match="stereo signal"):
        filters.FIRFilter(6, "midside")(left, fir)


@pytest.mark.parametrize("backend", ["lfilter", "fsm", "ssm"])
@pytest.mark.parametrize("name", [*SIMPLE, *WITH_GAIN, *OTHERS])
def test_gradients(name, backend, rng):
    processor = getattr(filters, name)(backend=backend, fsm_fir_len=50)
    x = torch.from_numpy(rng.standard_normal((2, 2, 7))).requires_grad_()
    assert gradcheck(processor, (x, *(v.requires_grad_() for v in raw(processor, rng, std=0.5).values())))


class Ear(nn.Module):
    """Hears the coefficients."""

    def forward(self, x, Bs, As):
        self.As = As
        return x


@pytest.mark.parametrize("size", [10.0, 1e4, 1e30])
@pytest.mark.parametrize("name", [*SIMPLE, *WITH_GAIN, *OTHERS])
def test_poles_stay_inside_the_unit_circle(name, size, rng):
    processor = getattr(filters, name)()
    processor.iir = Ear()
    p = raw(processor, rng, batch=300, dtype=torch.float32)
    processor(torch.zeros(300, 1, 1), **{n: size * (v.sign() if size > 10 else v) for n, v in p.items()})
    a = processor.iir.As / processor.iir.As[..., :1]
    assert a.dtype == torch.float64
    assert (a[..., 2].abs() < 1).all() and (a[..., 1].abs() < 1 + a[..., 2]).all()


@pytest.mark.parametrize("backend", ["lfilter", "fsm", "ssm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [*SIMPLE, *WITH_GAIN, *OTHERS])
def test_extreme_parameters_are_finite(name, dtype, backend, rng):
    processor = getattr(filters, name)(backend=backend)
    for std, length in ((10.0, 1000), (10.0, 2), (10.0, 1), (1e30, 100)):
        p = {n: v.requires_grad_() for n, v in raw(processor, rng, 8, std, dtype).items()}
        x = torch.from_numpy(rng.standard_normal((8, 1, length))).to(dtype).requires_grad_()
        y = processor(x, **p)
        y.sum().backward()
        assert y.dtype == dtype
        for tensor in (y, x.grad, *(v.grad for v in p.values())):
            assert tensor.isfinite().all()


def test_low_frequencies_keep_their_accuracy_in_float32(rng):
    x = rng.standard_normal((1, 1, 40_000)).astype(np.float32)
    w0 = torch.logit(torch.tensor([[20 / 22050]]))
    y = filters.HighPassFilter()(torch.from_numpy(x), w0, torch.tensor([[0.3]]))
    b, a = cookbook("HighPassFilter", np.pi * sigmoid(w0.item()), np.exp(np.float32(0.3)), 0.0)
    np.testing.assert_allclose(y[0, 0], scipy.signal.lfilter(b, a, x[0, 0].astype(float)), atol=2e-6)


def test_a_parameter_that_the_options_leave_out_is_refused():
    x, p = torch.zeros(1, 1, 4), (torch.zeros(1, 1, 3), torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(ParameterError, match="BiquadFilter takes no A0"):
        filters.BiquadFilter()(x, *p, A0=torch.ones(1, 1))
    with pytest.raises(ParameterError, match="BiquadFilter needs A0"):
        filters.BiquadFilter(normalized=True)(x, *p)
