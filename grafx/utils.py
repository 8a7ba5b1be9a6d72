"""Documented import path of helpers for graphs and parameters."""

from .data.queries import count_nodes_per_type, get_node_ids_from_type
from .data.tensor import permute_grafx_tensor
from .parameters.tensors import (
    collect_parameters,
    create_empty_parameters,
    create_empty_parameters_from_shape_dict,
    map_tensors,
    scatter_parameters,
    shape_of,
)

__all__ = [
    "collect_parameters",
    "count_nodes_per_type",
    "create_empty_parameters",
    "create_empty_parameters_from_shape_dict",
    "get_node_ids_from_type",
    "map_tensors",
    "permute_grafx_tensor",
    "scatter_parameters",
    "shape_of",
]
