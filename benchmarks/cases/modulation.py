"""Modulation effects."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .drums import drum_loop

if TYPE_CHECKING:
    from torch import Tensor

RATE = 44100


def modulating(effect: str, options: dict[str, Any], samples: int, train: bool) -> Callable[[], None]:
    """Process stereo noise with default settings, and with ``train`` the gradients of its energy.

    Args:
        effect: Name of the class.
        options: Options of the class.
        samples: Length of the signals.
        train: Whether to compute gradients.
    """
    import grafx.processors as library
    import torch

    processor = getattr(library, effect)(sample_rate=RATE, **options)
    x = torch.randn(1, 2, samples).requires_grad_(train)
    raw = {name: value.requires_grad_(train) for name, value in processor.dsp_to_raw({}, 1, x).items()}

    def run() -> None:
        with torch.set_grad_enabled(train):
            y = processor(x, **raw)
            if train:
                y.square().sum().backward()

    run()  # compiles, and loads libraries
    return run


def chorus_recovery(
    sound: str, seed: int, count: int, seconds: float, audio: str | None, plain: bool, quick: bool
) -> Callable[[], dict]:
    """Process a sound by choruses with random settings, and find these from input and output.

    Args:
        sound: ``"drums"`` or ``"chord"``.
        seed: Seed of the settings and of the search.
        count: Number of choruses.
        seconds: Maximum length of the sound.
        audio: A recording, in place of a drum loop.
        plain: Whether to descend from the defaults in place of a search.
        quick: Whether to run a search too short for a result.

    Returns:
        A function to run, which returns as ``choruses`` a dict for each: the ``asked`` and ``found`` settings by name,
            and the remaining ``error``.
    """
    from grafx.processors import Chorus

    from grafx.search import Level, invert_effect

    x, rate = _sound(sound, seconds, audio)
    asked = random_settings(count, seed)
    y = Chorus(sample_rate=rate)(x.expand(count, -1, -1), dsp_params=asked)
    options = {}
    if plain:
        options = {"candidates": 0, "levels": [Level(None, None, 1, 3 if quick else 300, 0.02)], "attempts": 1}
    elif quick:
        options = {"candidates": 8, "levels": [Level(250.0, 0.1, 2, 2, 0.02)], "attempts": 1}

    def run() -> dict[str, list[dict[str, Any]]]:
        inversions = [invert_effect(Chorus, x, wet, rate, seed=seed, **options) for wet in y]
        return {
            "choruses": [
                {
                    "asked": {name: values[row].item() for name, values in asked.items()},
                    "found": {name: inversion.settings[name] for name in asked},
                    "error": inversion.error,
                }
                for row, inversion in enumerate(inversions)
            ]
        }

    return run


def random_settings(count: int, seed: int) -> dict[str, "Tensor"]:
    """Draw settings ``(count,)`` of choruses; rates and depths on a logarithmic scale."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> "Tensor":
        return low + (high - low) * torch.rand(count, generator=generator)

    def log_uniform(low: float, high: float) -> "Tensor":
        return uniform(math.log(low), math.log(high)).exp()

    return {
        "rate_hz": log_uniform(0.2, 5.0),
        "depth_ms": log_uniform(0.5, 5.0),
        "delay_ms": uniform(7.0, 30.0),
        "mix": uniform(0.3, 0.8),
        "phase_cycles": uniform(0.0, 1.0),
    }


def _sound(sound: str, seconds: float, audio: str | None) -> tuple["Tensor", float]:
    """Load one channel, and its sample rate."""
    import torch
    from grafx.processors import SawOscillator

    from grafx.audio import read_audio

    samples = round(seconds * RATE)
    if sound == "chord":
        notes = {"frequency_hz": torch.tensor([110.0, 138.6, 164.8, 220.0])}
        return SawOscillator()(num_samples=samples, dsp_params=notes).mean(0), RATE
    if audio is None:
        return torch.from_numpy(drum_loop(samples, RATE)).mean(0, keepdim=True), RATE
    x, rate = read_audio(audio)
    return x[:, : round(seconds * rate)].mean(0, keepdim=True), rate
