import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.core.biquad import biquad_cascade
from grafx.processors.core.linkwitz_riley import crossover_sections
from torch.autograd import gradcheck

SAMPLE_RATE = 48000


def butterworth(x, frequency, side):
    """The same second-order filter twice."""
    sos = scipy.signal.butter(2, frequency, side, output="sos", fs=SAMPLE_RATE)
    return scipy.signal.sosfilt(sos, scipy.signal.sosfilt(sos, x))


def split_in_series(x, frequencies):
    """Split what is above at each frequency; what is below passes the sum of both sides of the split."""
    *below, rest = [x]
    for f in frequencies:
        below = [butterworth(band, f, "lowpass") + butterworth(band, f, "highpass") for band in below]
        below, rest = [*below, butterworth(rest, f, "lowpass")], butterworth(rest, f, "highpass")
    return np.stack([*below, rest])


@pytest.mark.parametrize("num_bands", [2, 3, 4, 5, 6])
def test_bands_are_those_of_a_series_of_splits(num_bands, rng):
    frequencies = np.sort(np.exp(rng.uniform(np.log(20), np.log(20000), (4, num_bands - 1))), -1)
    x = rng.standard_normal((4, 2000))
    sos = crossover_sections(torch.from_numpy(frequencies), SAMPLE_RATE)
    assert sos.shape == (4, num_bands, 2 * (num_bands - 1), 6)
    y, _ = biquad_cascade(torch.from_numpy(x)[:, None], sos)
    expected = np.stack([split_in_series(*row) for row in zip(x, frequencies, strict=True)])
    np.testing.assert_allclose(y, expected, atol=1e-8)


def test_sections_are_double_of_any_frequencies():
    frequencies = torch.tensor([20.0, 20000.0])
    sos = crossover_sections(frequencies, SAMPLE_RATE)
    assert sos.dtype == torch.float64
    torch.testing.assert_close(sos, crossover_sections(frequencies.double(), SAMPLE_RATE))


def test_gradients(rng):
    x = torch.from_numpy(rng.standard_normal((2, 1, 30)))
    frequencies = torch.tensor([[300.0, 2000.0], [50.0, 9000.0]], dtype=torch.float64, requires_grad=True)

    def bands(log_frequencies):
        return biquad_cascade(x, crossover_sections(log_frequencies.exp(), SAMPLE_RATE))[0]

    assert gradcheck(bands, frequencies.detach().log().requires_grad_())
