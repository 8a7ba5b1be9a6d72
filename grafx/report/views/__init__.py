"""What a node does, in plots: one module for each kind of processor."""

from typing import Any

from ...data.configs import BUILT_IN_TYPES
from ...search.mixing.weighted import inner
from ..heard import Heard
from . import delay, dynamics, filter, other, reverb, shaper, stereo, synth
from .plots import View

KINDS = (dynamics, reverb, delay, stereo, shaper, synth, filter)
"""Modules with ``handles(processor)`` and ``views(heard, node_id)``, of which the first that handles one draws it."""


def views_of(heard: Heard, node_id: int) -> list[View]:
    """Draw what a node does; what no kind handles has at least the spectra of its input and output."""
    node_type = heard.G.nodes[node_id]["node_type"]
    if node_type in BUILT_IN_TYPES:
        return other.views(heard, node_id)
    processor: Any = inner(heard.processors[node_type])
    kind = next((kind for kind in KINDS if kind.handles(processor)), other)
    return kind.views(heard, node_id) or other.views(heard, node_id)


__all__ = ["KINDS", "View", "views_of"]
