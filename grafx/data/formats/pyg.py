"""Conversion between graphs and ``torch_geometric`` data."""

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ...errors import GraphError
from ..cables import Cable, Fault, cable_faults
from ..cables import plugs as plugs_of
from ..configs import NodeConfigs
from ..conversion import convert_to_tensor
from ..graph import GRAFX
from ..tensor import GRAFXTensor

if TYPE_CHECKING:
    from torch_geometric.data import Data

Nodes = dict[int, dict[str, str]]
"""Row to the attributes of its node."""

FEATURES = ("one-hot", "index")


def to_pyg(G: GRAFX | GRAFXTensor, features: str = "one-hot") -> "Data":
    """Convert a graph to the input of a graph neural network.

    Row ``i`` is the node with the ``i``-th smallest id. The rows of one type are in the same order as the rows of its
    parameters in a render.

    Args:
        G: The graph, with or without a schedule.
        features: ``"one-hot"`` for tensors of 0 and 1 of the default dtype, ``"index"`` for integer tensors.

    Returns:
        A ``torch_geometric.data.Data`` of ``V`` nodes and ``E`` edges, on the device of ``G``:

        - ``x``: node types; one-hot ``(V, config.num_node_types)``, or indices ``(V,)``.
        - ``edge_index``: ``(2, E)`` source and destination rows.
        - ``edge_attr``: outlets and inlets; one-hot ``(E, config.max_num_outlets + config.max_num_inlets)``, outlet
          first, or indices ``(E, 2)``. Omitted where all types have at most one outlet and one inlet.
        - ``config_hash``: digest of the config, so that :func:`from_pyg` refuses another one.
        - ``rendering_order`` ``(V,)`` and ``rendering_order_method``: the schedule, if there is one.
        - ``batch``: ``(V,)`` the graph of each node, if ``G`` is a batch.

        Names and parameters of nodes and ``invalid_op`` are not converted.

    Raises:
        GraphError: ``features`` is unknown, ``G`` is a batch without graph indices, or it cannot be converted to
            tensors.
        ImportError: torch_geometric is not installed.
    """
    data_type = _pyg().Data
    if features not in FEATURES:
        raise GraphError(f"Unknown features {features!r}: use one of {', '.join(map(repr, FEATURES))}.")
    G_t = convert_to_tensor(G) if isinstance(G, GRAFX) else G
    if not isinstance(G_t, GRAFXTensor):
        raise GraphError(f"to_pyg takes a GRAFX or a GRAFXTensor, not {type(G).__name__}.")
    config, one_hot = G_t.config, features == "one-hot"
    fields: dict[str, Any] = {
        "x": _one_hot(G_t.node_types, config.num_node_types) if one_hot else G_t.node_types.clone(),
        "edge_index": G_t.edge_indices.clone(),
        "config_hash": config.content_hash,
    }
    if G_t.edge_types is not None:
        sizes = (config.max_num_outlets, config.max_num_inlets)
        plugs = [_one_hot(column, size) for column, size in zip(G_t.edge_types.T, sizes, strict=True)]
        fields["edge_attr"] = torch.cat(plugs, dim=1) if one_hot else G_t.edge_types.clone()
    if G_t.rendering_orders is not None:
        fields["rendering_order"] = G_t.rendering_orders.clone()
        fields["rendering_order_method"] = G_t.rendering_order_method
    if G_t.batch:
        fields["batch"] = _graph_indices(G)
    return data_type(**fields)


