"""Settings of compressors, recovered by gradient descent from what they were given and what they returned."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .drums import drum_loop

if TYPE_CHECKING:
    from grafx.processors import Compressor
    from torch import Tensor

Settings = dict[str, "Tensor"]

RATE = 44100
SILENCE = 1e-8
"""Energy below which samples carry little information about their gain."""
DB = 10 / math.log(10)


def recovery(knee: str, seed: int, count: int, steps: int, seconds: float, audio: str | None) -> Callable[[], dict]:
    """Compress a sound with random settings, and recover these from both sounds.

    Args:
        knee: Knee of the compressors.
        seed: Seed of the settings.
        count: Number of compressors.
        steps: Number of gradient steps.
        seconds: Maximum length of the sound.
        audio: A recording, in place of a drum loop.

    Returns:
        A function to run, which returns as ``compressors`` a dict for each: the ``asked`` and ``found`` settings by
            name, the standard deviation that is ``left``, and the level ``beyond`` the knee.
    """
    import torch
    from grafx.processors import Compressor

    from grafx.audio import read_audio

    x, rate = (torch.from_numpy(drum_loop(round(seconds * RATE), RATE)), RATE) if audio is None else read_audio(audio)
    x = x[:, : round(seconds * rate)]
    asked = random_settings(x, rate, count, seed)
    y = Compressor(style="desk", sample_rate=rate, knee_type=knee)(x.expand(count, -1, -1), dsp_params=asked)

    def run() -> dict[str, list[dict[str, Any]]]:
        found, left = recover(Compressor(style="desk", sample_rate=rate, knee_type=knee, makeup=False), x, y, steps)
        beyond = beyond_knee(x, rate, asked)
        return {
            "compressors": [
                {
                    "asked": {name: values[row].item() for name, values in asked.items()},
                    "found": {name: values[row].item() for name, values in found.items()},
                    "left": left[row].item(),
                    "beyond": beyond[row].item(),
                }
                for row in range(count)
            ]
        }

    return run


def random_settings(x: "Tensor", sample_rate: float, count: int, seed: int) -> Settings:
    """Draw settings ``(count,)`` of compressors that act on a sound; ratios and times on a logarithmic scale."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> "Tensor":
        return low + (high - low) * torch.rand(count, generator=generator)

    def log_uniform(low: float, high: float) -> "Tensor":
        return uniform(math.log(low), math.log(high)).exp()

    frames = torch.nn.functional.avg_pool1d(x.square().mean(0, keepdim=True), round(0.01 * sample_rate))
    return {
        "threshold_db": (DB * frames.max().log() - uniform(6.0, 36.0)).clamp(-60.0, 0.0),
        "ratio": log_uniform(1.5, 10.0),
        "knee_db": uniform(0.0, 12.0),
        "attack_ms": log_uniform(0.5, 50.0),
        "release_ms": log_uniform(20.0, 500.0),
        "makeup_db": uniform(-6.0, 6.0),
    }


def recover(compressor: "Compressor", x: "Tensor", y: "Tensor", steps: int) -> tuple[Settings, "Tensor"]:
    """Find the settings by which a compressor turns one sound into others, starting from its defaults.

    Adam minimizes the standard deviation over time of the difference of gains in dB, which is independent of the makeup
    gain.

    Args:
        compressor: In the style of a desk, without a makeup gain.
        x: ``(channels, samples)``.
        y: ``(batch, channels, samples)``, one for each compressor.
        steps: Number of gradient steps.

    Returns:
        Settings ``(batch,)`` by name, including makeup gains, and the standard deviations ``(batch,)``.
    """
    import torch

    inputs, audible = x.expand(len(y), -1, -1), x.square().mean(0) > SILENCE
    wanted = _level_db(y[..., audible])
    logits = torch.logit(compressor.dsp_to_norm({}, len(y), x)).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.001)
    for _ in range(steps):
        difference = wanted - _level_db(compressor(inputs, norm_params=logits.sigmoid())[..., audible])
        deviation = (difference.var(-1) + 1e-12).sqrt()
        optimizer.zero_grad()
        deviation.sum().backward()
        optimizer.step()
        schedule.step()
    found = compressor.norm_to_dsp(logits.detach().sigmoid())
    return {**found, "makeup_db": difference.detach().mean(-1)}, deviation.detach()


def beyond_knee(x: "Tensor", sample_rate: float, settings: Settings) -> "Tensor":
    """Compute by how many dB the highest level exceeds the knee of compressors, ``(batch,)``.

    Where it does not, a wider knee of a higher threshold and ratio has the same gain at all levels that occur.
    """
    import torch
    from grafx.processors.core.recursion import ballistics

    energy = x.square().mean(0).expand(len(settings["ratio"]), -1)
    alphas = [torch.exp(-1000 / (settings[name].double() * sample_rate)) for name in ("attack_ms", "release_ms")]
    level = DB * ballistics(energy, *alphas).amax(-1).log()
    return level - settings["threshold_db"] - settings["knee_db"] / 2


def _level_db(y: "Tensor") -> "Tensor":
    return DB * (y.square().mean(1) + 1e-12).log()
