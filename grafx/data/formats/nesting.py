"""Conversion between nested dicts of tensors and flat ones, with paths as names."""

from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ...errors import GraphError

MAX_LEVELS = 100
MAX_AXES = 64  # torch itself can do little with more
_MOVED = object()


def take_tensors(tree: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Copy the tensors of a nested mapping into ``tensors`` under their paths, and return the rest, if any."""
    rest = _take(tree, path, tensors)
    return None if rest is _MOVED else rest


def nest_tensors(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Convert a flat dict with paths as names to nested dicts."""
    tree: dict[str, Any] = {}
    for path, tensor in tensors.items():
        _check_path(path)
        if tensor.ndim > MAX_AXES:
            raise GraphError(f"the tensor '{path[:80]}' has {tensor.ndim} axes, which is more than {MAX_AXES}")
        *parents, name = path.split("/")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
            if isinstance(branch, torch.Tensor):
                break
        if isinstance(branch, torch.Tensor) or name in branch:
            raise GraphError(f"'{path[:80]}' or a part of that path is both a tensor and a dict")
        branch[name] = tensor
    return tree


def merge(plain: Any, tensors: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Put back the tensors taken out by :func:`take_tensors`."""
    if not isinstance(plain, dict):
        raise GraphError(f"{place} holds tensors and is not a dict")
    merged = dict(plain)
    for name, value in tensors.items():
        if isinstance(value, dict):
            merged[name] = merge(merged.get(name, {}), value, f"{place}/{name}")
        elif name in merged:
            raise GraphError(f"{place}/{name} is both a tensor and something else")
        else:
            merged[name] = value
    return merged


def _take(tree: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(tree, torch.Tensor):
        _check_path(path)
        tensors[path] = _copy(tree, path)
        return _MOVED
    if not hasattr(tree, "items"):
        return tree
    rest = {}
    for name, value in tree.items():
        if not isinstance(name, str) or "/" in name:
            raise GraphError(f"the parameter name {name!r} must be a string without '/', which separates nested names")
        if path.count("/") > MAX_LEVELS:
            raise GraphError(f"'{path[:80]}…' is nested more than {MAX_LEVELS} levels deep")
        plain = _take(value, f"{path}/{name}", tensors)
        if plain is not _MOVED:
            rest[name] = plain
    return _MOVED if tree and not rest else rest


def _check_path(path: str) -> None:
    if path.count("/") > MAX_LEVELS:
        raise GraphError(f"'{path[:80]}…' is nested more than {MAX_LEVELS} levels deep")
    root, *names = path.split("/")
    if root not in ("node", "type") or len(names) < 2 or "" in names:
        raise GraphError(f"'{path[:80]}' is no 'node/<id>/<parameter>' or 'type/<node type>/<parameter>'")


def _copy(tensor: torch.Tensor, path: str) -> torch.Tensor:
    try:
        copy = tensor.detach().cpu().contiguous().clone()
        load(save({path: copy.new_empty(0)}))
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError, SafetensorError) as error:
        kind = f"{tensor.dtype}, {tensor.layout}"
        raise GraphError(f"the tensor '{path}' ({kind}) is of a kind that safetensors files cannot hold") from error
    return copy
