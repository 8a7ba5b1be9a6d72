"""Equalizers and filters: the magnitude response."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...parameters.curves import FILTERS, SMALL, decibels
from ..heard import Heard
from .plots import View, axis, bounds, hertz_axis, log_bins, plot, series
from .probe import IMPULSE, answer, is_linear, num_channels


def handles(processor: Any) -> bool:
    return isinstance(processor, FILTERS)


def views(heard: Heard, node_id: int) -> list[View]:
    """The magnitude of the frequency response, with the dry part that is heard; none where there is none."""
    for level, title in ((1.0, "Frequency response"), (SMALL, "Frequency response for soft signals")):
        if is_linear(heard, node_id, level):
            return [magnitudes(title, responses(heard, node_id, level), heard.sample_rate)]
    return []


def responses(heard: Heard, node_id: int, level: float = 1.0, length: int = IMPULSE) -> dict[str, Tensor]:
    """Impulse responses ``(length,)`` of a linear node, by what they are: one, or those of two channels or of outlets.

    Those of left and right are from each channel to itself, unless mid and side are what differs.
    """
    channels = num_channels(heard, node_id)
    names = heard.G.config[heard.G.nodes[node_id]["node_type"]]["outlets"]
    mid = _impulse(heard, node_id, [1.0] * channels, level, length)
    if len(mid) > 1:
        return {name: response[0] for name, response in zip(names, mid, strict=True)}
    (both,) = mid
    if channels == 1 or both.shape[0] == 1:
        return _named(("left", "right"), both)
    (side,) = _impulse(heard, node_id, [1.0, -1.0], level, length)
    if _same(both[0], both[1]) and _same(side[0], -side[1]):
        return _named(("mid", "side"), torch.stack([both[0], side[0]]))
    return _named(("left", "right"), torch.stack([(both[0] + side[0]) / 2, (both[1] - side[1]) / 2]))


def magnitudes(title: str, found: Mapping[str, Tensor], sample_rate: int) -> View:
    """A plot of the magnitudes of impulse responses, at frequencies of their transforms."""
    lines = []
    for name, response in found.items():
        spectrum = torch.fft.rfft(response.double())
        step = sample_rate / response.shape[-1]
        bins = log_bins(len(spectrum), step)
        lines.append(series(name, bins * step, decibels(spectrum[torch.from_numpy(bins)])))
    low, high = bounds(lines, 6.0, (-100.0, 100.0))
    return plot(title, hertz_axis(sample_rate), axis("Gain", "dB", low, high), lines)


def _impulse(heard: Heard, node_id: int, amplitudes: list[float], level: float, length: int) -> list[Tensor]:
    signal = torch.zeros(len(amplitudes), length, dtype=heard.sources.dtype)
    signal[:, length // 4] = level * torch.tensor(amplitudes, dtype=signal.dtype)
    return [outlet.cpu() / level for outlet in answer(heard, node_id, signal)]


def _named(names: tuple[str, ...], rows: Tensor) -> dict[str, Tensor]:
    if all(_same(rows[0], row) for row in rows):
        return {"all channels": rows[0]}
    return dict(zip(names, rows, strict=True))


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= 1e-4 * one.abs().max() + 1e-9)
