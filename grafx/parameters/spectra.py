"""Spectra as controls, read and set by octave."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .. import trees
from ..errors import GraphError

OCTAVES = (31.5, 63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)
"""Centre frequencies in Hz of the octave bands by which a spectrum is read and set."""


def check_octaves(processor: Any, leaf: Any, numbers: Mapping[str, Any], like: Tensor) -> None:
    for label, value in numbers.items():
        if label not in (bands := bands_of(leaf.control)):
            raise GraphError(f"{leaf.name} has no octave {label!r}; it has {', '.join(bands)}")
        for number in trees.numbers(value):
            processor.complete(trees.nested(leaf.path, number), 1, like)
        shape = leaf.shape[:-1]
        if isinstance(value, list | tuple) and torch.tensor(value).shape != shape:
            raise GraphError(
                f"{leaf.name} at {label} is {value!r}, but should be a number{f' or {shape[0]}' * bool(shape)}"
            )


def shifted(values: Tensor, edits: Mapping[str, Any], leaf: Any) -> Tensor:
    """A spectrum with other means in some octaves: added to, or multiplied where its scale is logarithmic."""
    control, values, bands = leaf.control, values.clone(), bands_of(leaf.control)
    for label, number in edits.items():
        part = values[..., bands[label]]
        target = torch.as_tensor(number, dtype=values.dtype, device=values.device)
        now = mean_of(part, control)
        values[..., bands[label]] = (
            part * (target / now).unsqueeze(-1) if control.scale == "log" else part + (target - now).unsqueeze(-1)
        )
    return values


def bands_of(control: Any) -> dict[str, list[int]]:
    """Octaves that have frequencies, and which."""
    bands: dict[str, list[int]] = {}
    for index, hertz in enumerate(control.hertz):
        octave = round(math.log2(max(hertz, 1.0) / 1000)) + 5
        bands.setdefault(f"{OCTAVES[min(max(octave, 0), len(OCTAVES) - 1)]:g} Hz", []).append(index)
    return bands


def mean_of(values: Tensor, control: Any) -> Tensor:
    return values.log().mean(-1).exp() if control.scale == "log" else values.mean(-1)
