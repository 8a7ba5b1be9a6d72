"""Settings of effects are found from what they were given and what they returned, where plain descent does not."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from grafx.processors import Chorus, Flanger, Phaser, Tremolo, Vibrato

from grafx.errors import AudioError, SearchError
from grafx.search import Level, invert_effect
from grafx.search.inversion.effect import low_passed

RATE = 16000
SHORT = (
    Level(250.0, 0.5, 64, 30, 0.02),
    Level(250.0, 1.0, 48, 30, 0.02),
    Level(250.0, 2.0, 32, 30, 0.02),
    Level(1000.0, 1.0, 24, 20, 0.01, 30),
    Level(1000.0, None, 12, 30, 0.01, 20, 6),
    Level(None, None, 2, 20, 0.003, fits=6),
)
PLAIN = {"candidates": 0, "levels": [Level(None, None, 1, 100, 0.02)], "attempts": 1}


def strokes(seconds=2.0, channels=1, seed=0):
    """Noise that decays from louder and softer strokes."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(round(seconds * RATE)) / RATE
    levels = 0.1 + torch.rand(12, generator=generator)
    since = time - seconds / 12 * torch.arange(12)[:, None]
    envelope = (levels[:, None] * torch.exp(-8 * since.clamp(min=0)) * (since >= 0)).sum(0)
    return envelope * torch.randn(channels, len(time), generator=generator)


def draw(seed):
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high):
        return low + (high - low) * torch.rand((), generator=generator).item()

    return {
        "rate_hz": math.exp(uniform(math.log(0.4), math.log(5))),
        "depth_ms": math.exp(uniform(math.log(0.5), math.log(5))),
        "delay_ms": uniform(7, 30),
        "mix": uniform(0.3, 0.8),
        "phase_cycles": uniform(0, 1),
    }


def is_found(found, asked):
    return abs(found["rate_hz"] / asked["rate_hz"] - 1) < 0.02 and abs(found["depth_ms"] / asked["depth_ms"] - 1) < 0.1


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.slow
def test_a_chorus_is_found_where_plain_descent_fails(seed):
    asked, x = draw(seed), strokes(seed=seed)
    y = Chorus(sample_rate=RATE)(x[None], dsp_params=asked)[0]
    plain = invert_effect(Chorus, x, y, RATE, **PLAIN)
    assert not is_found(plain.settings, asked) and plain.error > 0.02
    found = invert_effect(Chorus, x, y, RATE, candidates=8192, levels=SHORT, seed=seed)
    assert is_found(found.settings, asked) and found.error < 0.01
    turn = abs(found.settings["phase_cycles"] - asked["phase_cycles"])
    assert min(turn, 1 - turn) < 0.05
    again = Chorus(sample_rate=RATE)(x[None], **found.parameters)[0]
    torch.testing.assert_close(again, found.audio, rtol=1e-4, atol=1e-4)
    assert found.error == pytest.approx(
        ((found.audio - y).square().sum() / y.square().sum()).item(), rel=1e-2, abs=1e-6
    )


@pytest.mark.parametrize(
    "effect, asked",
    [
        (Tremolo, {"rate_hz": 3.0, "depth_db": 9.0, "phase_cycles": 0.4}),
        pytest.param(Vibrato, {"rate_hz": 4.0, "depth_cents": 30.0, "phase_cycles": 0.7}, marks=pytest.mark.slow),
        pytest.param(
            Flanger,
            {"rate_hz": 0.8, "depth_ms": 2.0, "delay_ms": 5.0, "feedback": 0.5, "mix": 0.5},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_other_effects_are_found(effect, asked):
    x = strokes()
    y = effect(sample_rate=RATE)(x[None], dsp_params=asked)[0]
    found = invert_effect(effect, x, y, RATE, candidates=4096, levels=SHORT).settings
    for name, value in asked.items():
        assert found[name] == pytest.approx(value, rel=0.02 if name == "rate_hz" else 0.1, abs=0.02), name


@pytest.mark.slow
def test_stereo_spread_is_found():
    asked = {"rate_hz": 1.5, "depth_ms": 2.0, "delay_ms": 12.0, "spread_cycles": 0.25, "mix": 0.6, "phase_cycles": 0.3}
    effect, x = partial(Chorus, param_range={"rate_hz": (0.2, 5.0), "depth_ms": (0.2, 5.0)}), strokes(channels=2)
    y = effect(sample_rate=RATE)(x[None], dsp_params=asked)[0]
    found = invert_effect(effect, x, y, RATE, candidates=8192, levels=SHORT).settings
    assert is_found(found, asked) and found["spread_cycles"] == pytest.approx(0.25, abs=0.03)


def test_everything_random_follows_from_the_seed():
    x = strokes()
    y = Chorus(sample_rate=RATE)(x[None], dsp_params=draw(3))[0]
    levels = [Level(250.0, 0.5, 8, 2, 0.02), Level(1000.0, 0.5, 4, 2, 0.02, 2)]
    once, twice, other = (
        invert_effect(Chorus, x, y, RATE, candidates=64, levels=levels, attempts=1, seed=seed) for seed in (5, 5, 6)
    )
    assert once.settings == twice.settings != other.settings


@pytest.mark.slow
def test_silence_at_the_beginning_does_no_harm():
    x = torch.nn.functional.pad(strokes(), (RATE, 0))
    y = Tremolo(sample_rate=RATE)(x[None], dsp_params={"rate_hz": 2.0, "depth_db": 12.0})[0]
    found = invert_effect(Tremolo, x, y, RATE, candidates=1024, levels=SHORT[:3]).settings
    assert found["rate_hz"] == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("rate", [16000, 44100.0])
def test_low_frequencies_stay_in_place(rate):
    seconds = torch.arange(int(rate)).double() / rate
    x = torch.stack([torch.cos(2 * torch.pi * hertz * (seconds - 0.5)) for hertz in (60, 200, 2000)])
    window = torch.exp(-0.5 * ((seconds - 0.5) / 0.1) ** 2)
    low, slower = low_passed(x * window, rate, 250.0)
    assert slower < 2200 and low.shape[-1] == math.ceil(x.shape[-1] * slower / rate)
    at = np.arange(low.shape[-1]) / slower
    for row, hertz in zip(low, (60, 200, 2000), strict=True):
        gain = math.exp(-0.5 * (hertz / 250) ** 2)
        expected = gain * np.cos(2 * np.pi * hertz * (at - 0.5)) * np.exp(-0.5 * ((at - 0.5) / 0.1) ** 2)
        np.testing.assert_allclose(row, expected, atol=0.01)
    assert low_passed(x, rate, 7000.0)[0] is x


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"target": torch.zeros(1, 1000)}, AudioError, "The target is silent"),
        ({"inputs": torch.ones(1, 999)}, AudioError, "The inputs have 999 samples, but the target 1000"),
        ({"levels": []}, SearchError, "levels is empty: give at least one Level"),
        ({"effect": Phaser}, SearchError, "The range of frequency_hz is another one at 2... samples per second"),
    ],
)
def test_refusals(change, error, message):
    arguments = {"effect": Chorus, "inputs": torch.ones(1, 1000), "target": torch.ones(1, 1000), "candidates": 4}
    with pytest.raises(error, match=message):
        invert_effect(**(arguments | change))
