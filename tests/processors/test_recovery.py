"""Settings of compressors, found by gradient descent from what they were given and what they returned."""

import math

import pytest
import torch
from grafx.processors import Compressor

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
    return (signal * (2 * torch.rand(time.shape, generator=generator) - 1)).reshape(1, 1, -1)


def gain_db(y):
    return 10 / math.log(10) * torch.log(y.square().mean(1) + 1e-12)


@pytest.mark.parametrize("knee_type", ["quadratic", "hard"])
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
    x = bursts().expand(3, -1, -1)
    audible = x[0].square().mean(0) > 1e-8
    wanted = gain_db(Compressor(sample_rate=RATE, knee_type=knee_type)(x, dsp_params=asked)[..., audible])
    compressor = Compressor(sample_rate=RATE, knee_type=knee_type, makeup=False)
    logits = torch.logit(compressor.dsp_to_norm({}, 3, x)).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400, eta_min=0.001)
    for _ in range(400):
        difference = wanted - gain_db(compressor(x, norm_params=logits.sigmoid())[..., audible])
        optimizer.zero_grad()
        # The makeup gain is the mean of what is left.
        (difference.var(-1) + 1e-12).sqrt().sum().backward()
        optimizer.step()
        schedule.step()
    found = compressor.norm_to_dsp(logits.detach().sigmoid())
    torch.testing.assert_close(found["threshold_db"], asked["threshold_db"], rtol=0, atol=1.0)
    torch.testing.assert_close(found["ratio"], asked["ratio"], rtol=0.1, atol=0)
    for name in ("attack_ms", "release_ms"):
        torch.testing.assert_close(found[name], asked[name], rtol=0.2, atol=0)
    torch.testing.assert_close(difference.detach().mean(-1), asked["makeup_db"], rtol=0, atol=0.5)
