"""Filters of several packages with the same signals and settings.

A function named ``<filter>_<package>`` imports its package and returns a function of signals and settings by name.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from .probes import probed

if TYPE_CHECKING:
    from torch import Tensor

Settings = Mapping[str, "Tensor"]
Function = Callable[["Tensor", Settings], "Tensor"]

SAMPLE_RATE = 44100
ORDER = 8
LADDER = {"frequency_hz": (200, 5000), "resonance": (0.1, 0.9)}
RANGES = {
    "ladder_24": LADDER,
    "ladder_12": LADDER,
    "butterworth": {"frequency_hz": (200, 5000)},
    "allpass": {"frequency_hz": (200, 5000), "q": (0.5, 5)},
}


def filtering(name: str, package: str, train: bool, signals: int, samples: int) -> Callable[[], dict[str, list[float]]]:
    """Filter stereo noise, without gradients or with those of signals and settings.

    Args:
        name: Name of the filter, a key of ``RANGES``.
        package: Package, as in the names of the functions of this module.
        train: Whether to compute gradients.
        signals: Number of signals, each with separate settings.
        samples: Length of the signals.

    Returns:
        A function to run, which returns as ``probes`` some numbers of the output, or of the signals' gradient.
    """
    import torch

    x = (torch.randn(signals, 2, samples) / 10).requires_grad_(train)
    settings = {
        key: torch.empty(signals).uniform_(*limits).requires_grad_(train) for key, limits in RANGES[name].items()
    }
    weights = torch.randn(x.shape)
    run_filter = globals()[f"{name}_{package}"]()

    def process(x: "Tensor", *values: "Tensor") -> "Tensor":
        return run_filter(x, dict(zip(settings, values, strict=True)))

    return probed(process, x, [*settings.values()], weights, train)


def _ladder_ours(mode: str, saturate: bool) -> Function:
    from grafx.processors import LadderFilter

    processor = LadderFilter(mode, saturate, SAMPLE_RATE)
    return lambda x, settings: processor(x, dsp_params=settings)


def _ladder_pedalboard(mode: str) -> Function:
    import torch
    from pedalboard import LadderFilter

    kind = getattr(LadderFilter.Mode, mode)

    def run(x: "Tensor", settings: Settings) -> "Tensor":
        ys = []
        for track, hertz, resonance in zip(x, settings["frequency_hz"], settings["resonance"], strict=True):
            plugin = LadderFilter(mode=kind, cutoff_hz=hertz.item(), resonance=resonance.item(), drive=1.0)
            ys.append(torch.from_numpy(plugin(track.numpy(), SAMPLE_RATE, reset=True)))
        return torch.stack(ys)

    return run


ladder_24_ours = partial(_ladder_ours, "low24", False)
ladder_24_ours_saturating = partial(_ladder_ours, "low24", True)
ladder_24_pedalboard = partial(_ladder_pedalboard, "LPF24")
ladder_12_ours = partial(_ladder_ours, "low12", False)
ladder_12_ours_saturating = partial(_ladder_ours, "low12", True)
ladder_12_pedalboard = partial(_ladder_pedalboard, "LPF12")


def butterworth_ours() -> Function:
    from grafx.processors import ButterworthFilter

    processor = ButterworthFilter(ORDER, sample_rate=SAMPLE_RATE)
    return lambda x, settings: processor(x, dsp_params=settings)


def butterworth_scipy() -> Function:
    import torch
    from scipy.signal import butter, sosfilt

    def run(x: "Tensor", settings: Settings) -> "Tensor":
        tracks = zip(x.numpy(), settings["frequency_hz"].tolist(), strict=True)
        ys = [sosfilt(butter(ORDER, hertz, fs=SAMPLE_RATE, output="sos"), track) for track, hertz in tracks]
        return torch.stack([torch.from_numpy(y) for y in ys])

    return run


def butterworth_torchaudio() -> Function:
    import torch
    from torchaudio.functional import lowpass_biquad

    qualities = [0.5 / math.cos(math.pi * (ORDER - 1 - 2 * k) / (2 * ORDER)) for k in range(ORDER // 2)]

    def run(x: "Tensor", settings: Settings) -> "Tensor":
        ys = []
        for track, hertz in zip(x, settings["frequency_hz"], strict=True):
            for q in qualities:
                track = lowpass_biquad(track, SAMPLE_RATE, hertz, q)
            ys.append(track)
        return torch.stack(ys)

    return run


def allpass_ours() -> Function:
    from grafx.processors import AllpassCascade

    processor = AllpassCascade(1, SAMPLE_RATE)

    def run(x: "Tensor", settings: Settings) -> "Tensor":
        return processor(x, dsp_params={name: value[:, None] for name, value in settings.items()})

    return run


def allpass_torchaudio() -> Function:
    import torch
    from torchaudio.functional import allpass_biquad

    def run(x: "Tensor", settings: Settings) -> "Tensor":
        tracks = zip(x, settings["frequency_hz"], settings["q"], strict=True)
        return torch.stack([allpass_biquad(track, SAMPLE_RATE, hertz, q) for track, hertz, q in tracks])

    return run
