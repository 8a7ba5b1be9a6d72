"""Compressors, gates and their kin: the static curve, and the gain over time."""

import math
from typing import Any

import torch
from torch import Tensor

from ... import processors as library
from ...parameters.curves import curved, decibels, static_gain
from ...processors.contract import contract_of
from ...processors.dynamics.base import KeyedGain
from ..heard import Heard
from . import other
from .plots import View, axis, bounds, plot, rms_over_time, series, times
from .probe import answers, num_channels

LOWEST_DB, STEP_DB = -80, 1
MEASURED = 4  # of so many levels one is measured where there is no formula
SILENT = 10 ** (-90 / 20)
SECONDS = 1.0  # until a gain has settled


def handles(processor: Any) -> bool:
    if isinstance(processor, KeyedGain | library.DeEsser | library.DynamicEqualizer):
        return True
    return any(curved(processor, {}))


def views(heard: Heard, node_id: int) -> list[View]:
    """The static curve of all bands, and how the gain went; both with the dry part that is heard."""
    processor = other.processor_of(heard, node_id)
    levels = torch.arange(LOWEST_DB, 1, STEP_DB, dtype=torch.float64)
    weight = heard.weights.get(node_id, 1.0)
    lines = []
    for name, member, raw in curved(processor, heard.parameters[node_id]):
        gain = 1 - weight + weight * static_gain(member, raw, levels)
        lines.append(series(name or "output", levels, levels + decibels(gain)))
    if not lines and not isinstance(processor, library.TransientShaper):
        lines = _measured(heard, node_id, processor, levels)
    found = []
    if lines:
        unity = series("unchanged", [LOWEST_DB, 0], [LOWEST_DB, 0])
        low, high = bounds(lines, 0.0)
        title = "Static curve" if not len(lines) > 1 else "Static curves of bands"
        output = axis("Output level", "dB", max(low, LOWEST_DB - 20), max(high, 0.0))
        found.append(plot(title, axis("Input level", "dB", LOWEST_DB, 0), output, [*lines, unity]))
    return [*found, gain_over_time(heard, node_id)]


def gain_over_time(heard: Heard, node_id: int) -> View:
    """A plot of the RMS of the output over that of the input, in short times."""
    before, after = next(iter(heard.inputs[node_id].values())), heard.outputs[node_id][0]
    levels, gained = rms_over_time(before), rms_over_time(after)
    gains = torch.where(levels > SILENT, decibels(gained / levels.clamp(min=SILENT)), math.nan)
    line = series("gain", times(heard.num_samples, heard.sample_rate, len(gains)), gains)
    low, high = bounds([line], 3.0, (-90.0, 60.0))
    seconds = axis("Time", "s", 0, heard.num_samples / heard.sample_rate)
    return plot("Gain over time", seconds, axis("Gain", "dB", low, high), [line])


def _measured(heard: Heard, node_id: int, processor: Any, levels: Tensor) -> list[dict[str, Any]]:
    """Curves of what has none by formula, from tones of some levels at the frequencies that it looks at."""
    levels = levels[::MEASURED]
    tones = _tones(processor, heard.parameters[node_id], heard.sample_rate)
    return [series(label, levels, levels + _steady_gains(heard, node_id, levels, hertz)) for label, hertz in tones]


def _tones(processor: Any, raw: Any, sample_rate: int) -> list[tuple[str, float]]:
    settings = contract_of(processor).raw_to_dsp(raw)
    if "frequency_hz" not in settings:
        return [("output", 1000.0)]
    found = settings["frequency_hz"][0].flatten().tolist()
    found = [min(hertz, 0.45 * sample_rate) for hertz in found]
    return [(f"tone of {hertz:.0f} Hz" if len(found) > 1 else "output", hertz) for hertz in found]


def _steady_gains(heard: Heard, node_id: int, levels: Tensor, hertz: float) -> Tensor:
    """Gains in dB of sines that have lasted for some time."""
    length = int(SECONDS * heard.sample_rate)
    sine = torch.sin(2 * math.pi * hertz / heard.sample_rate * torch.arange(length, dtype=torch.float64))
    tones = math.sqrt(2) * 10 ** (levels[:, None, None] / 20) * sine.expand(num_channels(heard, node_id), -1)
    tones = tones.to(heard.sources.dtype)
    after, before = answers(heard, node_id, tones)[0][..., length // 2 :], tones[..., length // 2 :]
    return decibels((after.double().square().mean((1, 2)) / before.double().square().mean((1, 2))).sqrt())
