"""Conversion between :class:`GRAFX` and :class:`GRAFXTensor`."""

from numbers import Integral

import torch

from ..errors import GraphError
from .cables import cable_faults
from .configs import BUILT_IN_TYPES, NodeConfigs
from .graph import GRAFX
from .tensor import GRAFXTensor


@torch.inference_mode(False)  # so that the result can be trained later
def convert_to_tensor(G: GRAFX) -> GRAFXTensor:
    """Turn a graph into tensors.

    Nodes are numbered 0, 1, … in the order of their ids, without gaps. A graph without a config gets one with the
    types, inlets and outlets that it uses.

    Args:
        G: The graph.

    Returns:
        Its tensors, on the CPU. Names and parameters of nodes are not included.

    Raises:
        GraphError: A node id is not an integer, or a node has no type.
    """
    config = infer_configs(G) if G.config is None else G.config
    ids = sorted(integer_ids(G))
    position = {node_id: i for i, node_id in enumerate(ids)}
    for node_id in ids:
        if _node_type(G, node_id) not in config:
            raise GraphError(f"Node {node_id} is of type {_node_type(G, node_id)!r}, which the graph's config lacks.")
    node_types = [config.node_type_to_index[_node_type(G, i)] for i in ids]
    edges = sorted(_edge_row(G, config, position, *edge) for edge in G.edges(data=True))
    table = torch.tensor(edges, dtype=torch.long).reshape(-1, 4)
    orders = [G.nodes[i].get("rendering_order") for i in ids]
    scheduled = G.rendering_order_method is not None and None not in orders
    return GRAFXTensor(
        node_types=torch.tensor(node_types, dtype=torch.long),
        edge_indices=table[:, :2].T.contiguous(),
        counter=len(ids),
        batch=G.batch,
        config=config,
        config_hash=config.content_hash,
        invalid_op=G.invalid_op,
        edge_types=None if config.siso_only else table[:, 2:].contiguous(),
        rendering_order_method=G.rendering_order_method if scheduled else None,
        rendering_orders=torch.tensor(orders, dtype=torch.long) if scheduled else None,
        type_sequence=G.type_sequence if scheduled else None,
    )


def convert_to_graph(G_t: GRAFXTensor) -> GRAFX:
    """Turn tensors back into a graph; nodes have neither names nor parameters.

    Args:
        G_t: The tensors.

    Returns:
        A graph whose ids are 0, 1, …, with the schedule if there is one.
    """
    config = G_t.config
    G = GRAFX(config=config)
    for index in G_t.node_types.tolist():
        G.add(config.node_types[index])
    for edge, (source_id, dest_id) in enumerate(G_t.edge_indices.T.tolist()):
        outlet, inlet = (0, 0) if G_t.edge_types is None else G_t.edge_types[edge].tolist()
        G.connect(
            source_id,
            dest_id,
            outlet=config[G.nodes[source_id]["node_type"]]["outlets"][outlet],
            inlet=config[G.nodes[dest_id]["node_type"]]["inlets"][inlet],
        )
    if G_t.rendering_orders is not None:
        for node_id, order in enumerate(G_t.rendering_orders.tolist()):
            G.nodes[node_id]["rendering_order"] = order
    G.batch = G_t.batch
    G.invalid_op = G_t.invalid_op
    G.rendering_order_method = G_t.rendering_order_method
    G.type_sequence = G_t.type_sequence
    return G


def infer_configs(G: GRAFX) -> NodeConfigs:
    """Infer the types of a graph without a config, with the inlets and outlets of its edges."""
    types: dict[str, dict[str, dict[str, None]]] = {}
    for node_id in G.nodes:
        types.setdefault(_node_type(G, node_id), {"inlets": {"main": None}, "outlets": {"main": None}})
    for source_id, dest_id, data in G.edges(data=True):
        for node_id, side, plug in ((source_id, "outlets", "outlet"), (dest_id, "inlets", "inlet")):
            if plug not in data:
                raise GraphError(f"Edge {source_id} -> {dest_id} has no {plug}: connect nodes with GRAFX.connect.")
            types[_node_type(G, node_id)][side][data[plug]] = None
    return NodeConfigs(
        {t: {side: list(plugs) for side, plugs in c.items()} for t, c in types.items() if t not in BUILT_IN_TYPES}
    )


def integer_ids(G: GRAFX) -> list[int]:
    """Return all node ids, which must be integers."""
    for node_id in G.nodes:
        if not isinstance(node_id, Integral):
            raise GraphError(f"Node id {node_id!r} is not an integer: use networkx.convert_node_labels_to_integers.")
    return list(G.nodes)


def _node_type(G: GRAFX, node_id: int) -> str:
    node_type = G.nodes[node_id].get("node_type")
    if not isinstance(node_type, str):
        raise GraphError(f"Node {node_id} has no node_type: add nodes with GRAFX.add.")
    return node_type


def _edge_row(G: GRAFX, config: NodeConfigs, position: dict, source_id: int, dest_id: int, data: dict) -> tuple:
    source_type, dest_type = G.nodes[source_id]["node_type"], G.nodes[dest_id]["node_type"]
    outlet, inlet = data.get("outlet", ""), data.get("inlet", "")
    for fault in cable_faults(G.nodes, config, (source_id, dest_id, outlet, inlet)):
        if fault.kind != "loop":  # which is a cycle, and refused by schedules
            raise GraphError(
                f"Edge {source_id} ({source_type}) -> {dest_id} ({dest_type}) has no such inlet or outlet:"
                f" {data.get(fault.kind, fault.kind)!r}."
            )
    return (
        position[source_id],
        position[dest_id],
        config.outlet_to_index[source_type][outlet],
        config.inlet_to_index[dest_type][inlet],
    )
