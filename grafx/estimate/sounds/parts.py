"""Parts of voices: oscillators, noise, envelopes and filters of a batch of notes."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch.nn as nn
from torch import Tensor

from ...processors import ExponentialEnvelope, WhiteNoise

HIGHEST = 0.45
"""Highest frequency of a part, relative to the sample rate."""


@cache
def made(kind: type[nn.Module], sample_rate: int, *inlets: str) -> Any:
    """A processor, made once."""
    return kind(inlets, sample_rate=sample_rate) if inlets else kind(sample_rate=sample_rate)


def tone(kind: type[nn.Module], hertz: Tensor, num_samples: int, sample_rate: int) -> Tensor:
    """An oscillator of constant pitches ``(B,)``: ``(B, 1, L)``."""
    pitches = {"frequency_hz": possible(hertz, sample_rate)}
    return made(kind, sample_rate)(num_samples=num_samples, dsp_params=pitches)


def noise(settings: Mapping[str, Tensor], num_samples: int, sample_rate: int) -> Tensor:
    return made(WhiteNoise, sample_rate)(num_samples=num_samples, dsp_params={"seed": settings["seed"]})


def decay(rate: Tensor, num_samples: int, sample_rate: int) -> Tensor:
    """An exponential of rates ``(B,)`` per second."""
    return made(ExponentialEnvelope, sample_rate)(num_samples=num_samples, dsp_params={"decay_rate": rate})


def filtered(kind: type[nn.Module], signal: Tensor, hertz: Tensor, sample_rate: int) -> Tensor:
    return made(kind, sample_rate)(signal, dsp_params={"frequency_hz": possible(hertz, sample_rate)})


def possible(hertz: Tensor, sample_rate: int) -> Tensor:
    return hertz.clamp(max=HIGHEST * sample_rate)
