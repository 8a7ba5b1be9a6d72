import numpy as np
import pytest
import torch
from grafx.processors import Freeverb
from grafx.processors.base import ParameterError

COMBS = 1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617
ALLPASSES = 556, 441, 341, 225


def comb(x, delay, feedback, damping):
    """As it is known: a buffer, and a filter between its end and its beginning."""
    buffer, low, y = np.zeros(delay), 0.0, np.zeros_like(x)
    for n, sample in enumerate(x):
        y[n] = buffer[n % delay]
        low = (1 - damping) * y[n] + damping * low
        buffer[n % delay] = sample + feedback * low
    return y


def allpass(x, delay):
    buffer, y = np.zeros(delay), np.zeros_like(x)
    for n, sample in enumerate(x):
        late = buffer[n % delay]
        y[n] = late - sample
        buffer[n % delay] = sample + 0.5 * late
    return y


def reference(x, room_size, damping, width, rate=44100):
    # Of all poles, the one whose low-pass falls as fast with the frequency in Hz, which is found by bisection.
    fall = 0.4 * damping / (1 - 0.4 * damping) ** 2 * (rate / 44100) ** 2
    low, high = 0.0, 0.999
    for _ in range(60):
        pole = (low + high) / 2
        low, high = (pole, high) if pole / (1 - pole) ** 2 < fall else (low, pole)
    sides = []
    for spread in (0, 23):
        total = 0.015 * x.sum(0)
        total = sum(comb(total, (m + spread) * rate // 44100, 0.7 + 0.28 * room_size, pole) for m in COMBS)
        for m in ALLPASSES:
            total = allpass(total, (m + spread) * rate // 44100)
        sides.append(total)
    left, right = sides
    own, other = (1 + width) / 2, (1 - width) / 2
    return np.stack([own * left + other * right, own * right + other * left])


@pytest.mark.parametrize("rate", [44100, 11025])
@pytest.mark.parametrize("room_size, damping, width", [(0.5, 0.5, 1.0), (1.0, 0.0, 0.3), (0.0, 1.0, 0.0)])
def test_it_is_the_known_algorithm(rate, room_size, damping, width, rng):
    x = rng.standard_normal((2, 5000))
    settings = {"room_size": room_size, "damping": damping, "width": width}
    y = Freeverb(sample_rate=rate)(torch.from_numpy(x)[None], dsp_params=settings)
    expected = reference(x, room_size, damping, width, rate)
    np.testing.assert_allclose(y[0], expected, atol=1e-7 * np.abs(expected).max())


def test_a_mono_signal_counts_twice():
    freeverb, x = Freeverb(sample_rate=8000), torch.randn(3, 1, 2000)
    expected = freeverb(x.expand(-1, 2, -1), dsp_params={})
    torch.testing.assert_close(freeverb(x, dsp_params={}), expected)
    assert expected.shape == (3, 2, 2000)


def test_large_rooms_ring_longer_and_damping_takes_high_frequencies_first():
    freeverb, x = Freeverb(sample_rate=16000), torch.zeros(1, 1, 32000)
    x[..., 0] = 1

    def late_energies(**settings):
        y = freeverb(x, dsp_params=settings)[0, :, 8000:]
        return torch.fft.rfft(y, 24000).abs().square().sum(0).split(6001)

    low, high = late_energies(room_size=0.5, damping=0.3)
    low_large, _ = late_energies(room_size=0.9, damping=0.3)
    low_damped, high_damped = late_energies(room_size=0.5, damping=0.9)
    assert low_large.sum() > 10 * low.sum()
    assert high_damped.sum() / low_damped.sum() < 0.1 * high.sum() / low.sum()


@pytest.mark.parametrize("rate", [10, 500])
def test_the_shortest_delays_are_one_sample(rate):
    freeverb = Freeverb(sample_rate=rate)
    y = freeverb(torch.randn(1, 2, 500), dsp_params={"room_size": 1.0})
    assert y.isfinite().all() and y.abs().max() > 0


def test_long_signals_run_in_pieces(monkeypatch):
    freeverb, x = Freeverb(sample_rate=2000), torch.randn(2, 2, 1000, requires_grad=True)
    raw = {name: torch.randn(2, 1, requires_grad=True) for name in freeverb.parameter_size()}
    weights, results = torch.randn(2, 2, 1000), []
    for piece in (1 << 16, 300):
        monkeypatch.setattr("grafx.processors.reverb.freeverb.PIECE", piece)
        y = freeverb(x, **raw)
        results.append([y, *torch.autograd.grad(y, [x, *raw.values()], weights)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_misuse_is_refused():
    with pytest.raises(ParameterError, match=r"takes mono or stereo signals .* not \(1, 3, 9\)"):
        Freeverb()(torch.zeros(1, 3, 9), dsp_params={})


@pytest.mark.parametrize("damping", [0.0, 0.5, 1.0])
@torch.no_grad()
def test_it_decays_in_the_same_time_at_every_sample_rate(damping):
    times = []
    for rate in (22050, 44100, 48000, 96000):
        x = torch.zeros(1, 1, rate, dtype=torch.double)
        t = torch.arange(rate // 10) / rate  # a tone burst, which all rates have
        x[..., : len(t)] = torch.sin(2 * torch.pi * 3000 * t) * torch.hann_window(len(t))
        y = Freeverb(sample_rate=rate)(x, dsp_params={"damping": damping, "room_size": 0.5})
        left = y.square().sum((0, 1)).flip(0).cumsum(0).flip(0)
        level = 10 * torch.log10(left / left[0])
        times.append(((level < -25).nonzero()[0] - (level < -5).nonzero()[0]).item() / rate)
    assert max(times) < 1.2 * min(times)  # delays are whole numbers of samples
