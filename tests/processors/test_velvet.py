import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import VelvetNoiseReverb
from grafx.processors.base import ParameterError
from grafx.processors.core.octaves import octave_centres

RATE = 16000


def response(reverb, channels=1, **settings):
    x = torch.zeros(1, channels, reverb.ir_len, dtype=torch.float64)
    x[..., 0] = 1
    return reverb(x, dsp_params=settings)[0].numpy()


@pytest.mark.parametrize("density, rate", [(2000, RATE), (1500, 44100), (700, 8000)])
def test_there_is_one_pulse_in_each_period(density, rate):
    reverb = VelvetNoiseReverb(10000, "segments", density, sample_rate=rate)
    for noise in reverb.noise.numpy():
        times = np.flatnonzero(noise)
        assert (np.abs(noise[times]) == 1).all() and abs(noise[times].mean()) < 0.15
        period = rate / density
        m = np.arange(len(times))
        assert len(times) in (int(10000 / period), int(10000 / period) + 1)
        assert (times >= np.round(m * period)).all() and (times <= np.round(m * period + period - 1)).all()
    left, right = reverb.noise
    assert abs(torch.dot(left, right)) < 0.1 * left.square().sum()


def test_the_seed_decides():
    same, again, other = (VelvetNoiseReverb(2000, "dark", seed=seed, sample_rate=RATE).noise for seed in (3, 3, 4))
    assert torch.equal(same, again) and not torch.equal(same, other)
    state = np.random.get_state()[1].copy()
    VelvetNoiseReverb(500, sample_rate=RATE)
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize("t60_s", [[0.8] * 7, [1.2, 1.1, 1.0, 0.8, 0.6, 0.5, 0.4]])
def test_bands_decay_as_asked(t60_s):
    reverb = VelvetNoiseReverb(20000, processor_channel="mono", sample_rate=RATE, density=8000)
    h = response(reverb, t60_s=torch.tensor([t60_s]))[0]
    for hertz, seconds in list(zip(octave_centres(RATE), t60_s, strict=True))[2:]:
        edges = [hertz / np.sqrt(2), min(hertz * np.sqrt(2), 0.49 * RATE)]
        band = scipy.signal.sosfilt(scipy.signal.butter(4, edges, "band", fs=RATE, output="sos"), h)
        decay = np.cumsum(band[::-1] ** 2)[::-1]
        decay = 10 * np.log10(decay / decay[0] + 1e-30)
        first, last = np.argmax(decay < -5), np.argmax(decay < -25)
        slope, _ = np.polyfit(np.arange(first, last) / RATE, decay[first:last], 1)
        assert -60 / slope == pytest.approx(seconds, rel=0.12)


def test_levels_are_those_of_the_bands():
    reverb = VelvetNoiseReverb(20000, processor_channel="mono", sample_rate=RATE)
    levels = torch.tensor([[-20.0, 0, 6, 0, -12, -12, 0]])
    flat, shaped = (np.abs(np.fft.rfft(response(reverb, t60_s=20.0, level_db=db)[0])) for db in (0.0, levels))
    at = np.round(np.array(octave_centres(RATE)) * 20000 / RATE).astype(int)[:, None] + np.arange(-5, 6)
    decibels = 10 * np.log10((shaped[at] ** 2).sum(1) / (flat[at] ** 2).sum(1))
    np.testing.assert_allclose(decibels[1:] - decibels[1], levels[0, 1:], atol=1.5)


