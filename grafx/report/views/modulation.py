"""Effects that an LFO moves: their gain over time, or their response at some moments."""

from typing import Any

import numpy as np
import torch

from ... import processors as library
from ...processors.modulation.base import Modulated
from ..heard import Heard
from . import other
from .filter import magnitudes
from .plots import POINTS, View, axis, bounds, plot, series
from .probe import answer, answers, num_channels

GAINS = library.AutoPan, library.RingModulator, library.Tremolo
SECONDS = 2.0  # that are looked at
MOMENTS = 4
RESPONSE = 2**14  # samples


def handles(processor: Any) -> bool:
    return isinstance(processor, Modulated | library.RingModulator | library.RotarySpeaker)


def views(heard: Heard, node_id: int) -> list[View]:
    """How the gain of each channel moves in two seconds, or the response at four moments of them; and spectra."""
    processor = other.processor_of(heard, node_id)
    moving = _gains(heard, node_id) if isinstance(processor, GAINS) else _responses(heard, node_id)
    return [moving, *other.views(heard, node_id)]


def _gains(heard: Heard, node_id: int) -> View:
    length = int(SECONDS * heard.sample_rate)
    constant = torch.ones(num_channels(heard, node_id), length, dtype=heard.sources.dtype)
    rows = answer(heard, node_id, constant)[0].cpu()
    places = np.linspace(0, length - 1, POINTS).round().astype(int)
    names = ("left", "right") if len(rows) == 2 and not torch.equal(*rows) else ("all channels",)
    lines = [
        series(name, 1000 * places / heard.sample_rate, row[places]) for name, row in zip(names, rows, strict=False)
    ]
    low, high = bounds(lines, 1.0)
    return plot("Gain", axis("Time", "ms", 0, 1000 * SECONDS), axis("Gain", "", low, high), lines)


def _responses(heard: Heard, node_id: int) -> View:
    """Responses of the first channel to impulses at some moments, each for itself."""
    moments = [int(place * SECONDS / MOMENTS * heard.sample_rate) for place in range(MOMENTS)]
    impulses = torch.zeros(MOMENTS, num_channels(heard, node_id), moments[-1] + RESPONSE, dtype=heard.sources.dtype)
    for row, moment in zip(impulses, moments, strict=True):
        row[:, moment] = 1
    rows = answers(heard, node_id, impulses)[0][:, 0].cpu()
    found = {
        f"after {moment / heard.sample_rate:g} s": row[moment : moment + RESPONSE]
        for moment, row in zip(moments, rows, strict=True)
    }
    return magnitudes("Frequency response at some moments", found, heard.sample_rate)
