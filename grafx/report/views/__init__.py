"""What a node does, in plots: one module for each kind of processor."""

from ...data.configs import BUILT_IN_TYPES
from ..heard import Heard
from . import delay, dynamics, filter, modulation, other, reverb, shaper, stereo, synth
from .plots import View

KINDS = (dynamics, reverb, delay, modulation, stereo, shaper, synth, filter)
"""Modules with ``handles(processor)`` and ``views(heard, node_id)``, of which the first that handles one draws it; what
none handles is looked at as a filter, if it is linear."""


def views_of(heard: Heard, node_id: int) -> list[View]:
    """Draw what a node does; what no kind handles has at least the spectra of its input and output."""
    node_type = heard.G.nodes[node_id]["node_type"]
    if node_type in BUILT_IN_TYPES:
        return other.views(heard, node_id)
    processor = other.processor_of(heard, node_id)
    kind = next((kind for kind in KINDS if kind.handles(processor)), None)
    if kind is not None and (found := kind.views(heard, node_id)):
        return found
    as_filter = kind is None and len(heard.inputs[node_id]) == 1  # what another inlet moves has no response of its own
    return [*(filter.views(heard, node_id) if as_filter else []), *other.views(heard, node_id)]


__all__ = ["KINDS", "View", "views_of"]