def from_pyg(data: "Data", config: NodeConfigs) -> GRAFXTensor:
    """Convert data made by :func:`to_pyg` or by a model to a graph.

    Other fields than those of :func:`to_pyg` are ignored; one-hot features and indices are distinguished by their
    shape. Only ``x``, ``edge_index`` and, where types have several inlets or outlets, ``edge_attr`` are needed.

    Args:
        data: A ``torch_geometric.data.Data``, or a ``Batch`` of them, which becomes a batch graph without a schedule.
            For the single graphs of a ``Batch``, call this on each of ``data.to_data_list()``.
        config: The node types.

    Returns:
        The graph as tensors, with its schedule if ``data`` has one, on the device of ``data``.

    Raises:
        GraphError: A field is missing or of the wrong shape, ``x`` or ``edge_attr`` are neither one-hot nor indices of
            ``config``, an edge leads nowhere, to its own source or is duplicated, the schedule does not fit, or
            ``data`` was made with another config.
        ImportError: torch_geometric is not installed.
    """
    pyg = _pyg()
    if not isinstance(data, pyg.Data):
        raise GraphError(f"from_pyg takes a torch_geometric Data or a Batch of them, not {type(data).__name__}.")
    if not isinstance(config, NodeConfigs):
        raise GraphError(f"config must be a NodeConfigs, not {type(config).__name__}: use NodeConfigs(...).")
    _refuse_other_config(data, config)
    node_types = _node_types(data, config)
    edges = _edges(data)
    plugs = _plugs(data, config, edges)
    _refuse_faults(config, node_types, edges, plugs)
    orders, method, type_sequence = _schedule(data, config, node_types, edges)
    return GRAFXTensor(
        node_types=node_types,
        edge_indices=edges,
        counter=len(node_types),
        batch="batch" in data,
        config=config,
        config_hash=config.content_hash,
        invalid_op="error",
        edge_types=None if config.siso_only else plugs,
        rendering_order_method=method,
        rendering_orders=orders,
        type_sequence=type_sequence,
    )


def _pyg():
    try:
        import torch_geometric.data
    except ImportError as error:
        raise ImportError('torch_geometric is missing: install it with pip install "grafx[pyg]".') from error
    return torch_geometric.data


def _one_hot(indices: torch.Tensor, size: int) -> torch.Tensor:
    return F.one_hot(indices, size).to(torch.get_default_dtype())


def _graph_indices(G: GRAFX | GRAFXTensor) -> torch.Tensor:
    """Return the graph index of each node of a batch."""
    indices = [] if isinstance(G, GRAFXTensor) else [G.nodes[i].get("graph_index") for i in sorted(G.nodes)]
    if isinstance(G, GRAFXTensor) or not all(isinstance(index, int) for index in indices):
        raise GraphError(
            "This batch no longer knows its graphs: convert what batch_grafx returned, or convert each graph and"
            " collate them with torch_geometric.data.Batch.from_data_list."
        )
    return torch.tensor(indices, dtype=torch.long)


def _refuse_other_config(data: "Data", config: NodeConfigs) -> None:
    stored = data.get("config_hash", [])
    hashes = {stored} if isinstance(stored, str) else set(stored)
    if hashes - {config.content_hash}:
        raise GraphError(
            f"data was made with another config (config_hash {', '.join(map(str, hashes))}) than the given one"
            f" ({config.content_hash}): give the config of the graph that was converted."
        )


def _tensor(data: "Data", field: str, shape: str) -> torch.Tensor:
    value = data.get(field)
    if not isinstance(value, torch.Tensor):
        found = "is missing" if value is None else f"is a {type(value).__name__}"
        raise GraphError(f"data.{field} {found}: it should be a tensor of shape {shape}.")
    if value.is_complex() or (value.layout != torch.strided):
        raise GraphError(f"data.{field} should be a dense tensor of real numbers, not {value.dtype}, {value.layout}.")
    return value.detach()


def _integers(value: torch.Tensor) -> bool:
    return not value.is_floating_point() and value.dtype != torch.bool


def _from_one_hot(field: str, value: torch.Tensor) -> torch.Tensor:
    wrong = ((value != 0) & (value != 1)).any(dim=1) | (value.sum(dim=1) != 1)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise GraphError(
            f"Row {row} of data.{field} is not one-hot: {value[row].tolist()}. Give indices instead, such as the argmax"
            " of a model's output, and keep other features in fields of their own."
        )
    return value.long().argmax(dim=1)


def _node_types(data: "Data", config: NodeConfigs) -> torch.Tensor:
    shape = f"(V, {config.num_node_types}) one-hot or (V,) of integers"
    x = _tensor(data, "x", shape)
    if x.ndim == 2 and x.shape[1] == config.num_node_types:
        return _from_one_hot("x", x)
    if not _integers(x) or (x.ndim != 1 and not (x.ndim == 2 and x.shape[1] == 1)):
        raise GraphError(f"data.x should be {shape}, not {tuple(x.shape)} of {x.dtype}.")
    types = x.reshape(-1).long().clone()
    wrong = (types < 0) | (types >= config.num_node_types)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise GraphError(
            f"Node {row} has the type index {int(types[row])}, while the config has {config.num_node_types} types."
        )
    return types


