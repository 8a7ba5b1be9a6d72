import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.core.noise import _numba as _noise_numba
from grafx.processors.core.noise import _torch as _noise_torch
from grafx.processors.core.noise import pink_filter, white_noise

DOUBLE = torch.float64
MASK = 2**64 - 1
STEP = 0x9E3779B97F4A7C15


def mixed(state):
    """SplitMix64, with the integers of Python."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & MASK
    return state ^ (state >> 31)


def number(seed, channel, time):
    key = mixed((mixed((seed + STEP) & MASK) + channel) & MASK)
    bits = mixed((key + (time + 1) * STEP) & MASK)
    return ((bits - 2**64 if bits >= 2**63 else bits) >> 11) * 2.0**-52


def test_the_generator_is_splitmix64():
    """Its first outputs from the state 1234567, as they are published."""
    outputs = 6457827717110365317, 3203168211198807973, 9817491932198370423
    assert [mixed((1234567 + n * STEP) & MASK) for n in (1, 2, 3)] == list(outputs)
    states = torch.tensor([_noise_torch.with_sign((1234567 + n * STEP) & MASK) for n in (1, 2, 3)])
    assert _noise_torch.mixed(states).tolist() == [_noise_torch.with_sign(output) for output in outputs]


SEEDS = {0.0: 0, 3.0: 3, -7.4: -7, 2.6: 3, 1e300: 2**53, -1e300: -(2**53)}


@pytest.mark.parametrize("start", [0, 1000, 2**40])
def test_noise_is_a_function_of_seed_channel_and_time(start):
    noise = white_noise(torch.tensor(list(SEEDS), dtype=DOUBLE), 20, 3, start)
    expected = [[[number(s, c, start + n) for n in range(20)] for c in range(3)] for s in SEEDS.values()]
    assert torch.equal(noise, torch.tensor(expected, dtype=DOUBLE))
    single = white_noise(torch.tensor([3.0]), 20, 3, start)
    assert torch.equal(single, noise[1:2].float())


def test_plain_torch_gives_the_same_bits():
    seed = torch.tensor([0, 5, -(2**53)])
    keys = _noise_torch.keys(seed, 2)
    for length, dtype in ((0, DOUBLE), (300, DOUBLE), (300, torch.float32)):
        arguments = keys, length, 12345678901, dtype
        assert torch.equal(_noise_numba.uniform(*arguments), _noise_torch.uniform(*arguments))


def test_seeds_have_a_gradient_of_zero():
    seed = torch.tensor([1.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(white_noise(seed, 10).sum(), seed)
    assert torch.equal(gradient, torch.zeros(2))


def test_numbers_are_spread_evenly_and_independent():
    noise = white_noise(torch.arange(8.0, dtype=DOUBLE), 2**15, 2).flatten(0, 1)
    counts = torch.stack([torch.histc(row, 64, -1, 1) for row in noise])
    chi_squared = ((counts - 512).square() / 512).sum(1)
    assert (chi_squared < 130).all()  # of 63 degrees of freedom; once in a million
    rows = torch.cat([noise, noise.roll(1, 1), noise.roll(100, 1)])
    correlations = torch.corrcoef(rows) - torch.eye(len(rows))
    assert correlations.abs().max() < 6 * 2**-7.5
    spectrum = torch.fft.rfft(noise).abs().square()[:, 1:-1].reshape(16, 43, 381).mean((0, 2)) / 2**15
    assert ((3 * spectrum - 1).abs() < 0.06).all()


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000, 96000, 192000])
def test_pink_is_three_decibels_less_with_each_octave(sample_rate):
    hertz = np.geomspace(20, min(20000, 0.9 * sample_rate / 2), 400)
    _, response = scipy.signal.sosfreqz(pink_filter(sample_rate), hertz, fs=sample_rate)
    level = 20 * np.log10(np.abs(response))
    assert np.ptp(level + 10 * np.log10(hertz)) < 2 * 0.16
    slopes = np.gradient(level, np.log2(hertz))
    assert (np.abs(slopes + 10 * np.log10(2)) < 0.3).all()


@pytest.mark.parametrize("sample_rate", [8000, 44100, 192000])
def test_pink_has_the_power_of_white(sample_rate):
    sos = pink_filter(sample_rate)
    assert (np.abs(scipy.signal.sos2zpk(sos)[1]) < 1).all()
    response = scipy.signal.sosfilt(sos, np.eye(1, 2**19)[0])
    assert abs((response**2).sum() - 1) < 2e-3
