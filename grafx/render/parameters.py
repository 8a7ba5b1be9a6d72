"""Raw parameters with the layout for rendering: nodes on the first axis."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

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


def is_per_source(value: Tensor, size: Any, num_nodes: int, num_sources: int) -> bool:
    """Whether a parameter has the axes ``(sources, nodes, …)``."""
    if size is None:
        return value.shape[:2] == (num_sources, num_nodes)
    return value.ndim == 2 + len(shape_of(size))
