"""Synthesizers and envelopes: what they play."""

import math
from typing import Any

import torch

from ...processors.contract import contract_of
from ...processors.synth.base import Generator
from ...processors.synth.envelope import Envelope
from ..heard import Heard
from . import other
from .plots import POINTS, View, axis, blocks, bounds, plot, series, times

CLOSE = 0.02  # s of a waveform that is seen sample by sample


def handles(processor: Any) -> bool:
    return isinstance(processor, Generator | Envelope) or not contract_of(processor).inlets


def views(heard: Heard, node_id: int) -> list[View]:
    """The waveform of the whole, of its loudest moment, and spectra."""
    signal, rate = heard.outputs[node_id][0], heard.sample_rate
    parts, _ = blocks(signal)
    middles = times(signal.shape[-1], rate, len(parts))
    tops = torch.stack([signal[:, part].max() for part in parts])
    bottoms = torch.stack([signal[:, part].min() for part in parts])
    lines = [series("highest", middles, tops, "area"), series("lowest", middles, bottoms, "area")]
    low, high = bounds(lines, 1e-3)
    seconds = axis("Time", "s", 0, signal.shape[-1] / rate)
    whole = plot("Waveform", seconds, axis("Amplitude", "", low, high), lines)
    return [whole, _close(heard, node_id), *other.views(heard, node_id)]


def _close(heard: Heard, node_id: int) -> View:
    signal, rate = heard.outputs[node_id][0], heard.sample_rate
    length = min(signal.shape[-1], max(2, int(CLOSE * rate)))
    start = min(int(signal.abs().amax(0).argmax()), signal.shape[-1] - length)
    step = max(1, math.ceil(length / POINTS))
    piece = signal[0, start : start + length : step]
    line = series("amplitude", [1000 * (start + i * step) / rate for i in range(len(piece))], piece)
    low, high = bounds([line], 1e-3)
    milliseconds = axis("Time", "ms", line["x"][0], line["x"][-1])
    return plot("Waveform where it is loudest", milliseconds, axis("Amplitude", "", low, high), [line])
