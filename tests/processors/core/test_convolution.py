import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.convolution import FIRConvolution, convolve
from grafx.processors.core.convolution import _numba as _convolution_numba
from grafx.processors.core.convolution._torch import fast_length


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def backend(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(_convolution_numba, "plan", lambda n, dtype: None)
    elif _convolution_numba.plan(64, torch.float32) is None:
        pytest.skip("torch was built without transforms that kernels can call")


def direct(x, h, mode):
    """Full linear convolution by scipy, cut to the signal's length."""
    batch, channels = np.broadcast_shapes(x.shape[:2], h.shape[:2])
    num_samples, num_taps = x.shape[-1], h.shape[-1]
    x = np.broadcast_to(x, (batch, channels, num_samples)).astype(np.float64)
    h = np.broadcast_to(h, (batch, channels, num_taps)).astype(np.float64)
    start = 0 if mode == "causal" else num_taps // 2
    full = np.empty((batch, channels, num_samples + num_taps - 1))
    for b in range(batch):
        for c in range(channels):
            full[b, c] = scipy.signal.convolve(x[b, c], h[b, c], method="fft")
    return full[..., start : start + num_samples]


def correlated(gy, x, h, mode):
    """Gradients of sum(gy * convolve(x, h)) for equal shapes, by correlation in the time domain."""
    start = 0 if mode == "causal" else h.shape[-1] // 2
    gx, gh = np.zeros_like(x), np.zeros_like(h)
    for index in np.ndindex(*x.shape[:2]):
        full = np.zeros(x.shape[-1] + h.shape[-1] - 1)
        full[start : start + x.shape[-1]] = gy[index]
        gx[index] = scipy.signal.correlate(full, h[index], mode="valid", method="fft")
        gh[index] = scipy.signal.correlate(full, x[index], mode="valid", method="fft")
    return gx, gh


@pytest.mark.parametrize("mode", ["causal", "zerophase"])
@pytest.mark.parametrize("num_samples", [1, 2, 7, 64, 65])
@pytest.mark.parametrize("num_taps", [1, 2, 3, 8, 33, 64, 200, 201])
def test_every_parity_of_lengths(mode, num_samples, num_taps, rng):
    x, h = rng.standard_normal((2, 2, num_samples)), rng.standard_normal((2, 2, num_taps))
    y = convolve(torch.from_numpy(x), torch.from_numpy(h), mode)
    np.testing.assert_allclose(y, direct(x, h, mode), rtol=0, atol=1e-11)


@pytest.mark.parametrize("mode", ["causal", "zerophase"])
@pytest.mark.parametrize(
    "num_samples, num_taps",
    [(16384, 1), (16384, 2), (20001, 2047), (24576, 4096), (33000, 4097), (40001, 9000)],
)
def test_blocks_and_their_gradients(mode, num_samples, num_taps, rng):
    x, h, gy = (rng.standard_normal((1, 2, n)) for n in (num_samples, num_taps, num_samples))
    xt, ht = torch.from_numpy(x).requires_grad_(), torch.from_numpy(h).requires_grad_()
    y = convolve(xt, ht, mode)
    y.backward(torch.from_numpy(gy))
    np.testing.assert_allclose(y.detach(), direct(x, h, mode), rtol=0, atol=1e-9)
    gx, gh = correlated(gy, x, h, mode)
    np.testing.assert_allclose(xt.grad, gx, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ht.grad, gh, rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", ["causal", "zerophase"])
@pytest.mark.parametrize("num_samples", [50, 20000])
@pytest.mark.parametrize(
    "x_axes, h_axes",
    [((2, 1), (2, 2)), ((2, 2), (2, 1)), ((1, 2), (3, 1)), ((3, 1), (1, 2)), ((1, 1), (1, 1))],
)
def test_broadcasting_equals_copies(mode, num_samples, x_axes, h_axes, rng):
    x = torch.from_numpy(rng.standard_normal((*x_axes, num_samples))).requires_grad_()
    h = torch.from_numpy(rng.standard_normal((*h_axes, 31))).requires_grad_()
    axes = torch.broadcast_shapes(x_axes, h_axes)
    y = convolve(x, h, mode)
    copied = convolve(x.expand(*axes, -1), h.expand(*axes, -1), mode)
    w = torch.from_numpy(rng.standard_normal(y.shape))
    np.testing.assert_allclose(y.detach(), direct(x.detach().numpy(), h.detach().numpy(), mode), atol=1e-10)
    for ours, theirs in zip(torch.autograd.grad(y, (x, h), w), torch.autograd.grad(copied, (x, h), w), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("mode", ["causal", "zerophase"])
@pytest.mark.parametrize("lengths", [(9, 4), (8, 4), (5, 8), (5, 17), (6, 1)])
@pytest.mark.parametrize("channels", [(2, 2), (1, 2), (2, 1)])
def test_gradcheck(mode, lengths, channels, rng):
    x = torch.from_numpy(rng.standard_normal((2, channels[0], lengths[0]))).requires_grad_()
    h = torch.from_numpy(rng.standard_normal((2, channels[1], lengths[1]))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, h: convolve(x, h, mode), (x, h))


@pytest.mark.parametrize("wanted", ["x", "h"])
def test_one_gradient_alone_equals_the_same_of_both(wanted, rng):
    x, h = (torch.from_numpy(rng.standard_normal((2, 2, n))) for n in (300, 20))
    both = torch.autograd.grad(convolve(x.requires_grad_(), h.requires_grad_()).square().sum(), (x, h))
    x, h = x.detach().requires_grad_(wanted == "x"), h.detach().requires_grad_(wanted == "h")
    y = convolve(x, h)
    (alone,) = torch.autograd.grad(y.square().sum(), x if wanted == "x" else h)
    torch.testing.assert_close(alone, both[wanted == "h"])


@pytest.mark.parametrize("mode", ["causal", "zerophase"])
def test_float32_is_as_exact_as_its_precision(mode, rng):
    x, h, gy = (rng.standard_normal((1, 2, n)) for n in (30001, 2000, 30001))
    xt, ht = (torch.from_numpy(a).float().requires_grad_() for a in (x, h))
    y = convolve(xt, ht, mode)
    y.backward(torch.from_numpy(gy).float())
    assert y.dtype == torch.float32
    references = direct(x, h, mode), *correlated(gy, x, h, mode)
    for ours, reference in zip((y.detach(), xt.grad, ht.grad), references, strict=True):
        assert np.linalg.norm(ours.numpy() - reference) < 1e-6 * np.linalg.norm(reference)


@pytest.mark.parametrize("mode", ["causal", "zerophase"])
def test_an_impulse_in_the_filters_origin_changes_nothing(mode, rng):
    for num_taps in (5, 6):
        x, h = torch.from_numpy(rng.standard_normal((1, 2, 40))), torch.zeros(1, 1, num_taps).double()
        h[..., 0 if mode == "causal" else num_taps // 2] = 1
        torch.testing.assert_close(convolve(x, h, mode), x)


@pytest.mark.parametrize("mode", ["causal", "zerophase"])
def test_empty_signals_have_empty_results_and_zero_gradients(mode):
    for x_shape, h_shape, y_shape in [
        ((2, 1, 0), (2, 2, 5), (2, 2, 0)),
        ((2, 2, 0), (2, 1, 1), (2, 2, 0)),
        ((0, 2, 9), (0, 1, 4), (0, 2, 9)),
    ]:
        x, h = torch.zeros(x_shape, requires_grad=True), torch.ones(h_shape, requires_grad=True)
        y = convolve(x, h, mode)
        y.sum().backward()
        assert y.shape == y_shape
        assert x.grad.shape == x_shape
        assert not h.grad.any()


def test_arguments_are_left_alone_and_need_not_be_contiguous(rng):
    x = torch.from_numpy(rng.standard_normal((2, 40, 3))).transpose(1, 2)
    h = torch.from_numpy(rng.standard_normal((2, 3, 40)))[..., ::2]
    before = x.clone(), h.clone()
    y = convolve(x, h)
    np.testing.assert_allclose(y, direct(x.numpy(), h.numpy(), "causal"), atol=1e-12)
    torch.testing.assert_close((x, h), before, rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["causal", "zerophase"])
@pytest.mark.parametrize("x_axes, h_axes", [((2, 2), (2, 2)), ((2, 1), (1, 2)), ((1, 2), (2, 1))])
def test_second_derivatives(mode, x_axes, h_axes, rng):
    x = torch.from_numpy(rng.standard_normal((*x_axes, 9))).requires_grad_()
    h = torch.from_numpy(rng.standard_normal((*h_axes, 4))).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, h: convolve(x, h, mode), (x, h))


@pytest.mark.parametrize(
    "x_shape, h_shape, mode, message",
    [
        ((1, 2, 8), (1, 2, 3), "linear", "'linear'"),
        ((1, 2, 8), (1, 3, 3), "causal", "channel axes.*2 against 3"),
        ((2, 2, 8), (3, 2, 3), "causal", "batch axes.*2 against 3"),
        ((2, 8), (2, 3), "causal", "batch, channels, samples"),
        ((1, 2, 8), (1, 2, 0), "causal", "at least one tap"),
    ],
)
def test_misuse_is_explained(x_shape, h_shape, mode, message):
    with pytest.raises(ParameterError, match=message):
        convolve(torch.zeros(x_shape), torch.zeros(h_shape), mode)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int16, torch.complex64])
def test_other_types_than_real_ones_of_single_and_double_precision_are_refused(dtype):
    v = torch.ones(1, 1, 8)
    with pytest.raises(ParameterError, match=f"signals are {dtype}: convert them"):
        convolve(v.to(dtype), v)
    with pytest.raises(ParameterError, match=f"filters are {dtype}: convert them"):
        convolve(v, v.to(dtype))


@pytest.mark.parametrize("x_dtype, h_dtype", [(torch.float32, torch.float64), (torch.float64, torch.float32)])
def test_filters_of_the_other_precision(x_dtype, h_dtype, rng):
    x, h = torch.from_numpy(rng.standard_normal((1, 2, 300))).to(x_dtype), torch.rand(1, 2, 21, dtype=h_dtype)
    leaves = x.requires_grad_(), h.requires_grad_()
    y = convolve(*leaves)
    grads = torch.autograd.grad(y.sum(), leaves)
    assert (y.dtype, *(g.dtype for g in grads)) == (x_dtype, x_dtype, h_dtype)
    exact = 1e-12 if x_dtype == torch.float64 else 1e-5
    np.testing.assert_allclose(y.detach(), direct(x.detach().numpy(), h.detach().numpy(), "causal"), atol=exact)


def test_module_convolves_in_its_mode(rng):
    x, h = (torch.from_numpy(rng.standard_normal((2, 2, n))) for n in (30, 7))
    for mode in ("causal", "zerophase"):
        torch.testing.assert_close(FIRConvolution(mode, max_input_len=2**10)(x, h), convolve(x, h, mode))
    with pytest.raises(ParameterError, match="mode"):
        FIRConvolution("both")


def test_asking_for_flashfftconv_warns_and_convolves(rng):
    x, h = (torch.from_numpy(rng.standard_normal((2, 2, n))) for n in (30, 7))
    with pytest.warns(UserWarning, match="FlashFFTConv") as caught:
        module = FIRConvolution(flashfftconv=True)
    torch.testing.assert_close(module(x, h), convolve(x, h))
    assert len(caught) == 1


def test_fast_lengths_are_the_even_ones_whose_halves_have_small_factors_only():
    lengths = [*range(1, 3000), 44099, 44100, 44101, 131073, 268288, 2**25 - 1]
    assert [fast_length(n) for n in lengths] == [2 * scipy.fft.next_fast_len((n + 1) // 2, real=True) for n in lengths]


@pytest.mark.parametrize("x_batch, h_batch", [(7, 7), (7, 1), (1, 7)])
def test_large_batches_without_gradients_are_split(x_batch, h_batch, rng, monkeypatch):
    x, h = (
        torch.from_numpy(rng.standard_normal((x_batch, 2, 90))),
        torch.from_numpy(rng.standard_normal((h_batch, 1, 8))),
    )
    expected = convolve(x.requires_grad_(), h).detach()
    monkeypatch.setattr("grafx.processors.core.convolution._torch.MAX_TRANSFORMED", 2 * 2 * 100)
    with torch.no_grad():
        torch.testing.assert_close(convolve(x, h), expected)
    torch.testing.assert_close(convolve(x.detach(), h), expected)
