"""Raw parameters as tensors, one row a node."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn as nn

from ..data.attributes import Settings
from ..data.graph import GRAFX
from ..data.queries import count_nodes_per_type, get_node_ids_from_type
from ..errors import GraphError
from ..processors.controls import shape_of
from ..trees import map_tensors
from .settings import raw_row, settings_of


def create_empty_parameters(processors: Mapping[str, Any], G: GRAFX, std: float = 0.01) -> nn.ParameterDict:
    """Random raw parameters for all nodes of a graph.

    Args:
        processors: Node type to processor.
        G: The graph.
        std: Standard deviation of the normal distribution they are drawn from.

    Returns:
        Type to (nested) parameters whose first axis runs over that type's nodes.
    """
    counts = count_nodes_per_type(G, processors)
    return nn.ParameterDict(
        {
            node_type: create_empty_parameters_from_shape_dict(
                processor.parameter_size(), counts[node_type], std=std, root=False
            )
            for node_type, processor in processors.items()
        }
    )


@torch.inference_mode(False)  # so that what is made can be trained later
def create_empty_parameters_from_shape_dict(
    parameter_shapes: Mapping[str, Any],
    num_nodes: int,
    std: float = 0.01,
    root: bool = True,  # noqa: ARG001 – accepted for compatibility
    device: torch.device | str = "cpu",
) -> nn.ParameterDict:
    """Random raw parameters of given shapes.

    Args:
        parameter_shapes: Name to an int, a tuple, or a nested dict of them: shapes without the batch axis.
        num_nodes: The length of the batch axis.
        std: Standard deviation of the normal distribution they are drawn from.
        root: Accepted for compatibility; a root and a nested dict are made alike.
        device: Where they are made.

    Returns:
        Parameters nested as ``parameter_shapes``.
    """
    parameters = nn.ParameterDict()
    for name, shape in parameter_shapes.items():
        if isinstance(shape, Mapping):
            parameters[name] = create_empty_parameters_from_shape_dict(shape, num_nodes, std, False, device)
        else:
            parameters[name] = nn.Parameter(std * torch.randn(num_nodes, *shape_of(shape), device=device))
    return parameters


def collect_parameters(G: GRAFX, node_types: Iterable[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Stack what nodes hold in their attribute ``parameters`` into the tensors that rendering takes.

    Args:
        G: The graph.
        node_types: Which types to collect, or a dict of their processors. With these, nodes may hold physical values of
            controls, such as ``{"threshold_db": -20}``, in place of raw tensors; controls that are missing are at
            their default. ``settings`` of a node that were edited count in place of its tensors.

    Returns:
        Type to (nested) dict of raw tensors whose first axis runs over that type's nodes in id order.

    Raises:
        GraphError: Nodes of a type have different parameters, or a parameter different shapes.
        ValueError: A control has a wrong name or value. The message names the node, the control and its range.

    Warns:
        GraphWarning: A physical value counts in place of a tensor.
    """
    processors = node_types if hasattr(node_types, "items") else dict.fromkeys(node_types)
    return {
        node_type: _stack(
            {
                i: raw_row(processor, G.nodes[i], f"Node {i} of type '{node_type}'")
                for i in get_node_ids_from_type(G, node_type)
            },
            node_type,
        )
        for node_type, processor in processors.items()
    }


def scatter_parameters(
    G: GRAFX, per_type_parameters: Mapping[str, Any], processors: Mapping[str, Any] | None = None
) -> None:
    """Give each node its row of the tensors that rendering takes: the inverse of :func:`collect_parameters`.

    Args:
        G: The graph, whose nodes' attribute ``parameters`` is set.
        per_type_parameters: Type to (nested) dict of tensors whose first axis runs over that type's nodes in id order.
        processors: Node type to processor. With these, nodes of types that have controls also get the attribute
            ``settings``: the same in physical values, for people to read and edit. It is saved and drawn, and what is
            edited counts, see :func:`collect_parameters`.
    """
    for node_type, tree in per_type_parameters.items():
        ids = get_node_ids_from_type(G, node_type)
        settings = settings_of((processors or {}).get(node_type), tree, len(ids))
        for row, node_id in enumerate(ids):
            data = G.nodes[node_id]
            data["parameters"] = map_tensors(tree, lambda tensor, row=row: tensor[row].detach().clone())
            data.pop("settings", None)
            if settings[row]:
                data["settings"] = Settings(settings[row], data["parameters"])


def _stack(trees: Mapping[int, Any], place: str) -> Any:
    first_id, first = next(iter(trees.items()), (None, {}))
    if isinstance(first, torch.Tensor):
        for node_id, value in trees.items():
            if getattr(value, "shape", None) != first.shape:
                raise GraphError(f"The parameter {place} of node {node_id} is shaped unlike that of node {first_id}.")
        return torch.stack(list(trees.values()))
    if not hasattr(first, "keys"):
        raise GraphError(f"The parameter {place} of node {first_id} is {first!r}, but should be a tensor.")
    for node_id, tree in trees.items():
        if not hasattr(tree, "keys") or set(tree) != set(first):
            raise GraphError(f"The parameters {place} of node {node_id} are named unlike those of node {first_id}.")
    return {name: _stack({i: tree[name] for i, tree in trees.items()}, f"{place}.{name}") for name in first}
