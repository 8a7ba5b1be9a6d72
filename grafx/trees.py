"""Nested dicts of tensors and numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

Path = tuple[str, ...]


def _flat(value: Any) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _items(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    for name, value in tree.items():
        if hasattr(value, "items"):
            yield from _items(value, (*path, name))
        else:
            yield (*path, name), value


def _paths(tree: Any) -> Iterator[Path]:
    return (path for path, _ in _items(tree))


def _at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree.get(name) if hasattr(tree, "get") else None
    return tree


def _put(tree: dict[str, Any], path: Path, value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _nested(path: Path, value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _joined(tree: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two nested dicts; the other takes precedence."""
    joined = dict(tree)
    for name, value in other.items():
        both = hasattr(value, "items") and hasattr(joined.get(name), "items")
        joined[name] = _joined(joined[name], value) if both else value
    return joined


def _copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(value) if isinstance(value, Mapping) else value for name, value in tree.items()}


def _batch(tree: Any) -> Any:
    return _map(tree, lambda tensor: tensor[None])


def _row(tree: Any) -> Any:
    return _map(tree, lambda tensor: tensor[0])


def _map(tree: Any, function: Any) -> Any:
    if isinstance(tree, Tensor):
        return function(tree)
    return {name: _map(value, function) for name, value in tree.items()}


def _map_three(before: Any, after: Any, raw: Any) -> Any:
    """Return ``after`` where it differs from ``before``, otherwise ``raw``."""
    if isinstance(raw, Tensor):
        kept = (before == after) | before.isnan()
        return torch.where(kept[0], raw, after[0].to(raw.dtype))
    return {name: _map_three(before[name], after[name], value) for name, value in raw.items()}