def test_wide_pulses_sound_dark():
    reverb = VelvetNoiseReverb(20000, "dark", processor_channel="mono", num_widths=3, sample_rate=RATE)
    pulses = reverb.noise[0]
    for width, noise in zip((1, 2), pulses.numpy(), strict=False):
        starts = scipy.signal.lfilter([1.0], np.ones(width) / np.sqrt(width), noise)  # pulses of one sample again
        assert set(np.unique(np.round(starts, 3))) <= {-1, 0, 1}
        assert np.mean(np.abs(starts) > 0.5) == pytest.approx(2000 / RATE / 3, rel=0.15)
    lengths = np.diff(np.flatnonzero(np.diff(np.abs(pulses[2].numpy()) > 0.1, prepend=False)))[::2]
    assert np.mean((lengths == 3) | (lengths == 4)) > 0.9  # but for those that touch
    for noise in pulses.numpy():
        assert (noise**2).mean() == pytest.approx(2000 / RATE / 3, rel=0.2)
    bright, dark = (
        np.abs(np.fft.rfft(response(reverb, t60_s=5.0, level_db=torch.tensor([levels]))[0])) ** 2
        for levels in ([0.0, -60, -60], [-60, -60, 0.0])
    )
    assert bright[6000:].mean() == pytest.approx(bright[:2000].mean(), rel=0.3)
    assert dark[6000:].mean() < 0.1 * dark[:2000].mean()


def test_segments_are_filtered_by_their_magnitudes():
    reverb = VelvetNoiseReverb(12000, "segments", 8000, "mono", num_segments=3, num_magnitudes=9, sample_rate=RATE)
    magnitudes = torch.full((1, 3, 9), -40.0)
    magnitudes[:, 0, :3], magnitudes[:, 1] = 0.0, -60.0
    magnitudes[:, 2, 6:] = -20.0
    h = response(reverb, magnitude_db=magnitudes)[0]
    low, silence, high = (np.abs(np.fft.rfft(part[50:-50])) ** 2 for part in np.split(h, 3))
    assert 10 * np.log10(low[:250].mean() / low[1500:].mean()) == pytest.approx(40, abs=4)
    assert 10 * np.log10(high[1500:1800].mean() / high[:250].mean()) == pytest.approx(20, abs=3)
    assert 10 * np.log10(high[1500:1800].mean() / low[:250].mean()) == pytest.approx(-20, abs=3)
    assert silence.mean() < 1e-5 * low.mean()


def test_segments_alike_are_the_noise_itself():
    reverb = VelvetNoiseReverb(1001, "segments", num_segments=7, num_magnitudes=5, sample_rate=RATE)
    noise = reverb.noise.numpy()
    expected = noise / np.sqrt((noise**2).sum(-1).mean())
    np.testing.assert_allclose(response(reverb, 2, magnitude_db=0.0), expected, atol=1e-6)


@pytest.mark.parametrize("color", ["bands", "dark", "segments"])
@pytest.mark.parametrize("processor_channel", ["mono", "stereo", "midside", "pseudo_midside"])
def test_responses_have_unit_energy(color, processor_channel):
    reverb = VelvetNoiseReverb(3000, color, processor_channel=processor_channel, sample_rate=RATE)
    h = response(reverb, 2)
    assert h.shape == (2, 3000)
    if processor_channel != "midside":
        assert (h**2).sum(-1).mean() == pytest.approx(1, abs=1e-4)


def test_misuse_is_refused():
    for options, message in (
        ({"color": "pink"}, "Unknown color 'pink': use one of bands, dark, segments"),
        ({"density": 0}, "density must be from 0 to 44100 pulses per second, not 0"),
        ({"density": 50000}, "not 50000"),
        ({"color": "dark", "num_widths": 0}, "num_widths must be at least 1, not 0"),
        ({"color": "segments", "num_segments": 0}, "num_segments must be at least 1"),
        ({"ir_len": 0}, "ir_len must be at least 1"),
        ({"processor_channel": "left"}, "Unknown processor_channel 'left'"),
    ):
        with pytest.raises(ParameterError, match=message):
            VelvetNoiseReverb(**options)
    with pytest.raises(ParameterError, match="VelvetNoiseReverb needs log_magnitude with its options"):
        VelvetNoiseReverb(100, "segments", num_segments=2)(torch.zeros(1, 1, 9))
