"""The graph as tensors, without Python objects for nodes and edges."""

from dataclasses import dataclass, fields, replace

import torch

from .configs import NodeConfigs


@dataclass(eq=False, repr=False)
class GRAFXTensor:
    """A graph of ``V`` nodes and ``E`` edges as tensors of integers.

    Attributes:
        node_types: ``(V,)`` indices into ``config.node_types``.
        edge_indices: ``(2, E)`` source and destination ids.
        counter: The number that the next node would get.
        batch: Whether it is a disjoint union of several graphs.
        config: The node types.
        config_hash: Digest of their content.
        invalid_op: As in :class:`GRAFX`.
        edge_types: ``(E, 2)`` outlet and inlet positions; ``None`` where all types have at most one of each.
        rendering_order_method: How the schedule was found, if it was.
        rendering_orders: ``(V,)`` the step in which each node is rendered.
        type_sequence: The node type of each step.
    """

    node_types: torch.LongTensor
    edge_indices: torch.LongTensor
    counter: int
    batch: bool
    config: NodeConfigs
    config_hash: str | None
    invalid_op: str
    edge_types: torch.LongTensor | None = None
    rendering_order_method: str | None = None
    rendering_orders: torch.LongTensor | None = None
    type_sequence: list[str] | None = None

    @property
    def num_nodes(self) -> int:
        return self.node_types.shape[0]

    @property
    def num_edges(self) -> int:
        return self.edge_indices.shape[1]

    def to(self, device: torch.device | str) -> "GRAFXTensor":
        """The same with its tensors on ``device``."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in tensors.items() if isinstance(v, torch.Tensor)})

    def __repr__(self) -> str:
        lines = []
        for field in fields(self):
            value = getattr(self, field.name)
            shown = list(value.shape) if isinstance(value, torch.Tensor) else repr(value)
            lines.append(f"  {field.name}={shown}")
        return "GRAFXTensor(\n" + ",\n".join(lines) + "\n)"
