import numpy as np
import pytest
import torch
from grafx.processors import DeEsser, LinkwitzRileyCrossover
from grafx.processors.base import ParameterError

RATE = 44100
SETTINGS = {"threshold_db": -30.0, "ratio": 4.0, "range_db": -20.0, "attack_ms": 0.5, "release_ms": 50.0}


def sines(hertz, levels, seconds=0.4):
    amplitudes = np.sqrt(2) * 10 ** (np.asarray(levels) / 20)
    return torch.from_numpy(
        amplitudes[:, None, None] * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    )


def steady_gain(processor, x, settings, *key):
    y = processor(x, *key, dsp_params=settings)
    late = slice(-x.shape[-1] // 4, None)
    return 20 * np.log10((y[..., late].norm(dim=-1) / x[..., late].norm(dim=-1))[:, 0].numpy())


def curve(level, threshold=-30.0, ratio=4.0, most=20.0):
    """Decibels, well beyond the knee or below it."""
    return -np.minimum(np.maximum(level - threshold, 0) * (1 - 1 / ratio), most)


LEVELS = np.array([-50.0, -34.0, -26.0, -15.0, -9.0, 0.0])


@pytest.mark.parametrize("mode", ["split", "wideband"])
def test_the_curve_holds_for_sines_at_the_centre(mode):
    settings = {**SETTINGS, "frequency_hz": 7000.0}
    found = steady_gain(DeEsser(mode, "bandpass"), sines(7000, LEVELS), settings)
    np.testing.assert_allclose(found, curve(LEVELS), atol=0.1)


def test_above_a_crossover_the_curve_holds_too():
    settings = {**SETTINGS, "frequency_hz": 2500.0, "attack_ms": 20.0, "release_ms": 20.0}
    found = steady_gain(DeEsser(), sines(12000, LEVELS), settings)
    np.testing.assert_allclose(found, curve(LEVELS), atol=0.15)


def test_far_from_a_crossover_a_sine_counts_as_up_to_3_dB_louder():
    quick = {**SETTINGS, "attack_ms": 0.1, "release_ms": 500.0, "frequency_hz": 2000.0}
    (found,) = steady_gain(DeEsser("wideband", sample_rate=RATE), sines(7000.0, [-20.0]), quick)
    assert curve(-17.0) < found < curve(-20.0) - 1


def test_at_a_crossover_the_detector_hears_half_of_the_amplitude():
    settings = {**SETTINGS, "frequency_hz": 6000.0}
    found = steady_gain(DeEsser("wideband"), sines(6000, LEVELS), settings)
    expected = curve(LEVELS - 20 * np.log10(2))
    far = np.abs(LEVELS - 6.02 + 30) > 3
    np.testing.assert_allclose(found[far], expected[far], atol=0.1)


def test_what_is_low_stays_in_split_mode_and_falls_in_wideband_mode():
    loud, vowel = sines(8000, [-10.0]), sines(300, [-40.0])
    late = slice(-RATE // 10, None)

    def left_of_vowel(mode):
        y = DeEsser(mode)(loud + vowel, dsp_params=SETTINGS)[0, 0, late].numpy()
        at = np.exp(-2j * np.pi * 300 * np.arange(RATE // 10) / RATE)
        return 20 * np.log10(abs((y * at).sum()) / abs((vowel[0, 0, late].numpy() * at).sum()))

    assert left_of_vowel("split") == pytest.approx(0, abs=0.3)
    assert left_of_vowel("wideband") < -10


def test_below_the_threshold_split_mode_is_the_allpass_of_the_crossover(rng):
    x = torch.from_numpy(1e-4 * rng.standard_normal((1, 2, 2000)))
    y = DeEsser()(x, dsp_params={"frequency_hz": torch.tensor(5000.0).double(), "threshold_db": 0.0})
    low, high = LinkwitzRileyCrossover(2)(x, dsp_params={"crossover0_freq": torch.tensor(5000.0).double()})
    torch.testing.assert_close(y, low + high, atol=1e-9, rtol=0)


@pytest.mark.parametrize("detector", ["highpass", "bandpass"])
def test_it_may_listen_to_another_signal(detector):
    x, key, settings = sines(9000, [-60.0]), sines(9000, [-10.0]), {**SETTINGS, "frequency_hz": 9000.0}
    processor = DeEsser("wideband", detector, sidechain=True)
    heard = -10.0 if detector == "bandpass" else -10 - 20 * np.log10(2)
    assert steady_gain(processor, x, settings, key) == pytest.approx(curve(heard), abs=0.1)
    split = DeEsser("split", detector, sidechain=True)
    assert steady_gain(split, x, settings, key) < -3


@pytest.mark.parametrize("mode", ["split", "wideband"])
@pytest.mark.parametrize("detector", ["highpass", "bandpass"])
def test_gradients(mode, detector, rng):
    processor = DeEsser(mode, detector, sample_rate=4000)
    x = torch.from_numpy(rng.standard_normal((2, 2, 40))).requires_grad_()
    raw = [torch.from_numpy(0.3 * rng.standard_normal((2, n))).requires_grad_() for n in (1, 1, 1, 1, 2)]
    assert torch.autograd.gradcheck(processor, (x, *raw), fast_mode=True)


def test_a_range_of_nothing_changes_nothing(rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 500)))
    y = DeEsser("wideband")(x, dsp_params={"range_db": torch.tensor(0.0).double(), "threshold_db": -60.0})
    torch.testing.assert_close(y, x)


def test_refusals():
    with pytest.raises(ParameterError, match="mode must be one of 'split', 'wideband', not 'all'"):
        DeEsser("all")
    with pytest.raises(ParameterError, match="detector must be one of 'highpass', 'bandpass', not 'low'"):
        DeEsser(detector="low")
    with pytest.raises(ParameterError, match="DeEsser needs a signal for each of its inlets main, sidechain"):
        DeEsser(sidechain=True)(torch.zeros(1, 1, 8), dsp_params={})
