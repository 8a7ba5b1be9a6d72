"""Preparation of a render, under GRAFX's module name, with the index functions of its users."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .core import Access, Aggregation
from .plan import RenderData, prepare_render

__all__ = [
    "RenderData",
    "check_aggregate_method",
    "check_and_convert_arange",
    "create_per_type_indices",
    "get_incoming_edges",
    "prepare_render",
]


def check_and_convert_arange(idx: Tensor) -> Access:
    """Choose how to read rows ``(N,)``: as a slice if they are consecutive."""
    first = int(idx[0]) if len(idx) else 0
    if torch.equal(idx, torch.arange(first, first + len(idx), dtype=idx.dtype, device=idx.device)):
        return Access("slice", (first, first + len(idx)))
    return Access("index", idx)


def check_aggregate_method(scatter_idx: Tensor, node_list: Sequence[int]) -> Aggregation:
    """Choose how to sum rows, each of which belongs to the node in ``node_list`` given by ``scatter_idx`` ``(N,)``."""
    if torch.equal(scatter_idx.cpu(), torch.arange(len(node_list))):
        return Aggregation("none")
    if len(node_list) == 1:
        return Aggregation("sum")
    return Aggregation("scatter", scatter_idx)


def get_incoming_edges(edge_indices: Tensor, node_idxs: Tensor) -> Tensor:
    """Select the edges ``(2, E')`` of all ``(2, E)`` that lead to some of the nodes ``(N,)``."""
    return edge_indices[:, torch.isin(edge_indices[1], torch.as_tensor(node_idxs).to(edge_indices))]


def create_per_type_indices(node_types: Tensor) -> Tensor:
    """Number each node ``(V,)`` among those of its type, in the order of ids."""
    numbers = torch.zeros_like(node_types)
    for node_type in node_types.unique():
        of_type = node_types == node_type
        numbers[of_type] = torch.arange(int(of_type.sum()), dtype=numbers.dtype, device=numbers.device)
    return numbers
