"""Settings of plug-ins that nodes were made of, which hold for as long as the nodes are as they were."""

from collections.abc import Mapping
from typing import Any

import torch

from ... import trees
from ..parts import Part
from .counterparts import counterpart
from .stages import Plug, Stages

MEMORY = "plugin"
"""Attribute of nodes: the class of a plug-in as ``kind``, and its ``settings``."""
CLOSE = 1e-5


def remembered(part: Part, data: Mapping[str, Any], sample_rate: int) -> Stages | None:
    """The plug-in that a node was made of, unless it has been changed since."""
    memory = data.get(MEMORY)
    if not isinstance(memory, Mapping) or set(memory) != {"kind", "settings"} or part.wet != 1:
        return None
    try:
        made = counterpart(memory["kind"], memory["settings"], sample_rate, part.place)
    except (ValueError, KeyError, TypeError):
        return None
    if made.type != part.type or not _same(made.raw, part.raw):
        return None
    return (Plug(memory["kind"], dict(memory["settings"])),)


def _same(raw: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    mine, theirs = dict(trees.items(raw)), dict(trees.items(other))
    return mine.keys() == theirs.keys() and all(
        torch.allclose(value, theirs[path].to(value), rtol=CLOSE, atol=CLOSE) for path, value in mine.items()
    )
