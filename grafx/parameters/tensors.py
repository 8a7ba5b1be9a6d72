"""Raw parameters as tensors, with one row per node."""

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
    """Create random raw parameters for all nodes of a graph.

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


@torch.inference_mode(False)  # so that the result can be trained later
def create_empty_parameters_from_shape_dict(
    parameter_shapes: Mapping[str, Any],
    num_nodes: int,
    std: float = 0.01,
    root: bool = True,  # noqa: ARG001 – accepted for compatibility
    device: torch.device | str = "cpu",
) -> nn.ParameterDict:
    """Create random raw parameters of given shapes.

    Args:
        parameter_shapes: Name to an int, a tuple, or a nested dict of them: shapes without the batch axis.
        num_nodes: The length of the batch axis.
        std: Standard deviation of the normal distribution they are drawn from.
        root: Accepted for compatibility and ignored.
        device: Device of the parameters.

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
    """Stack the ``parameters`` of nodes into the tensors for rendering.

    Args:
        G: The graph.
        node_types: Types to collect, or a dict of their processors. With processors, nodes may hold physical values of
            controls, such as ``{"threshold_db": -20}``, in place of raw tensors; omitted controls are at their
            default. Edited ``settings`` of a node override its tensors.

    Returns:
        Type to (nested) dict of raw tensors whose first axis runs over that type's nodes in id order.

    Raises:
        GraphError: Nodes of a type have different parameters, or a parameter has different shapes.
        ValueError: A control has a wrong name or value. The message names the node, the control and its range.

    Warns:
        GraphWarning: A physical value overrides a tensor.
    """
    processors: Any = node_types if hasattr(node_types, "items") else dict.fromkeys(node_types)
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
    """Write the rows of the tensors for rendering to the nodes, the inverse of :func:`collect_parameters`.

    Args:
        G: The graph, whose nodes' attribute ``parameters`` is set.
        per_type_parameters: Type to (nested) dict of tensors whose first axis runs over that type's nodes in id order.
        processors: Node type to processor. With processors, nodes of types with controls also get the attribute
            ``settings``: the same in physical values. It is saved and drawn, and edits of it take effect, see
            :func:`collect_parameters`.
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
