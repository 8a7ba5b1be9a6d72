import numpy as np
import pytest
import torch
from grafx.processors import DCBlocker
from scipy import signal


@pytest.mark.parametrize("sample_rate, hertz", [(44100, 20.0), (96000, 1.0), (8000, 500.0)])
def test_it_is_the_recursion(sample_rate, hertz, rng):
    x = 1 + rng.standard_normal((2, 2, 4000))
    y = DCBlocker(sample_rate)(torch.from_numpy(x), dsp_params={"cutoff_hz": torch.tensor(hertz).double()})
    pole = np.tan(np.pi / 4 - np.pi * hertz / sample_rate)
    np.testing.assert_allclose(y, signal.lfilter([1, -1], [1, -pole], x), atol=1e-9)


def test_the_cutoff_is_3_db_below_the_treble():
    impulse = torch.eye(1, 2**17, dtype=torch.float64)[None]
    response = torch.fft.rfft(DCBlocker(44100)(impulse, dsp_params={"cutoff_hz": 441.0})[0, 0]).abs()
    at = round(441 / 44100 * 2**17)
    assert 20 * torch.log10(response[at] / response[-1]) == pytest.approx(-3.0103, abs=0.01)
    assert response[0] < 1e-6


def test_an_offset_is_gone_in_float32_too():
    x = torch.full((1, 1, 200_000), 0.5)
    y = DCBlocker()(x, torch.zeros(1, 1))
    assert y[..., 0].item() == 0.5
    assert y[..., 100_000:].abs().max() < 1e-6


def test_extremes_stay_stable():
    w0 = torch.tensor([[-1e4], [-50.0], [50.0], [1e4]])
    y = DCBlocker()(torch.ones(4, 1, 50_000), w0)
    assert y.abs().max() <= 2
