import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.crossover_responses import crossover_frequencies, linkwitz_riley, split_bands

SAMPLE_RATE, N = 8000, 4096
FREQUENCIES = [200, 700, 2500]


def response(order, frequency, side):
    """A Linkwitz–Riley filter: the same Butterworth filter twice."""
    sos = scipy.signal.butter(order, frequency, side, output="sos", fs=SAMPLE_RATE)
    return scipy.signal.sosfreqz(np.concatenate([sos, sos]), np.fft.rfftfreq(N) * SAMPLE_RATE, fs=SAMPLE_RATE)[1]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("num_samples", [1, 2, 101, N])
def test_bands_sum_to_one_or_to_an_allpass(order, num_samples):
    bands = linkwitz_riley(FREQUENCIES, SAMPLE_RATE, order, num_samples, zerophase=True)
    assert bands.shape == (4, num_samples // 2 + 1)
    np.testing.assert_allclose(bands.sum(0), 1, atol=1e-9)
    assert not bands.imag.any()
    causal = linkwitz_riley(FREQUENCIES, SAMPLE_RATE, order, num_samples)
    np.testing.assert_allclose(causal.sum(0).abs(), 1, atol=1e-9)
    np.testing.assert_allclose(causal.abs(), bands.real, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_two_bands_are_butterworth_filters_twice(order):
    low, high = linkwitz_riley([700], SAMPLE_RATE, order, N)
    np.testing.assert_allclose(low, response(order, 700, "lowpass"), atol=1e-9)
    np.testing.assert_allclose(high, (-1) ** order * response(order, 700, "highpass"), atol=1e-9)


def test_bands_below_are_kept_in_phase():
    low, *_ = linkwitz_riley(FREQUENCIES, SAMPLE_RATE, 2, N)
    expected = response(2, 200, "lowpass")
    for frequency in FREQUENCIES[1:]:
        expected = expected * (response(2, frequency, "lowpass") + response(2, frequency, "highpass"))
    np.testing.assert_allclose(low, expected, atol=1e-9)


def test_amplitude_is_halved_at_a_crossover_and_falls_off_by_the_order():
    num_samples = 80000  # a tenth of a Hertz between bins
    low, high = linkwitz_riley([100], SAMPLE_RATE, 2, num_samples, zerophase=True).real.numpy()
    np.testing.assert_allclose([low[1000], high[1000]], 0.5, atol=1e-6)
    assert 20 * np.log10(low[4000] / low[8000]) == pytest.approx(24, abs=1)
    assert 20 * np.log10(high[200] / high[100]) == pytest.approx(24, abs=0.1)


@pytest.mark.parametrize("zerophase", [False, True])
@pytest.mark.parametrize("length", [64, 101])
def test_split_is_a_circular_filter(zerophase, length, rng):
    x = rng.standard_normal((3, length))
    responses = linkwitz_riley(FREQUENCIES, SAMPLE_RATE, 2, length, zerophase)
    bands = split_bands(torch.from_numpy(x), responses)
    assert bands.shape == (3, 4, length)
    impulses = np.fft.irfft(responses, length)
    shifts = (np.arange(length)[:, None] - np.arange(length)) % length
    np.testing.assert_allclose(bands, np.einsum("knm,bm->bkn", impulses[:, shifts], x), atol=1e-9)
    if zerophase:
        np.testing.assert_allclose(bands.sum(1), x, atol=1e-9)


def test_edges_are_equally_spaced_on_their_scale():
    np.testing.assert_allclose(crossover_frequencies(4, 100, 1600, "log"), [200, 400, 800])
    np.testing.assert_allclose(crossover_frequencies(4, 100, 900, "linear"), [300, 500, 700])
    assert len(crossover_frequencies(1, 100, 900)) == 0
    assert linkwitz_riley([], SAMPLE_RATE, 2, 16).equal(torch.ones(1, 9, dtype=torch.complex128))


def test_misuse_is_explained():
    with pytest.raises(ParameterError, match="Unknown scale 'mel'"):
        crossover_frequencies(4, 100, 1000, "mel")
    with pytest.raises(ParameterError, match="num_bands must be at least 1, not 0"):
        crossover_frequencies(0, 100, 1000)
    with pytest.raises(ParameterError, match="not from 100 to 100 Hz"):
        crossover_frequencies(4, 100, 100)
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        linkwitz_riley([100], SAMPLE_RATE, 0, 16)
    with pytest.raises(ParameterError, match=r"100, 4000 Hz must lie below half the sample rate, 4000 Hz"):
        linkwitz_riley([100, 4000], SAMPLE_RATE, 2, 16)
