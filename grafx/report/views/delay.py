"""Delays: their echoes."""

import math
from typing import Any

import torch
from torch import Tensor

from ...parameters.curves import DELAYS, decibels
from ..heard import Heard
from .plots import POINTS, View, axis, channel_names, plot, series
from .reverb import impulse_response

RANGE_DB = 60
PARTS = 4000


def handles(processor: Any) -> bool:
    return isinstance(processor, DELAYS)


def views(heard: Heard, node_id: int) -> list[View]:
    """The times and levels of the echoes of the wet sound, for each channel."""
    response = impulse_response(heard, node_id)
    if not response.any():
        return []
    names = channel_names(response)
    top = response.square().sum(-1).max().sqrt().item()
    lines = []
    for name, row in zip(names, response, strict=False):
        places, amplitudes = taps(row)
        levels = decibels(amplitudes)
        heard_of = levels > 20 * math.log10(top) - RANGE_DB
        lines.append(series(name, 1000 * places[heard_of] / heard.sample_rate, levels[heard_of], "stems"))
    loudest = max((y for line in lines for y in line["y"]), default=0.0)
    last = max((x for line in lines for x in line["x"]), default=1.0)
    level = axis("Level", "dB", loudest - RANGE_DB, max(loudest, 0.0) + 3)
    return [plot("Echoes", axis("Time", "ms", 0, 1.05 * max(last, 1.0)), level, lines)]


def taps(response: Tensor) -> tuple[Tensor, Tensor]:
    """The echoes in ``(N,)``: the places in samples of at most 300, and the roots of their energies.

    The response falls into short parts; an echo is one that is louder than those beside it, with all three of them.
    """
    size = max(1, math.ceil(response.shape[-1] / PARTS))
    parts = torch.nn.functional.pad(response, (0, -response.shape[-1] % size)).reshape(-1, size).double()
    places = parts.abs().argmax(-1) + size * torch.arange(len(parts))
    before, energy, after = torch.nn.functional.pad(parts.square().sum(-1), (1, 1)).unfold(-1, 3, 1).unbind(-1)
    (chosen,) = torch.where((energy > before) & (energy >= after))
    chosen = chosen[energy[chosen].argsort(descending=True, stable=True)[:POINTS]].sort().values
    return places[chosen], (before + energy + after)[chosen].sqrt()
