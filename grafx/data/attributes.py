"""Attributes of nodes in addition to their type: settings, and dry/wet weight."""

import hashlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .. import trees

WEIGHT = "drywet_weight"
"""Node attribute for the dry/wet weight of a processor, from 0 to 1."""


BYPASS = "bypass"
"""Node attribute that is true where a processor is bypassed, whatever its dry/wet weight."""


CONSOLE_ID = "console_id"
"""Node attribute for the id of a node in the graph that a search began with; those of what it finds are others."""


class Settings(dict):
    """Physical values of a node, with the digest of the tensors that they describe."""

    def __init__(self, values: Mapping[str, Any], parameters: Any) -> None:
        super().__init__(values)
        self.digest = _digest(parameters)


def held_settings(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the settings of a node, or ``None`` if there are none or its tensors have changed since."""
    settings = data.get("settings")
    if not isinstance(settings, Settings):
        return settings
    return settings if settings.digest == _digest(data.get("parameters")) else None


def _digest(tree: Any) -> str:
    """Digest of the tensors in a tree."""
    digest = hashlib.sha256()
    for path, value in sorted(trees.items(tree or {})) if hasattr(tree, "items") else ():
        if isinstance(value, Tensor):
            digest.update(repr((path, tuple(value.shape), value.dtype)).encode())
            digest.update(trees.content_of(value))
    return digest.hexdigest()
