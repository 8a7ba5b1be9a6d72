"""Raw parameters with the layout for rendering: nodes on the first axis."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import RenderError
from ..parameters.tensors import shape_of


def nodes_first(tree: Mapping[str, Any], sizes: Mapping[str, Any], num_nodes: int, num_sources: int) -> dict[str, Any]:
    """Reorder parameters to the axes ``(nodes, sources, …)``.

    Args:
        tree: Name to a tensor ``(nodes, …)`` that all sources share or ``(sources, nodes, …)``, or to a nested dict.
        sizes: Name to the shape without these axes, nested likewise, as far as it is declared. An undeclared tensor
            that begins with ``(sources, nodes)`` is taken as given per source.
        num_nodes: Number of nodes.
        num_sources: Number of sources.
    """
    return {name: _nodes_first(value, sizes.get(name), num_nodes, num_sources) for name, value in tree.items()}


def _nodes_first(value: Any, size: Any, num_nodes: int, num_sources: int) -> Any:
    if hasattr(value, "items"):
        return nodes_first(value, size if isinstance(size, Mapping) else {}, num_nodes, num_sources)
    if not isinstance(value, Tensor):
        return value
    if is_per_source(value, size, num_nodes, num_sources):
        return value.transpose(0, 1)
    return value.unsqueeze(1).expand(value.shape[0], num_sources, *value.shape[1:])


def rows_in_order(tree: Any, sizes: Mapping[str, Any], rows: Sequence[int], node_type: str) -> Any:
    """Parameters of the nodes of a type in another order, which ``rows`` gives, with the axes that they have."""

    def ordered(value: Any, size: Any, name: str) -> Any:
        if hasattr(value, "items"):
            sizes = size if isinstance(size, Mapping) else {}
            return {key: ordered(item, sizes.get(key), f"{name}.{key}" if name else key) for key, item in value.items()}
        if not isinstance(value, Tensor):
            return value
        axis = 0 if size is None else value.ndim - 1 - len(shape_of(size))
        if axis not in (0, 1) or value.shape[axis : axis + 1] != (len(rows),):
            raise RenderError(
                f"The parameter '{name}' of type '{node_type}' has shape {tuple(value.shape)}, but should have"
                f" {len(rows)} row(s): one for each node."
            )
        return value.index_select(axis, torch.tensor(rows, device=value.device))

    return ordered(tree, sizes, "")


def row_of(tree: Any, sizes: Any, row: int) -> Any:
    """What a node has: ``(1, …)``, or where sources have parameters of their own, ``(sources, …)``."""
    if isinstance(tree, Tensor):
        per_source = isinstance(sizes, int | Sequence) and tree.ndim == 2 + len(shape_of(sizes))
        return tree[:, row] if per_source else tree[row : row + 1]
    if hasattr(tree, "items"):
        sizes = sizes if isinstance(sizes, Mapping) else {}
        return {key: row_of(value, sizes.get(key), row) for key, value in tree.items()}
    return tree


def is_per_source(value: Tensor, size: Any, num_nodes: int, num_sources: int) -> bool:
    """Whether a parameter has the axes ``(sources, nodes, …)``."""
    if size is None:
        return value.shape[:2] == (num_sources, num_nodes)
    return value.ndim == 2 + len(shape_of(size))