def _edges(data: "Data") -> torch.Tensor:
    edges = _tensor(data, "edge_index", "(2, E)")
    if edges.ndim != 2 or edges.shape[0] != 2 or not _integers(edges):
        raise GraphError(f"data.edge_index should be (2, E) of integers, not {tuple(edges.shape)} of {edges.dtype}.")
    return edges.long().clone()


def _plugs(data: "Data", config: NodeConfigs, edges: torch.Tensor) -> torch.Tensor:
    """``(E, 2)`` outlets and inlets."""
    num_edges, sizes = edges.shape[1], (config.max_num_outlets, config.max_num_inlets)
    if config.siso_only:
        return torch.zeros(num_edges, 2, dtype=torch.long, device=edges.device)
    shape = f"({num_edges}, {sum(sizes)}) one-hot or ({num_edges}, 2) of integers"
    plugs = _tensor(data, "edge_attr", shape)
    if plugs.shape == (num_edges, sum(sizes)):
        columns = [_from_one_hot("edge_attr", part) for part in plugs.split(sizes, dim=1)]
        plugs = torch.stack(columns, dim=1)
    elif plugs.shape != (num_edges, 2) or not _integers(plugs):
        raise GraphError(f"data.edge_attr should be {shape}, not {tuple(plugs.shape)} of {plugs.dtype}.")
    return plugs.long().clone()


def _refuse_faults(config: NodeConfigs, node_types: torch.Tensor, edges: torch.Tensor, plugs: torch.Tensor) -> None:
    nodes: Nodes = {node_id: {"node_type": config.node_types[t]} for node_id, t in enumerate(node_types.tolist())}
    cables: set[Cable] = set()
    for edge, (source, dest, outlet, inlet) in enumerate(torch.cat((edges.T, plugs), dim=1).tolist()):
        cable = source, dest, _plug(config, nodes, source, "outlet", outlet), _plug(config, nodes, dest, "inlet", inlet)
        if fault := next(cable_faults(nodes, config, cable, cables), None):
            number = outlet if fault.kind == "outlet" else inlet
            raise GraphError(_describe_fault(f"Edge {edge} of data.edge_index", fault, (source, dest), nodes, number))
        cables.add(cable)


def _plug(config: NodeConfigs, nodes: Nodes, node_id: int, side: str, number: int) -> str | None:
    """The name of an outlet or inlet, None where there is no such node or number."""
    names = plugs_of(config, nodes[node_id]["node_type"], side) if node_id in nodes else None
    return names[number] if names is not None and 0 <= number < len(names) else None


def _describe_fault(edge: str, fault: Fault, ends: tuple[int, int], nodes: Nodes, number: int) -> str:
    edge_with_ends = f"{edge}, {ends[0]} -> {ends[1]},"
    match fault.kind:
        case "missing":
            return f"{edge_with_ends} leads to a node that is not among the {len(nodes)}."
        case "loop":
            return f"{edge_with_ends} leads back to its own source."
        case "twice":
            return f"{edge_with_ends} is there twice with the same plugs."
        case side:
            node_type, count = nodes[fault.node_id]["node_type"], len(fault.names or ())
            return f"{edge} uses {side} {number} of node {fault.node_id}, while '{node_type}' has {count} of them."


def _schedule(data: "Data", config: NodeConfigs, node_types: torch.Tensor, edges: torch.Tensor) -> tuple:
    """Return orders, method and type sequence; none for a ``Batch``, whose graphs have separate schedules."""
    method = data.get("rendering_order_method")
    if not isinstance(method, str):
        return None, None, None
    num_nodes = len(node_types)
    orders = _tensor(data, "rendering_order", f"({num_nodes},)")
    if orders.shape != (num_nodes,) or not _integers(orders):
        raise GraphError(f"data.rendering_order should be ({num_nodes},), not {tuple(orders.shape)} of {orders.dtype}.")
    orders = orders.long().clone()
    fits = bool(((orders >= 0) & (orders < num_nodes)).all())
    if fits:
        sequence = torch.full((int(orders.max()) + 1 if num_nodes else 0,), -1, device=orders.device)
        sequence[orders] = node_types
        fits = bool((sequence >= 0).all() and (sequence[orders] == node_types).all())
        fits = fits and bool((orders[edges[0]] < orders[edges[1]]).all())
    if not fits:
        raise GraphError(
            "data.rendering_order is not a schedule of this graph, with steps 0, 1, … of one type each and sources"
            " first: delete it and data.rendering_order_method, and call reorder_for_fast_render on the result."
        )
    return orders, method, [config.node_types[t] for t in sequence.tolist()]
