"""Nested dicts of tensors and numbers. Modules of parameters are dicts here, too."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

Path = tuple[str, ...]
"""The names that lead to a value."""


def items(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All values that are no dicts, with their paths."""
    for name, value in tree.items():
        if hasattr(value, "items"):
            yield from items(value, (*path, name))
        else:
            yield (*path, name), value


def content_of(tensor: Tensor) -> bytes:
    """The bytes of what a tensor holds, in its order, whatever its strides."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
    return plain.reshape(-1).view(torch.uint8).numpy().tobytes()


def paths(tree: Any) -> Iterator[Path]:
    return (path for path, _ in items(tree))


def tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors of a tree, or of a tensor that stands for one; of anything else, none."""
    if isinstance(tree, Tensor):
        yield tree
    elif hasattr(tree, "items"):
        yield from (value for _, value in items(tree) if isinstance(value, Tensor))


def numbers(value: Any) -> Iterator[Any]:
    """The numbers of nested lists, or what else is in their place."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from numbers(item)
    else:
        yield value


def at(tree: Any, path: Path) -> Any:
    """The value at a path, or None."""
    for name in path:
        tree = tree.get(name) if hasattr(tree, "get") else None
    return tree


def put(tree: dict[str, Any], path: Path, value: Any) -> None:
    """Set the value at a path."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def nested(path: Path, value: Any) -> Any:
    """The tree that has nothing but this value."""
    for name in reversed(path):
        value = {name: value}
    return value


def joined(tree: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both, and the other where they meet."""
    both = dict(tree)
    for name, value in other.items():
        meet = hasattr(value, "items") and hasattr(both.get(name), "items")
        both[name] = joined(both[name], value) if meet else value
    return both


def copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The dicts anew, with the same values."""
    return {name: copied(value) if isinstance(value, Mapping) else value for name, value in tree.items()}


def map_tensors(tree: Any, function: Callable[[Tensor], Any]) -> Any:
    """Apply a function to every tensor of a (nested) mapping; what is no tensor stays."""
    if isinstance(tree, Tensor):
        return function(tree)
    if hasattr(tree, "items"):
        return {name: map_tensors(value, function) for name, value in tree.items()}
    return tree


def batch(tree: Any) -> Any:
    """Tensors with an axis of length 1 in front."""
    return map_tensors(tree, lambda tensor: tensor[None])


def row(tree: Any) -> Any:
    """Tensors without their first axis: their first row."""
    return map_tensors(tree, lambda tensor: tensor[0])


def changed(before: Any, after: Any, raw: Any) -> Any:
    """The first row of ``after`` where it is not ``before``, and else ``raw``."""
    if isinstance(raw, Tensor):
        kept = (before == after) | before.isnan()
        return torch.where(kept[0], raw, after[0].to(raw.dtype))
    return {name: changed(before[name], after[name], value) for name, value in raw.items()}
