"""Settings of plug-ins that nodes were made of, which hold for as long as the nodes are as they were."""

from collections.abc import Mapping
from typing import Any

import torch

from ... import trees
from ..parts import Part
from .counterparts import counterpart
from .live import plugin_of
from .stages import Plug, Stages

MEMORY = "plugin"
"""Attribute of nodes: the class of a plug-in as ``kind``, and its ``settings``."""
CLOSE = 1e-5


def remembered(part: Part, data: Mapping[str, Any], sample_rate: int) -> Stages | None:
    """The plug-in that a node was made of, unless it has been changed since."""
    memory = data.get(MEMORY)
    if not isinstance(memory, Mapping) or part.wet != 1:
        return None
    kind, settings = memory.get("kind"), memory.get("settings")
    if not isinstance(kind, str) or not isinstance(settings, Mapping):
        return None
    own = Plug(kind, dict(settings))
    try:  # it may come from a file that somebody has edited
        made = counterpart(kind, settings, sample_rate, part.place)
        plugin_of(own)
    except (ValueError, KeyError, TypeError):
        return None
    return (own,) if made.type == part.type and _same(made.raw, part.raw) else None


def _same(raw: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    mine, theirs = dict(trees.items(raw)), dict(trees.items(other))
    return mine.keys() == theirs.keys() and all(
        torch.allclose(value, theirs[path].to(value), rtol=CLOSE, atol=CLOSE) for path, value in mine.items()
    )
