"""How near ours come to what plug-ins of pedalboard make of a sound.

A function of the name of a plug-in gives our outputs: first with its settings by name, then step by step as it works.
Signals are ``(1, channels, samples)``.
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
"""Of the limiter; what is set is the threshold and the release of the second one."""
MAKEUP_DB = 3.75
"""What the limiter adds to a threshold of 0 dB."""
RMS_MS = 50.0
"""Over which the noise gate takes the level while it falls."""
NEAREST_DB = -150.0
"""Stands for equality, too."""


def likeness(plugin: str, settings: dict[str, float], file: str) -> Callable[[], dict[str, Any]]:
    """Compare our outputs with that of a plug-in.

    Args:
        plugin: Its name.
        settings: As it takes them.
        file: What it was given (``x``) and what it returned (``y``).

    Returns:
        What runs it, and returns the ``differences`` of our outputs relative to its own, and how much louder the first
        is (``level``), in dB; the ``correlation`` of the first, and the ``largest`` difference of a sample of the last.
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
    """By name; with a hard knee for each channel; with its times; with settings that suit energies; of amplitudes."""
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
    """By name; with its makeup gain and its clipping; with both of its stages and its times; of amplitudes."""
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
    """By name, looking ahead as far."""
    from grafx.processors import Limiter

    limiter = Limiter(SAMPLE_RATE, lookahead_ms=LOOKAHEAD_MS)
    return [limiter(x, dsp_params={"threshold_db": ceiling_db, "release_ms": release_ms})]


def noise_gate(x: "Tensor", **settings: float) -> list["Tensor"]:
    """By name, our gate and our expander; with its times; with its first detector; of amplitudes."""
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
    """Settings with time constants: its times are 2π of them."""
    times = {name: settings[name] / (2 * math.pi) for name in ("attack_ms", "release_ms")}
    return {**settings, **times}


def _each_channel(processor: "Module", *signals: "Tensor", settings: dict[str, float]) -> "Tensor":
    """Process each channel by a gain of its own."""
    alone = [signal.transpose(0, 1) for signal in signals]
    return processor(*alone, dsp_params=settings).transpose(0, 1)


def _of_amplitudes(
    kind: Callable[..., "Module"], x: "Tensor", amplitude: "Tensor", settings: dict[str, float]
) -> "Tensor":
    """Process each channel as an amplitude says, which is smoothed as it is: its root has it for an energy.

    Decibels of the level are half of those of the amplitude, and so is the threshold. The ratio is that of the level to
    the gain, which the raw one is.
    """
    processor = kind("ballistics", knee="hard", sidechain=True, sample_rate=SAMPLE_RATE, param_range=WIDE)
    others = {name: value for name, value in settings.items() if name != "ratio"}
    raw = processor.dsp_to_raw({**others, "threshold_db": settings["threshold_db"] / 2}, x.shape[1], x)
    raw["log_ratio"] = raw["log_ratio"].new_full(raw["log_ratio"].shape, math.log(settings["ratio"] - 1))
    return processor(x.transpose(0, 1), amplitude.sqrt().transpose(0, 1), **raw).transpose(0, 1)


def _rms(x: "Tensor") -> "Tensor":
    """The root of the energy, which rises at once and falls with a time of the noise gate."""
    from grafx.processors.core.recursion import ballistics

    release = math.exp(-2 * math.pi * 1000 / (RMS_MS * SAMPLE_RATE))
    return ballistics(x.square(), 0.0, release).sqrt()


def _db_ratio(x: "Tensor", y: "Tensor") -> float:
    """Decibels of one signal relative to another, to a thousandth."""
    share = (x.double().square().sum() / y.double().square().sum()).item()
    return round(max(NEAREST_DB, 10 * math.log10(share)), 3) + 0.0 if share > 0 else NEAREST_DB
