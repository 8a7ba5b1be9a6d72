"""Settings of compressors, found by gradient descent from what they were given and what they returned."""

import math
from pathlib import Path

import pytest
import torch
from grafx.processors import Compressor

from grafx.audio import read_audio

DRUMS = Path(__file__).parents[3] / "shared" / "audio" / "falcon69" / "drums.flac"
RATE = 22050


def bursts(seconds=1.0):
    """Noise that decays from louder and softer strokes."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(int(seconds * RATE)) / RATE
    signal = torch.zeros_like(time)
    for number in range(8):
        since = time - number * seconds / 8
        level = 10 ** (-float(torch.rand((), generator=generator)))
        signal += level * torch.where(since >= 0, torch.exp(-30 * since.clamp(min=0)), 0)
    return (signal * (2 * torch.rand(time.shape, generator=generator) - 1)).unsqueeze(0)


def gain_db(y):
    return 10 / math.log(10) * torch.log(y.square().mean(1) + 1e-12)


def descend(compressor, x, y, steps=400):
    """Settings that make ``x`` into each of ``y``, from the defaults on."""
    audible = x.square().mean(0) > 1e-8
    x = x.expand(len(y), -1, -1)
    wanted = gain_db(y[..., audible])
    logits = torch.logit(compressor.dsp_to_norm({}, len(y), x)).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.001)
    for _ in range(steps):
        difference = wanted - gain_db(compressor(x, norm_params=logits.sigmoid())[..., audible])
        optimizer.zero_grad()
        # The makeup gain is the mean of what is left.
        (difference.var(-1) + 1e-12).sqrt().sum().backward()
        optimizer.step()
        schedule.step()
    return {**compressor.norm_to_dsp(logits.detach().sigmoid()), "makeup_db": difference.detach().mean(-1)}


def are_found(found, asked):
    """Which compressors have a threshold within 1 dB, a ratio within 10 % and times within 20 %."""
    near = (found["threshold_db"] - asked["threshold_db"]).abs() <= 1
    for name, share in (("ratio", 0.1), ("attack_ms", 0.2), ("release_ms", 0.2)):
        near &= (found[name] / asked[name] - 1).abs() <= share
    return near


@pytest.mark.parametrize("knee_type", ["quadratic", "hard"])
@pytest.mark.slow
def test_settings_are_found_from_sounds_alone(knee_type):
    asked = {
        "threshold_db": torch.tensor([-35.0, -28.0, -40.0]),
        "ratio": torch.tensor([2.5, 8.0, 4.0]),
        "attack_ms": torch.tensor([1.0, 6.0, 15.0]),
        "release_ms": torch.tensor([40.0, 150.0, 80.0]),
        "makeup_db": torch.tensor([-3.0, 4.0, 0.0]),
    }
    if knee_type == "quadratic":
        asked["knee_db"] = torch.tensor([2.0, 8.0, 5.0])
    x = bursts()
    y = Compressor(style="desk", sample_rate=RATE, knee_type=knee_type)(x.expand(3, -1, -1), dsp_params=asked)
    found = descend(Compressor(style="desk", sample_rate=RATE, knee_type=knee_type, makeup=False), x, y)
    assert are_found(found, asked).all(), found
    torch.testing.assert_close(found["makeup_db"], asked["makeup_db"], rtol=0, atol=0.5)


@pytest.mark.skipif(not DRUMS.exists(), reason="there is no recording")
@pytest.mark.slow
def test_nine_of_ten_random_compressors_are_found_from_drums():
    generator = torch.Generator().manual_seed(0)
    ranges = {
        "threshold_db": (-45.0, -15.0),
        "ratio": (1.5, 10.0),
        "knee_db": (0.0, 12.0),
        "attack_ms": (0.5, 50.0),
        "release_ms": (20.0, 500.0),
        "makeup_db": (-6.0, 6.0),
    }
    asked = {}
    for name, (low, high) in ranges.items():
        share = torch.rand(10, generator=generator)
        asked[name] = low + (high - low) * share if name.endswith("_db") else low * (high / low) ** share
    x, rate = read_audio(DRUMS)
    x = x[:, :rate]
    y = Compressor(style="desk", sample_rate=rate)(x.expand(10, -1, -1), dsp_params=asked)
    found = descend(Compressor(style="desk", sample_rate=rate, makeup=False), x, y)
    assert are_found(found, asked).sum() >= 9, found
