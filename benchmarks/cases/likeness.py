"""Similarity of our processors to plug-ins of pedalboard.

A function named like a plug-in returns our outputs: first with its settings by name, then with its behaviour reproduced
step by step. Signals are ``(1, channels, samples)``.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

SAMPLE_RATE = 44100
LOOKAHEAD_MS = 5.0
WIDE = {"threshold_db": (-120, 0), "ratio": (1, 1e4), "attack_ms": (1e-4, 1e3), "release_ms": (1e-1, 1e4)}
FIRST_STAGE = {"threshold_db": -10.0, "ratio": 4.0, "attack_ms": 2.0, "release_ms": 200.0}
SECOND_STAGE = {"ratio": 1000.0, "attack_ms": 1e-3}
"""Settings of the limiter's first stage; those of the second are threshold and release."""
MAKEUP_DB = 3.75
"""Gain of the limiter at a threshold of 0 dB."""
RMS_MS = 50.0
"""Time over which the noise gate averages a falling level."""
NEAREST_DB = -150.0
"""Level that represents equality."""


def likeness(plugin: str, settings: dict[str, float], file: str) -> Callable[[], dict[str, Any]]:
    """Compare our outputs with those of a plug-in.

    Args:
        plugin: Name of the plug-in.
        settings: Its settings.
        file: Its input (``x``) and output (``y``).

    Returns:
        A function to run, which returns the ``differences`` of our outputs relative to its own, and the ``level`` of
            the first relative to it, in dB; the ``correlation`` of the first, and the ``largest`` sample difference of
            the last.
    """
    import numpy as np
    import torch

    with np.load(file) as sound:
        x, y = (torch.from_numpy(sound[name]).unsqueeze(0) for name in ("x", "y"))
    process = OURS[plugin]

    def run() -> dict[str, Any]:
        outputs = process(x, **settings)
        return {
            "differences": [_db_ratio(output - y, y) for output in outputs],
            "level": _db_ratio(outputs[0], y),
            "correlation": torch.corrcoef(torch.stack([outputs[0].flatten(), y.flatten()]).double())[0, 1].item(),
            "largest": (outputs[-1] - y).abs().max().item(),
        }

    return run


def compressor(x: "Tensor", **settings: float) -> list["Tensor"]:
    """Yield outputs by name; with hard knee per channel; with its times; with settings for energies; of amplitudes."""
    from grafx.processors import Compressor

    hard = Compressor(style="desk", sample_rate=SAMPLE_RATE, knee_type="hard", param_range=WIDE)
    fitted = {
        **settings,
        "threshold_db": settings["threshold_db"] - 1,
        "attack_ms": 2 * settings["attack_ms"],
        "release_ms": settings["release_ms"] / 2,
    }
    return [
        Compressor(style="desk", sample_rate=SAMPLE_RATE)(x, dsp_params=settings),
        _each_channel(hard, x, settings=settings),
        _each_channel(hard, x, settings=_its_times(settings)),
        _each_channel(hard, x, settings=_its_times(fitted)),
        _of_amplitudes(Compressor, x, x.abs(), _its_times(settings)),
    ]


def limiter(x: "Tensor", **settings: float) -> list["Tensor"]:
    """Yield outputs by name; with makeup gain and clipping; with both stages and times; of amplitudes."""
    from grafx.processors import Compressor, Limiter

    makeup = 10 ** ((MAKEUP_DB - settings["threshold_db"]) / 20)
    first, second = _its_times(FIRST_STAGE), _its_times({**SECOND_STAGE, **settings})
    hard = Compressor(style="desk", sample_rate=SAMPLE_RATE, knee_type="hard", param_range=WIDE)
    by_name = Limiter(SAMPLE_RATE)(x, dsp_params=settings)
    staged = _each_channel(hard, _each_channel(hard, x, settings=first), settings=second)
    compressed = _of_amplitudes(Compressor, x, x.abs(), first)
    exact = _of_amplitudes(Compressor, compressed, compressed.abs(), second)
    return [by_name, *((makeup * y).clamp(-1, 1) for y in (by_name, staged, exact))]


def brickwall_limiter(x: "Tensor", ceiling_db: float, release_ms: float) -> list["Tensor"]:
    """Yield the output by name, with equal look-ahead."""
    from grafx.processors import Limiter

    limiter = Limiter(SAMPLE_RATE, lookahead_ms=LOOKAHEAD_MS)
    return [limiter(x, dsp_params={"threshold_db": ceiling_db, "release_ms": release_ms})]


def noise_gate(x: "Tensor", **settings: float) -> list["Tensor"]:
    """Yield outputs by name, of gate and expander; with its times; with its first detector; of amplitudes."""
    from grafx.processors import Expander, NoiseGate

    options = {"sample_rate": SAMPLE_RATE, "knee_type": "hard", "param_range": WIDE}
    rms = _rms(x)
    return [
        NoiseGate("ballistics", sample_rate=SAMPLE_RATE)(x, dsp_params=settings),
        Expander(SAMPLE_RATE)(x, dsp_params=settings),
        _each_channel(Expander(**options), x, settings=_its_times(settings)),
        _each_channel(Expander(**options, sidechain=True), x, rms, settings=_its_times(settings)),
        _of_amplitudes(NoiseGate, x, rms, _its_times(settings)),
    ]


OURS = {
    "Compressor": compressor,
    "Limiter": limiter,
    "BrickwallLimiter": brickwall_limiter,
    "NoiseGate": noise_gate,
}


def _its_times(settings: dict[str, float]) -> dict[str, float]:
    """Convert times, which are 2π time constants."""
    times = {name: settings[name] / (2 * math.pi) for name in ("attack_ms", "release_ms")}
    return {**settings, **times}


def _each_channel(processor: "Module", *signals: "Tensor", settings: dict[str, float]) -> "Tensor":
    """Process each channel with a separate gain."""
    alone = [signal.transpose(0, 1) for signal in signals]
    return processor(*alone, dsp_params=settings).transpose(0, 1)


def _of_amplitudes(
    kind: Callable[..., "Module"], x: "Tensor", amplitude: "Tensor", settings: dict[str, float]
) -> "Tensor":
    """Process each channel by a smoothed amplitude, whose root is passed as the level.

    Decibels of the level are half of those of the amplitude, and so is the threshold. The ratio is that of the level to
    the gain, like the raw one.
    """
    processor = kind("ballistics", knee="hard", sidechain=True, sample_rate=SAMPLE_RATE, param_range=WIDE)
    others = {name: value for name, value in settings.items() if name != "ratio"}
    raw = processor.dsp_to_raw({**others, "threshold_db": settings["threshold_db"] / 2}, x.shape[1], x)
    raw["log_ratio"] = raw["log_ratio"].new_full(raw["log_ratio"].shape, math.log(settings["ratio"] - 1))
    return processor(x.transpose(0, 1), amplitude.sqrt().transpose(0, 1), **raw).transpose(0, 1)


def _rms(x: "Tensor") -> "Tensor":
    """Compute the root of the energy, with instant attack and a release time of the noise gate."""
    from grafx.processors.core.recursion import ballistics

    release = math.exp(-2 * math.pi * 1000 / (RMS_MS * SAMPLE_RATE))
    return ballistics(x.square(), 0.0, release).sqrt()


def _db_ratio(x: "Tensor", y: "Tensor") -> float:
    """Compute the level of one signal relative to another in decibels, to three decimals."""
    share = (x.double().square().sum() / y.double().square().sum()).item()
    return round(max(NEAREST_DB, 10 * math.log10(share)), 3) + 0.0 if share > 0 else NEAREST_DB
