"""Compressors of several packages with the same signals and settings.

A function named ``<processor>_<package>`` imports its package and returns a function of signals and settings by name.
``<processor>_ours_like_<package>`` is our processor, arranged to compute the same as that package.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .kernels import PROBES

if TYPE_CHECKING:
    from torch import Tensor

Settings = Mapping[str, "Tensor"]
Function = Callable[["Tensor", Settings], "Tensor"]

SAMPLE_RATE = 44100
BURST = SAMPLE_RATE // 4
COMPRESSOR = {
    "threshold_db": (-40, -10),
    "ratio": (2, 8),
    "knee_db": (3, 9),
    "attack_ms": (1, 30),
    "release_ms": (50, 300),
    "makeup_db": (0, 6),
}
RANGES = {
    "one_band": COMPRESSOR,
    "three_bands": {f"band{band}_{name}": limits for band in range(3) for name, limits in COMPRESSOR.items()}
    | {"crossover0_freq": (100, 400), "crossover1_freq": (1500, 5000)},
}

TEN_TO_NINETY_PERCENT = 1 / 2.2
"""What a time from 10 to 90 % is multiplied by for that to 1 − 1/e."""


def compressing(
    processor: str, package: str, train: bool, signals: int, samples: int
) -> Callable[[], dict[str, list[float]]]:
    """Compress stereo bursts of noise, without gradients or with those of signals and settings.

    Args:
        processor: ``one_band`` or ``three_bands``.
        package: Package, as in the names of the functions of this module.
        train: Whether to compute gradients.
        signals: Number of signals, each with separate settings.
        samples: Length of the signals.

    Returns:
        A function to run, which returns as ``probes`` some numbers from the last quarter of the output, or of the
            signals' gradient, where the initial states have decayed in all packages.
    """
    import torch

    bursts = torch.exp(-6 * (torch.arange(samples) % BURST) / BURST)
    x = (torch.randn(signals, 2, samples) * bursts).requires_grad_(train)
    settings = {
        name: torch.empty(signals).uniform_(*limits).requires_grad_(train) for name, limits in RANGES[processor].items()
    }
    weights = torch.randn(x.shape)
    compress = globals()[f"{processor}_{package}"]()

    def run() -> dict[str, list[float]]:
        y = compress(x, settings)
        if train:
            y, *_ = torch.autograd.grad(y, [x, *settings.values()], weights, allow_unused=True)
        late = y[..., -samples // 4 :].flatten()
        return {"probes": late[:: late.numel() // PROBES].tolist()}

    return run


def one_band_ours() -> Function:
    from grafx.processors import Compressor

    compressor = Compressor(style="desk", sample_rate=SAMPLE_RATE)
    return lambda x, settings: compressor(x, dsp_params=settings)


def one_band_difffx() -> Function:
    from diffFx_pytorch.processors.dynamics import Compressor

    compressor = Compressor(SAMPLE_RATE, knee_type="quadratic")
    return lambda x, settings: compressor(x, dsp_params=dict(settings))


def one_band_ours_like_difffx() -> Function:
    """Detect the mean of both channels, and smooth the gain in decibels."""
    from grafx.processors import Compressor

    compressor = Compressor(None, "ballistics", True, makeup=True, sidechain=True, sample_rate=SAMPLE_RATE)

    def compress(x: "Tensor", settings: Settings) -> "Tensor":
        times = {f"gain_{name}": settings[name] * TEN_TO_NINETY_PERCENT for name in ("attack_ms", "release_ms")}
        return compressor(x, x.mean(1, keepdim=True), dsp_params={**_curve(settings), **times})

    return compress


def one_band_torchcomp() -> Function:
    from torchcomp import compexp_gain, ms2coef

    def compress(x: "Tensor", settings: Settings) -> "Tensor":
        level = (x.square().mean(1) + 1e-13).sqrt()
        attack, release = (ms2coef(settings[name], SAMPLE_RATE) for name in ("attack_ms", "release_ms"))
        gain = compexp_gain(level, settings["threshold_db"], settings["ratio"], -150.0, 0.999, attack, release)
        return x * gain.unsqueeze(1) * _amplitude(settings["makeup_db"]).view(-1, 1, 1)

    return compress


def one_band_ours_like_torchcomp() -> Function:
    """Smooth the gain, with a hard knee."""
    from grafx.processors import Compressor

    compressor = Compressor(None, "ballistics", knee="hard", makeup=True, sample_rate=SAMPLE_RATE)

    def compress(x: "Tensor", settings: Settings) -> "Tensor":
        times = {f"gain_{name}": settings[name] * TEN_TO_NINETY_PERCENT for name in ("attack_ms", "release_ms")}
        curve = {name: value for name, value in _curve(settings).items() if name != "knee_db"}
        return compressor(x, dsp_params={**curve, **times})

    return compress


def one_band_dasp() -> Function:
    from dasp_pytorch.functional import compressor

    names = ("threshold_db", "ratio", "attack_ms", "release_ms", "knee_db", "makeup_db")
    return lambda x, settings: compressor(x, SAMPLE_RATE, *(settings[name] for name in names))


def one_band_ours_like_dasp() -> Function:
    """Detect the sum of both channels, and smooth the gain in decibels with the attack alone."""
    from grafx.processors import Compressor

    compressor = Compressor(None, "iir", True, makeup=True, sidechain=True, sample_rate=SAMPLE_RATE)

    def compress(x: "Tensor", settings: Settings) -> "Tensor":
        time = settings["attack_ms"] / math.log(9)
        return compressor(x, x.sum(1, keepdim=True), dsp_params={**_curve(settings), "gain_smoothing_ms": time})

    return compress


def one_band_grafx06() -> Function:
    import torch
    from grafx.processors import Compressor

    compressor = Compressor(energy_smoother="ballistics", flashfftconv=False)
    per_db = math.log(10) / 10

    def compress(x: "Tensor", settings: Settings) -> "Tensor":
        curve = _curve(settings)
        times = torch.stack([settings["release_ms"], settings["attack_ms"]], -1)
        raw = {
            "log_threshold": curve["threshold_db"].unsqueeze(-1) * per_db + 6,
            "log_ratio": (curve["ratio"].unsqueeze(-1) - 1).log(),
            "log_knee": (curve["knee_db"].unsqueeze(-1) * per_db).log(),
            "z_alpha_pre": torch.expm1(1000 / SAMPLE_RATE / times).log(),
        }
        return compressor(x, **raw) * _amplitude(settings["makeup_db"]).view(-1, 1, 1)

    return compress


def three_bands_ours() -> Function:
    from grafx.processors import MultiBandCompressor

    compressor = MultiBandCompressor(SAMPLE_RATE)
    return lambda x, settings: compressor(x, dsp_params=settings)


def three_bands_difffx() -> Function:
    from diffFx_pytorch.processors.dynamics import MultiBandCompressor

    compressor = MultiBandCompressor(SAMPLE_RATE)
    return lambda x, settings: compressor(x, dsp_params=dict(settings))


def _curve(settings: Settings) -> dict[str, "Tensor"]:
    """Settings of a static curve."""
    return {name: settings[name] for name in ("threshold_db", "ratio", "knee_db", "makeup_db")}


def _amplitude(db: "Tensor") -> "Tensor":
    return 10 ** (db / 20)
