import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.core.oscillator import (
    pitch,
    rounded_saw,
    rounded_square,
    saw_series,
    sine,
    sine_series,
    square_series,
    triangle,
    triangle_series,
)
from torch.autograd import gradcheck

DOUBLE = torch.float64
PHASE = torch.linspace(-1.6, 1.6, 1601, dtype=DOUBLE)
SHAPES = {
    "sine": (sine_series, lambda t: np.sin(t)),
    "saw": (saw_series, lambda t: scipy.signal.sawtooth(t)),
    "square": (square_series, lambda t: scipy.signal.square(t)),
    "triangle": (triangle_series, lambda t: scipy.signal.sawtooth(t + np.pi / 2, 0.5)),
}
SLOW = {"sine": lambda phase, _: sine(phase), "triangle": lambda phase, _: triangle(phase)} | {
    "saw": rounded_saw,
    "square": rounded_square,
}


def away_from_jumps(phase, distance):
    return ((2 * phase + 0.5) % 1 - 0.5).abs() > 2 * distance


@pytest.mark.parametrize("name", SHAPES)
def test_series_sum_up_to_waveforms(name):
    series, shape = SHAPES[name]
    k = torch.arange(3001)
    y = (torch.exp(2j * torch.pi * PHASE[:, None] * k) @ series(3000).to(torch.complex128)).real
    far = away_from_jumps(PHASE, 0.02)
    np.testing.assert_allclose(y[far], shape(2 * np.pi * PHASE.numpy())[far], atol=3e-3)
    assert series(0).tolist() == [0] and series(5).shape == (6,)


@pytest.mark.parametrize("name", SLOW)
def test_slow_waveforms_are_those_of_scipy_but_beside_jumps(name):
    _, shape = SHAPES[name]
    y = SLOW[name](PHASE, torch.tensor(0.01))
    far = away_from_jumps(PHASE, 0.0101)
    np.testing.assert_allclose(y[far], shape(2 * np.pi * PHASE.numpy())[far], atol=1e-9)
    assert y.abs().max() <= 1


@pytest.mark.parametrize("wave", [rounded_saw, rounded_square])
@pytest.mark.parametrize("increment", [0.0, 1e-7, 0.01, -0.01, 0.5, 7.0])
def test_jumps_take_two_samples_and_do_not_overshoot(wave, increment):
    y = wave(PHASE, torch.tensor(increment, dtype=DOUBLE))
    assert y.isfinite().all() and y.abs().max() <= 1
    assert abs(wave(torch.zeros(1, dtype=DOUBLE), torch.tensor(0.01)).item()) < 1e-12
    width = 0.01
    x = torch.linspace(-width, width, 101, dtype=DOUBLE)
    steps = (wave(x, torch.tensor(width, dtype=DOUBLE)) - 2 * x * (wave is rounded_saw)).diff()
    assert (steps.abs() < 0.041).all() and (steps <= 0).all() != (steps >= 0).all()


@pytest.mark.parametrize("wave", [rounded_saw, rounded_square])
def test_slopes_of_rounded_jumps(wave):
    phase = torch.tensor([-0.7, -0.013, -0.004, 0.003, 0.009, 0.2, 0.493, 0.507, 0.8], dtype=DOUBLE, requires_grad=True)
    for increment in (0.01, -0.01, 0.4):
        assert gradcheck(wave, (phase, torch.tensor(increment, dtype=DOUBLE, requires_grad=True)))


@pytest.mark.parametrize("sample_rate", [2000, 44100, 192000])
def test_pitch_reaches_from_zero_to_half_the_sample_rate(sample_rate):
    to_raw, to_hertz = pitch(sample_rate, 100.0)
    hertz = torch.tensor([0.0, 0.1, 20.0, 100.0, 0.4999 * sample_rate], dtype=DOUBLE)
    raw = to_raw(hertz)
    assert raw.isfinite().all() and abs(raw[3]) < 1e-12
    torch.testing.assert_close(to_hertz(raw), hertz, rtol=1e-9, atol=1e-9)
    ends = to_hertz(torch.tensor([-1e4, 1e4], dtype=DOUBLE))
    torch.testing.assert_close(ends, torch.tensor([-0.01, sample_rate / 2], dtype=DOUBLE))
