import math

import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import Phaser
from grafx.processors.base import ParameterError

RATE = 44100
DOUBLE = torch.float64


@pytest.mark.parametrize("stages", [1, 2, 4, 6, 12])
@pytest.mark.parametrize("hertz", [300.0, 2000.0])
def test_notches_of_a_phaser_that_stands_still(stages, hertz):
    size = 2**16
    x = torch.eye(1, size, dtype=DOUBLE)[None]
    y = Phaser(stages)(x, dsp_params={"frequency_hz": hertz, "depth_octaves": 0.0, "mix": 0.5})[0, 0]
    gains = torch.fft.rfft(y).abs().numpy()
    k = np.arange(stages // 2)
    tangents = np.tan(np.pi * hertz / RATE) * np.tan((2 * k + 1) * np.pi / (2 * stages))
    expected = np.arctan(tangents) * RATE / np.pi
    found = scipy.signal.find_peaks(-gains, height=-0.1)[0] * RATE / size
    np.testing.assert_allclose(found, expected, atol=RATE / size)


@pytest.mark.parametrize("feedback", [0.0, 0.8, -0.8])
def test_response_of_a_phaser_that_stands_still(feedback):
    values = {"frequency_hz": 1000.0, "depth_octaves": 0.0, "feedback": feedback, "mix": 0.4}
    y = Phaser(6)(torch.eye(1, 2**15, dtype=DOUBLE)[None], dsp_params=values)[0, 0]
    c = math.tan(math.pi * 1000 / RATE - math.pi / 4)
    z = np.exp(-2j * np.pi * np.arange(2**14 + 1) / 2**15)
    chain = ((c + z) / (1 + c * z)) ** 6
    np.testing.assert_allclose(torch.fft.rfft(y), 0.6 + 0.4 * chain / (1 - feedback * chain), atol=1e-5)


@pytest.mark.parametrize("feedback", [0.9, -0.5])
def test_phaser_is_a_loop_around_moving_allpass_filters(feedback, rng):
    x = rng.standard_normal(1500)
    values = {"rate_hz": 15.0, "frequency_hz": 900.0, "depth_octaves": 2.0, "feedback": feedback, "mix": 1.0}
    y = Phaser(3)(torch.from_numpy(x)[None, None], dsp_params=values)[0, 0]
    s, expected = np.zeros(3), []
    for n in range(1500):
        corner = 900 * 2 ** (2 * np.sin(2 * np.pi * 15 * n / RATE))
        p = math.tan(math.pi * corner / RATE)
        c = (p - 1) / (p + 1)
        d = math.sqrt(1 - c * c)
        matrix, right = np.eye(4), np.array([x[n], *(d * s)])
        matrix[0, 3] -= feedback
        for k in range(3):
            matrix[k + 1, k] -= c
        e = np.linalg.solve(matrix, right)
        s = d * e[:3] - c * s
        expected.append(e[3])
    np.testing.assert_allclose(y, expected, atol=2e-5)


def test_corners_stay_below_half_the_sample_rate(rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 5000)))
    values = {"rate_hz": 20.0, "frequency_hz": 10000.0, "depth_octaves": 4.0, "feedback": 0.9}
    assert Phaser(waveform="square")(x, dsp_params=values).abs().max() < 100


def test_tail_covers_what_sounds_on():
    for hertz, feedback in ((60.0, 0.9), (60.0, -0.9), (3000.0, 0.0)):
        values = {"frequency_hz": hertz, "depth_octaves": 0.0, "feedback": feedback, "mix": 1.0}
        phaser = Phaser()
        tail = phaser.tail_samples(**phaser.dsp_to_raw(values, 1))
        y = phaser(torch.eye(1, tail + 5000, dtype=DOUBLE)[None], dsp_params=values)[0, 0].abs()
        assert y[tail:].max() <= 1e-3 * y.max()
        assert y[: tail // 8].max() > 1e-3 * y.max()


def test_refusals():
    with pytest.raises(ParameterError, match="num_stages must be at least 1, not 0"):
        Phaser(0)
