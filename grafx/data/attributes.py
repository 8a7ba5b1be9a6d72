"""What nodes hold beside their type: settings, and how much is heard of them."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .. import trees

WEIGHT = "drywet_weight"
"""Node attribute that holds how much of a processor's output is heard, from 0 to 1."""


BYPASS = "bypass"
"""Node attribute that is true where nothing of it is heard, whatever its weight."""


class Settings(dict):
    """Physical values of a node, which know the tensors that they tell of."""

    def __init__(self, values: Mapping[str, Any], parameters: Any) -> None:
        super().__init__(values)
        self.digest = _digest(parameters)


def held_settings(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The settings of a node; None where there are none, or where they are of other tensors than it has now."""
    settings = data.get("settings")
    if not isinstance(settings, Settings):
        return settings
    return settings if settings.digest == _digest(data.get("parameters")) else None


def _digest(tree: Any) -> str:
    """Of the tensors in a tree."""
    digest = hashlib.sha256()
    for path, value in sorted(trees.items(tree or {})) if hasattr(tree, "items") else ():
        if isinstance(value, Tensor):
            digest.update(repr((path, tuple(value.shape), value.dtype)).encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
