import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.eq import ZeroPhaseFIREqualizer


@pytest.mark.parametrize("channels, length", [(1, 40), (2, 41), (2, 3), (2, 0)])
def test_equalizer_is_a_centred_fir(channels, length, rng):
    x, log_magnitude = rng.standard_normal((2, channels, length)), rng.standard_normal((2, 12))
    equalizer = ZeroPhaseFIREqualizer(12)
    y = equalizer(torch.from_numpy(x), torch.from_numpy(log_magnitude)).numpy()
    for b in range(2):
        h = np.fft.fftshift(np.fft.irfft(np.exp(log_magnitude[b]), 23)) * scipy.signal.get_window("hann", 23)
        for c in range(channels if length else 0):
            np.testing.assert_allclose(y[b, c], np.convolve(x[b, c], h)[11 : 11 + length], atol=1e-12)
    assert y.shape == x.shape
    assert equalizer.parameter_size() == {"log_magnitude": 12}


def test_gradients(rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 7))).requires_grad_()
    log_magnitude = torch.from_numpy(rng.standard_normal((2, 4))).requires_grad_()
    assert torch.autograd.gradcheck(ZeroPhaseFIREqualizer(4), (x, log_magnitude))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1e4, -100.0, 100.0, 1e4])
def test_extreme_magnitudes_are_finite(value, dtype, rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 3000))).to(dtype).requires_grad_()
    log_magnitude = torch.full((1, 1024), value, dtype=dtype, requires_grad=True)
    y = ZeroPhaseFIREqualizer()(x, log_magnitude)
    y.abs().sum().backward()
    assert y.dtype == dtype
    for tensor in (y, x.grad, log_magnitude.grad):
        assert torch.isfinite(tensor).all()


def test_options_of_the_convolution_are_accepted():
    with pytest.warns(UserWarning, match="FlashFFTConv"):
        ZeroPhaseFIREqualizer(flashfftconv=True, max_input_len=2**16)
