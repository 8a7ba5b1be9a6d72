import math

import numpy as np
import pytest
import torch
from grafx.processors import LinkwitzRileyCrossover, RotarySpeaker
from grafx.processors.base import ParameterError

RATE = 44100
DOUBLE = torch.float64
VALUES = {
    "drum_rate_hz": 4.0, "drum_phase_cycles": 0.3, "drum_swing_ms": 0.4, "drum_depth_db": 5.0,
    "horn_rate_hz": 7.0, "horn_phase_cycles": 0.1, "horn_swing_ms": 0.6, "horn_depth_db": 12.0,
    "crossover_hz": 900.0, "mic_angle_deg": 60.0,
}  # fmt: skip


def test_rotors_turn_before_two_microphones(rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 4000)))
    y = RotarySpeaker("linear")(x, dsp_params=VALUES)
    assert y.shape == (1, 2, 4000)
    bands = LinkwitzRileyCrossover(2)(x.mean(1, keepdim=True), dsp_params={"crossover0_freq": 900.0})
    n, expected = np.arange(4000), np.zeros((2, 4000))
    for rotor, direction, band in zip(("drum", "horn"), (-1, 1), bands, strict=True):
        rate, phase, swing, depth = (
            VALUES[f"{rotor}_{name}"] for name in ("rate_hz", "phase_cycles", "swing_ms", "depth_db")
        )
        for mic, side in enumerate((-0.5, 0.5)):
            angle = direction * rate * n / RATE + phase - side * 60 / 360
            facing = np.cos(2 * np.pi * angle)
            places = n - 44.1 * swing * (1 - facing)
            heard = np.interp(places, np.arange(-1, 4000), [0, *band[0, 0].numpy()], left=0.0)
            expected[mic] += (1 - (1 - 10 ** (-depth / 20)) / 2 * (1 - facing)) * heard
    np.testing.assert_allclose(y[0], expected, atol=1e-6)


def test_microphones_at_one_place_hear_the_same(rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 2000)))
    left, right = RotarySpeaker()(x, dsp_params=VALUES | {"mic_angle_deg": 0.0})[0]
    torch.testing.assert_close(left, right)
    left, right = RotarySpeaker()(x, dsp_params=VALUES)[0]
    assert (left - right).norm() > 0.1 * left.norm()


def test_the_horn_changes_pitch_by_the_doppler_effect():
    time = torch.arange(2 * RATE, dtype=DOUBLE) / RATE
    x = torch.sin(2 * torch.pi * 4000 * time)[None, None]
    values = {
        "horn_rate_hz": 6.0,
        "horn_swing_ms": 0.5,
        "horn_depth_db": 0.0,
        "drum_swing_ms": 0.0,
        "drum_depth_db": 0.0,
    }
    y = RotarySpeaker()(x, dsp_params=values)[0, 0]
    spectrum = torch.fft.fft(y * torch.hann_window(len(y), dtype=DOUBLE))
    spectrum[len(y) // 2 :] = 0
    turned = np.unwrap(np.angle(torch.fft.ifft(spectrum).numpy()))
    hertz = np.gradient(turned)[RATE // 2 : -RATE // 2] * RATE / (2 * math.pi)
    swing = 2 * math.pi * 6 * 0.5e-3
    np.testing.assert_allclose([hertz.max() / 4000, hertz.min() / 4000], [1 + swing, 1 - swing], atol=0.03 * swing)


def test_speed_is_added_to_both_rates(rng):
    x = torch.from_numpy(rng.standard_normal((2, 1, 3000)))
    inlet = torch.full((2, 1, 3000), 2.5, dtype=DOUBLE)
    faster = VALUES | {"drum_rate_hz": 6.5, "horn_rate_hz": 9.5}
    expected = RotarySpeaker()(x, dsp_params=faster)
    torch.testing.assert_close(RotarySpeaker(external=True)(x, inlet, dsp_params=VALUES), expected, rtol=0, atol=1e-5)
    with pytest.raises(ParameterError, match=r"\(2, 2, 3000\) at the inlet 'speed' of RotarySpeaker must have one"):
        RotarySpeaker(external=True)(x, inlet.expand(-1, 2, -1), dsp_params=VALUES)


def test_both_rotors_at_rest_are_the_crossover(rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 1000)))
    still = {f"{rotor}_{name}": 0.0 for rotor in ("drum", "horn") for name in ("swing_ms", "depth_db")}
    y = RotarySpeaker()(x, dsp_params={**still, "crossover_hz": 900.0})
    expected = sum(LinkwitzRileyCrossover(2)(x, dsp_params={"crossover0_freq": 900.0}))
    torch.testing.assert_close(y, expected.expand(-1, 2, -1), rtol=0, atol=1e-6)
