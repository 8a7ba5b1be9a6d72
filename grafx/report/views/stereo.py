"""Gains, panners and imagers: levels of the channels, and the width."""

import math
from typing import Any

import torch
from torch import Tensor

from ... import processors as library
from ..heard import Heard
from . import filter as filters
from . import other
from .plots import FLOOR_DB, View, rounded, text
from .probe import answer, num_channels

CLASSES = (
    library.HaasEnhancer,
    library.MidSideToStereo,
    library.MonoToStereo,
    library.Panner,
    library.Send,
    library.SideGainImager,
    library.StereoGain,
    library.StereoToMidSide,
    library.StereoWidener,
)
BY_FREQUENCY = library.HaasEnhancer, library.StereoWidener


def handles(processor: Any) -> bool:
    return isinstance(processor, CLASSES)


def views(heard: Heard, node_id: int) -> list[View]:
    """Levels of left and right for a sound in the middle, and the width; the curve of what depends on frequency."""
    data = heard.G.nodes[node_id]
    processor = other.processor_of(heard, node_id)
    names = heard.G.config[data["node_type"]]["outlets"]
    impulse = torch.zeros(num_channels(heard, node_id), 8192, dtype=heard.sources.dtype)
    impulse[:, 4096] = 1
    first, *others = answer(heard, node_id, impulse)
    if others:
        outlets = zip(names, (first, *others), strict=True)
        said = [f"{name}: {_level(outlet, impulse):.1f} dB" for name, outlet in outlets]
        return [text("Level of each outlet for a sound in the middle", "\n".join(said))]
    found = [_pan(heard, node_id, impulse, first)]
    return [*found, *(filters.views(heard, node_id) if isinstance(processor, BY_FREQUENCY) else [])]


def _pan(heard: Heard, node_id: int, impulse: Tensor, middle: Tensor) -> View:
    left, right = (_level(channel, impulse[:1]) for channel in (middle[:1], middle[-1:]))
    width = None
    if impulse.shape[0] == 2 and middle.shape[0] == 2:
        (sides,) = answer(heard, node_id, impulse * torch.tensor([[1.0], [-1.0]]).to(impulse))
        mid, side = middle[0] + middle[1], sides[0] - sides[1]
        width = (side.norm() / mid.norm()).item() if mid.any() else math.inf
    elif middle.shape[0] == 2:
        mid, side = middle[0] + middle[1], middle[0] - middle[1]
        width = (side.norm() / mid.norm()).item() if mid.any() else math.inf
    return {
        "kind": "pan",
        "title": "Pan and width",
        "pan_db": rounded(right - left),
        "left_db": rounded(left),
        "right_db": rounded(right),
        "width": None if width is None else rounded(width),
    }


def _level(after: Tensor, before: Tensor) -> float:
    ratio = (after.double().norm() / math.sqrt(after.shape[0]) * math.sqrt(before.shape[0]) / before.norm()).item()
    return max(20 * math.log10(ratio), FLOOR_DB) if ratio > 0 else FLOOR_DB
