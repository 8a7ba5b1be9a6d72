import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.core.biquad import biquad_cascade
from grafx.processors.core.crossover_sections import crossover_sections
from torch.autograd import gradcheck

SAMPLE_RATE = 48000


def split(x, frequency, order):
    """The same filter twice, on either side, above inverted where that takes the sides into phase."""
    sides = []
    for side in ("lowpass", "highpass"):
        sos = scipy.signal.butter(order // 2, frequency, side, output="sos", fs=SAMPLE_RATE)
        sides.append(scipy.signal.sosfilt(sos, scipy.signal.sosfilt(sos, x)))
    return sides[0], (-1) ** (order // 2) * sides[1]


def split_in_series(x, frequencies, order=4):
    """Split what is above at each frequency; what is below passes the sum of both sides of the split."""
    *below, rest = [x]
    for f in frequencies:
        below = [sum(split(band, f, order)) for band in below]
        below, rest = [*below, split(rest, f, order)[0]], split(rest, f, order)[1]
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


@pytest.mark.parametrize("order", [2, 6, 8])
@pytest.mark.parametrize("num_bands", [2, 5])
def test_other_orders(num_bands, order, rng):
    frequencies = np.geomspace(100, 9000, num_bands - 1)
    x = rng.standard_normal(2000)
    sos = crossover_sections(torch.from_numpy(frequencies), SAMPLE_RATE, order)
    assert sos.shape == (num_bands, order // 2 * (num_bands - 1), 6)
    y, _ = biquad_cascade(torch.from_numpy(x), sos)
    np.testing.assert_allclose(y, split_in_series(x, frequencies, order), atol=1e-8)


@pytest.mark.parametrize("order", [2, 4, 8])
@pytest.mark.parametrize("num_bands", [2, 3, 6])
def test_bands_sum_to_a_flat_response(num_bands, order):
    sos = crossover_sections(torch.logspace(2, 4, num_bands - 1, dtype=torch.float64), SAMPLE_RATE, order)
    total = biquad_cascade(torch.eye(1, 2**14, dtype=torch.float64), sos)[0].sum(0)
    assert (20 * torch.fft.rfft(total).abs().log10()).abs().max() < 1e-6


def test_sections_are_double_of_any_frequencies():
    frequencies = torch.tensor([20.0, 20000.0])
    sos = crossover_sections(frequencies, SAMPLE_RATE)
    assert sos.dtype == torch.float64
    torch.testing.assert_close(sos, crossover_sections(frequencies.double(), SAMPLE_RATE))


@pytest.mark.parametrize("order", [2, 4, 8])
def test_gradients(order, rng):
    x = torch.from_numpy(rng.standard_normal((2, 1, 30)))
    frequencies = torch.tensor([[300.0, 2000.0], [50.0, 9000.0]], dtype=torch.float64, requires_grad=True)

    def bands(log_frequencies):
        return biquad_cascade(x, crossover_sections(log_frequencies.exp(), SAMPLE_RATE, order))[0]

    assert gradcheck(bands, frequencies.detach().log().requires_grad_())
