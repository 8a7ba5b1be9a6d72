"""Conversion between a graph and plain data, as in ``graph.json``; untrusted data is validated."""

import reprlib
import sys
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from ...errors import GraphError
from ..attributes import held_settings
from ..cables import Cable, Fault, cable_faults
from ..configs import NodeConfigs
from ..graph import GRAFX
from .strict_json import find_problem

FORMAT_VERSION = 2
MAX_ID = 2**63 - 2  # so that the next one still fits a tensor of integers
MAX_EMPTY_GRAPHS = 1000  # in a batch, whose number of graphs is otherwise at most that of its nodes

SETTINGS_VERSION = 2  # 1, which is not written, had ratios and times that were not always those that are heard
_SETTINGS = "settings_version"

Document = dict[str, Any]

_RESERVED = ("node_type", "name", "parameters", "position")
_ENTRIES = ("format", "version", "parameters_sha256", "config", "graph", "nodes", "edges", "metadata")
_NODE_ENTRIES = ("id", "type", "name", "parameters", "position", "attributes")
_PLUGS = ("outlet", "inlet")
_EDGE_ENTRIES = ("source", "dest", *_PLUGS, "attributes")
_GRAPH_ENTRIES: dict[str, tuple[type, ...]] = {
    "counter": (int,),
    "consecutive_ids": (bool,),
    "batch": (bool,),
    "num_graphs": (int,),
    "invalid_op": (str,),
    "rendering_order_method": (str, type(None)),
    "type_sequence": (list, type(None)),
}
_WORDS = {
    int: "a whole number",
    bool: "true or false",
    str: "a text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_UNSCHEDULE = "order the graph anew, or set 'rendering_order_method' and 'type_sequence' to null"


def make_document(G: GRAFX, parameters: Mapping[int, Any], digest: str, metadata: Mapping[str, Any] | None) -> Document:
    """Convert a graph without its tensors to plain data.

    Args:
        G: The graph.
        parameters: Node id to its parameters other than tensors.
        digest: SHA-256 of the file that holds the tensors.
        metadata: Any other JSON data.

    Raises:
        GraphError: JSON cannot represent an attribute or the metadata, or a node or edge was not made by
            :class:`GRAFX`.
    """
    if not isinstance(metadata, Mapping | None):
        raise GraphError(f"metadata must be a dict, not {reprlib.repr(metadata)}")
    document = {
        "format": "grafx",
        "version": FORMAT_VERSION,
        "parameters_sha256": digest,
        "config": None if G.config is None else G.config.node_type_dict,
        "graph": {key: value for key, value in G.graph.items() if key not in ("config", "config_hash")},
        "nodes": [_node_entry(node_id, G.nodes[node_id], parameters.get(node_id)) for node_id in sorted(G.nodes)],
        "edges": [_edge_entry(*edge) for edge in G.edges(data=True)],
        "metadata": dict(metadata or {}),
    }
    if any("settings" in node.get("attributes", ()) for node in document["nodes"]):
        document["graph"][_SETTINGS] = SETTINGS_VERSION
    if problem := find_problem(document):
        path, text = problem
        raise GraphError(f"{_place(document, path)} {text}")
    return document


def has_present_settings(document: Document) -> bool:
    """Whether settings have the current format, so that they can be compared with tensors."""
    return document.get("graph", {}).get(_SETTINGS) == SETTINGS_VERSION


def parse_document(document: Any) -> tuple[GRAFX, str | None, dict[str, Any]]:
    """Convert plain data to the graph, the digest of the file that holds its tensors, and the metadata.

    Raises:
        GraphError: The document is of another format or a later version, or describes a graph that is not valid. The
            message names the entry.
    """
    document = _upgrade(document)
    _refuse_unknown("the file", document, _ENTRIES)
    digest = _entry("the file", document, "parameters_sha256", str, type(None))
    return parse_graph(document), digest, _entry("the file", document, "metadata", dict, default={})


def parse_graph(document: Document) -> GRAFX:
    """Build the graph from the entries ``config``, ``graph``, ``nodes`` and ``edges``.

    Raises:
        GraphError: It is not valid. The message names the entry.
    """
    config = _entry("the file", document, "config", dict, list, type(None))
    try:
        G = GRAFX(config=None if config is None else NodeConfigs(config))
    except ValueError as error:
        raise GraphError(f"the config is not valid: {str(error)[:200]}") from error
    for index, node in enumerate(_entry("the file", document, "nodes", list)):
        _add_node(G, f"nodes[{index}]", node)
    edges: set[Cable] = set()
    for index, edge in enumerate(_entry("the file", document, "edges", list)):
        _add_edge(G, f"edges[{index}]", edge, edges)
    _set_graph_attributes(G, _entry("the file", document, "graph", dict))
    _check_schedule(G)
    _check_batch(G)
    return G


# Versions


def _upgrade(document: Any) -> Document:
    if not isinstance(document, dict) or document.get("format") != "grafx":
        raise GraphError("its entry 'format' should be 'grafx': it is no saved graph")
    version = document.get("version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise GraphError(
            f"it has format version {reprlib.repr(version)}, and this package reads 1 to {FORMAT_VERSION}: update grafx"
        )
    # Numbers that are not finite could be saved in version 1.
    if version > 1 and (problem := find_problem(document)):
        path, text = problem
        raise GraphError(f"{_place(document, path)} {text}")
    for older in range(version, FORMAT_VERSION):
        document = _UPGRADES[older](document)
    return document


def _from_version_1(document: Document) -> Document:
    nodes = document.get("nodes")
    nodes = [_with_position(node) for node in nodes] if isinstance(nodes, list) else nodes
    return {**document, "version": 2, "parameters_sha256": None, "nodes": nodes}


def _with_position(node: Any) -> Any:
    attributes = node.get("attributes") if isinstance(node, dict) else None
    if not isinstance(attributes, dict) or "position" not in attributes:
        return node
    rest = {name: value for name, value in attributes.items() if name != "position"}
    return {**node, "position": attributes["position"], "attributes": rest}


_UPGRADES: dict[int, Callable[[Document], Document]] = {1: _from_version_1}
"""Version to the function that upgrades a document to the next one."""


# Writing


def _node_entry(node_id: int, data: Mapping[str, Any], parameters: Any) -> dict[str, Any]:
    if "node_type" not in data:
        raise GraphError(f"node {node_id} has no node_type: add nodes with GRAFX.add")
    entry = {"id": int(node_id), "type": data["node_type"]}
    if data.get("name") is not None:
        entry["name"] = data["name"]
    if parameters is not None:
        entry["parameters"] = parameters
    if data.get("position") is not None:
        entry["position"] = _plain_position(node_id, data["position"])
    if data.get("settings") is not None and held_settings(data) is None:
        data = {name: value for name, value in data.items() if name != "settings"}  # they are of other tensors
    return entry | _attributes(data, _RESERVED)


def _plain_position(node_id: int, position: Any) -> list[float]:
    try:
        x, y = position
    except (TypeError, ValueError):
        x = y = None
    if not (isinstance(x, Real) and isinstance(y, Real)):
        raise GraphError(
            f"node {node_id} has the position {reprlib.repr(position)}, which should be two numbers (x, y)"
        )
    return [float(x), float(y)]


def _edge_entry(source_id: int, dest_id: int, data: Mapping[str, Any]) -> dict[str, Any]:
    if not set(_PLUGS) <= data.keys():
        raise GraphError(f"edge {source_id} -> {dest_id} has no outlet or inlet: connect nodes with GRAFX.connect")
    entry = {"source": int(source_id), "dest": int(dest_id), "outlet": data["outlet"], "inlet": data["inlet"]}
    return entry | _attributes(data, _PLUGS)


def _attributes(data: Mapping[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    attributes = {name: value for name, value in data.items() if name not in own}
    return {"attributes": attributes} if attributes else {}


def _place(document: Document, path: tuple[str | int, ...]) -> str:
    """Describe a path in a document in words."""
    rest: tuple[str | int, ...] = ()
    match path:
        case ("nodes", int(index), *rest) if isinstance(document["nodes"][index], dict):
            place = f"node {reprlib.repr(document['nodes'][index].get('id'))}"
        case (str(name), *rest):
            place = f"the entry '{name}'"
        case _:
            place = "the file"
    return place + (": " if rest else "") + "".join(f"[{reprlib.repr(key)}]" for key in rest)


# Reading


def _add_node(G: GRAFX, place: str, node: Any) -> None:
    _refuse_unknown(place, node, _NODE_ENTRIES)
    node_id = _entry(place, node, "id", int)
    if not 0 <= node_id <= MAX_ID or node_id in G:
        raise GraphError(f"{place}: the id {reprlib.repr(node_id)} is not a new number from 0 to 2**63 - 2")
    place = f"node {node_id}"
    node_type = _entry(place, node, "type", str)
    if G.config is not None and node_type not in G.config:
        raise GraphError(f"{place}: its type {reprlib.repr(node_type)} is not in the config")
    name = _entry(place, node, "name", str, type(None), default=None)
    position = _parse_position(place, _entry(place, node, "position", list, type(None), default=None))
    attributes = _entry(place, node, "attributes", dict, default={})
    _refuse_own(place, attributes, _RESERVED)
    G.graph["consecutive_ids"] = G.graph["consecutive_ids"] and node_id == len(G)
    # Not by GRAFX.add, which chooses an id.
    G.add_node(node_id, node_type=node_type, parameters=node.get("parameters"), name=name)
    G.nodes[node_id].update(position | attributes)


def _parse_position(place: str, position: list | None) -> dict[str, tuple[float, float]]:
    if position is None:
        return {}
    if len(position) == 2 and all(
        type(value) in (int, float) and abs(value) <= sys.float_info.max for value in position
    ):
        return {"position": (float(position[0]), float(position[1]))}
    raise GraphError(f"{place}: 'position' is {reprlib.repr(position)}, which should be two finite numbers [x, y]")


def _add_edge(G: GRAFX, place: str, edge: Any, edges: set[Cable]) -> None:
    _refuse_unknown(place, edge, _EDGE_ENTRIES)
    ends = _entry(place, edge, "source", int), _entry(place, edge, "dest", int)
    plugs = _entry(place, edge, "outlet", str), _entry(place, edge, "inlet", str)
    place = f"{place} ({' -> '.join(map(reprlib.repr, ends))})"
    if faults := list(cable_faults(G.nodes, G.config, (*ends, *plugs), edges)):
        raise GraphError(f"{place}: {_describe_faults(faults, dict(zip(_PLUGS, plugs, strict=True)))}")
    edges.add((*ends, *plugs))
    attributes = _entry(place, edge, "attributes", dict, default={})
    _refuse_own(place, attributes, _PLUGS)
    # Not by GRAFX.connect, which compares with every edge between the two.
    key = G.add_edge(*ends, outlet=plugs[0], inlet=plugs[1])
    G.edges[*ends, key].update(attributes)


def _describe_faults(faults: list[Fault], plugs: Mapping[str, str]) -> str:
    match faults[0].kind:
        case "missing":
            missing = " and ".join(reprlib.repr(fault.node_id) for fault in faults)
            return (
                f"it does not join two nodes of the graph, as there is no node {missing}: delete this edge too, or lead"
                " it to a node that there is"
            )
        case "loop":
            return "it joins a node to itself, and no self edge is allowed"
        case "twice":
            return "it is there twice"
        case side:
            return f"node {faults[0].node_id} has no {side} {reprlib.repr(plugs[side])}"


def _set_graph_attributes(G: GRAFX, attributes: dict[str, Any]) -> None:
    for name, kinds in _GRAPH_ENTRIES.items():
        _entry("the entry 'graph'", attributes, name, *kinds, default=None)
    for name in ("counter", "num_graphs"):
        if not 0 <= attributes.get(name, 0) <= MAX_ID + 1:
            raise GraphError(f"the entry 'graph': '{name}' is {reprlib.repr(attributes[name])}: use 0 to 2**63 - 1")
    G.invalid_op = attributes.get("invalid_op", "error")
    counter = max(attributes.get("counter", 0), 1 + max(G.nodes, default=-1))
    own = ("config", "config_hash", _SETTINGS)
    G.graph.update({k: v for k, v in attributes.items() if k not in own}, counter=counter)


def _check_schedule(G: GRAFX) -> None:
    sequence = G.graph["type_sequence"]
    if G.graph["rendering_order_method"] is None and sequence is None:
        return
    if G.graph["rendering_order_method"] is None or sequence is None:
        raise GraphError(f"'rendering_order_method' and 'type_sequence' make a schedule only together: {_UNSCHEDULE}")
    orders = {node_id: data.get("rendering_order") for node_id, data in G.nodes(data=True)}
    for node_id, order in orders.items():
        if type(order) is not int or not 0 <= order < len(sequence):
            raise GraphError(
                f"node {node_id}: 'rendering_order' is {reprlib.repr(order)}, but the schedule has {len(sequence)}"
                f" steps: {_UNSCHEDULE}"
            )
        if sequence[order] != G.nodes[node_id]["node_type"]:
            raise GraphError(
                f"node {node_id} is of type {reprlib.repr(G.nodes[node_id]['node_type'])}, but its step {order} in"
                f" 'type_sequence' is {reprlib.repr(sequence[order])}: {_UNSCHEDULE}"
            )
    if len(set(orders.values())) < len(sequence):
        raise GraphError(f"'type_sequence' has steps without nodes: {_UNSCHEDULE}")
    for source_id, dest_id in G.edges():
        if orders[source_id] >= orders[dest_id]:
            raise GraphError(f"node {dest_id} is rendered before node {source_id} that it reads: {_UNSCHEDULE}")


def _check_batch(G: GRAFX) -> None:
    num_graphs = G.graph.get("num_graphs")
    if num_graphs is None:
        return
    if num_graphs > max(len(G), MAX_EMPTY_GRAPHS):
        raise GraphError(f"'num_graphs' is {num_graphs}, but the graph has only {len(G)} nodes")
    for node_id, data in G.nodes(data=True):
        index = data.get("graph_index", 0)
        if G.batch and (type(index) is not int or not 0 <= index < num_graphs):
            raise GraphError(f"node {node_id}: 'graph_index' is {reprlib.repr(index)}, not from 0 to {num_graphs - 1}")


_REQUIRED = object()


def _entry(place: str, holder: dict[str, Any], name: str, *kinds: type, default: Any = _REQUIRED) -> Any:
    value = holder.get(name, default)
    if value is _REQUIRED:
        raise GraphError(f"{place} has no entry '{name}'")
    if name in holder and type(value) not in kinds:
        words = " or ".join(_WORDS[kind] for kind in kinds)
        raise GraphError(f"{place}: '{name}' is {reprlib.repr(value)}, which should be {words}")
    return value


def _refuse_unknown(place: str, entry: Any, known: tuple[str, ...]) -> None:
    if not isinstance(entry, dict):
        raise GraphError(f"{place} is {reprlib.repr(entry)}, which should be an object")
    if unknown := sorted(entry.keys() - set(known)):
        remedy = "; others go into 'attributes'" if "attributes" in known else ""
        raise GraphError(f"{place} has unknown entries {reprlib.repr(unknown)}: use {', '.join(known)}{remedy}")


def _refuse_own(place: str, attributes: dict[str, Any], own: tuple[str, ...]) -> None:
    if unfit := [name for name in own if name in attributes]:
        raise GraphError(f"{place} has attributes of another form: '{unfit[0]}' is no attribute, but an entry")
