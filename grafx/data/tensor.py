"""Graphs as tensors, without Python objects for nodes and edges."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import torch

from ..errors import GraphError
from .configs import NodeConfigs


@dataclass(eq=False, repr=False)
class GRAFXTensor:
    """A graph of ``V`` nodes and ``E`` edges as integer tensors.

    Attributes:
        node_types: ``(V,)`` indices into ``config.node_types``.
        edge_indices: ``(2, E)`` source and destination ids.
        counter: The id of the next added node.
        batch: Whether it is a disjoint union of several graphs.
        config: The node types.
        config_hash: Digest of the config.
        invalid_op: As in :class:`GRAFX`.
        edge_types: ``(E, 2)`` outlet and inlet positions; ``None`` where all types have at most one of each.
        rendering_order_method: How the schedule was found, if it was.
        rendering_orders: ``(V,)`` the step in which each node is rendered.
        type_sequence: The node type of each step.
    """

    node_types: torch.Tensor
    edge_indices: torch.Tensor
    counter: int
    batch: bool
    config: NodeConfigs
    config_hash: str | None
    invalid_op: str
    edge_types: torch.Tensor | None = None
    rendering_order_method: str | None = None
    rendering_orders: torch.Tensor | None = None
    type_sequence: list[str] | None = None

    @property
    def num_nodes(self) -> int:
        return self.node_types.shape[0]

    @property
    def num_edges(self) -> int:
        return self.edge_indices.shape[1]

    def to(self, device: torch.device | str) -> "GRAFXTensor":
        """Return a copy with its tensors on ``device``."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in tensors.items() if isinstance(v, torch.Tensor)})

    def __repr__(self) -> str:
        lines = []
        for field in fields(self):
            value = getattr(self, field.name)
            shown = list(value.shape) if isinstance(value, torch.Tensor) else repr(value)
            lines.append(f"  {field.name}={shown}")
        return "GRAFXTensor(\n" + ",\n".join(lines) + "\n)"


def permute_grafx_tensor(
    G_t: GRAFXTensor,
    node_id: torch.Tensor,
    node_attrs: Iterable[str] = ("node_types", "rendering_orders"),
    id_attrs: Iterable[str] = ("edge_indices",),
) -> GRAFXTensor:
    """Renumber the nodes of a graph.

    Args:
        G_t: The graph.
        node_id: ``(V,)`` the new id of each node, a permutation of 0 … V−1.
        node_attrs: Attributes with one row for each node.
        id_attrs: Attributes that hold ids.

    Returns:
        A new graph; edges keep their order.

    Raises:
        GraphError: ``node_id`` is not a permutation.
    """
    if not torch.equal(node_id.sort().values, torch.arange(G_t.num_nodes, device=node_id.device)):
        raise GraphError(f"node_id must be a permutation of 0 … {G_t.num_nodes - 1}.")
    permuted = G_t.to(G_t.node_types.device)
    for name in node_attrs:
        value = getattr(G_t, name)
        if value is not None:
            setattr(permuted, name, torch.empty_like(value).index_copy_(0, node_id, value))
    for name in id_attrs:
        setattr(permuted, name, node_id[getattr(G_t, name)])
    return permuted
