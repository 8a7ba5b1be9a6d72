"""Distortions: the transfer curve."""

from typing import Any

import torch

from ... import processors as library
from ..heard import Heard
from . import other
from .plots import POINTS, View, axis, bounds, plot, series
from .probe import answer, num_channels

CLASSES = (
    library.ArctanDistortion,
    library.BitCrusher,
    library.ChebyshevDistortion,
    library.HardClip,
    library.PiecewiseTanhDistortion,
    library.PowerDistortion,
    library.SplineDistortion,
    library.TanhDistortion,
    library.Waveshaper,
)
STEPS, HOLD = 64, 1024  # samples for each point of the ramp, and of rest at its ends


def handles(processor: Any) -> bool:
    return isinstance(processor, CLASSES)


def views(heard: Heard, node_id: int) -> list[View]:
    """Output over input for a slow ramp from −1 to 1, with the dry part that is heard, and spectra."""
    ramp = torch.linspace(-1, 1, POINTS * STEPS, dtype=heard.sources.dtype)
    ends = torch.ones(HOLD, dtype=ramp.dtype)
    signal = torch.cat([-ends, ramp, ends]).expand(num_channels(heard, node_id), -1).contiguous()
    output = answer(heard, node_id, signal)[0][0].cpu()
    points = slice(HOLD + STEPS // 2, HOLD + len(ramp), STEPS)
    line = series("output", signal[0][points], output[points])
    low, high = bounds([line], 1.0, (-1000.0, 1000.0))
    unity = series("unchanged", [-1, 1], [-1, 1])
    curve = plot("Transfer curve", axis("Input", "", -1, 1), axis("Output", "", low, high), [line, unity])
    return [curve, *other.views(heard, node_id)]
