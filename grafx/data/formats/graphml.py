"""Graphs as GraphML, for yEd, Gephi, Cytoscape and most graph libraries."""

import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

import networkx as nx

from ...errors import GraphError
from ...files import replacing
from ..conversion import integer_ids
from ..graph import GRAFX
from .document import FORMAT_VERSION, Document, parse_document
from .strict_json import read_json
from .strict_xml import scan_xml

# Characters outside XML 1.0, and carriage returns, which parsers turn into line feeds.
_NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_JSON_ENTRIES = ("config", "type_sequence")
# networkx reserves these names; x and y hold the position.
_TAKEN = {"graph": ("id", "node_default", "edge_default"), "node": ("node_for_adding", "x", "y"), "edge": ()}


def write_graphml(G: GRAFX, path: str | os.PathLike) -> None:
    """Write a graph, without its parameters, as GraphML.

    :func:`read_graphml` returns an equal graph, except for parameters (use :func:`save_grafx` to keep them) and
    attributes that are ``None``. Nodes without a ``label`` are written with one, their name or else their type, for
    programs that show it; it is not read back.

    Args:
        G: The graph. All attributes must be strings, finite numbers or booleans, except the ``position`` of a node,
            (x, y), which is written as the ``x`` and ``y`` that other programs use.
        path: The file, usually ``*.graphml``. It is written to a temporary file and then renamed.

    Raises:
        GraphError: The graph is invalid, an attribute has another type or characters that XML cannot represent, or
            the file cannot be written.
    """
    content = io.BytesIO()
    try:
        nx.write_graphml_xml(_plain_graph(G), content)
        _parse(content.getvalue())
    except (TypeError, ValueError) as error:
        raise GraphError(f"The graph cannot be written: {str(error).removesuffix('.')}.") from error
    try:
        with replacing(path) as partial:
            partial.write_bytes(content.getvalue())
    except OSError as error:
        raise GraphError(f"{path} cannot be written: {error.strerror}.") from error


def read_graphml(path: str | os.PathLike) -> GRAFX:
    """Read a graph from GraphML, written by :func:`write_graphml` or another program.

    Every node needs ``node_type``; its ``name`` may be missing, and ``x`` and ``y`` become its ``position``. Edges
    without ``outlet`` or ``inlet`` use ``"main"``. Integer ids are kept; if any is not an integer, nodes are
    numbered 0, 1, … in the order of the file. The graph may have ``config``, its types as JSON:
    ``{"eq": {"inlets": ["main"], "outlets": ["main"]}}``.

    Args:
        path: The file.

    Returns:
        The graph; nodes have no parameters.

    Raises:
        GraphError: The file is missing, is not GraphML, has a document type declaration, which allows entity
            expansion attacks, or describes an invalid graph. The message names the file and the entry.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise GraphError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return _parse(content)
    except GraphError as error:
        raise GraphError(f"{path} does not describe a valid graph in GraphML: {error}.") from error


# Writing


def _plain_graph(G: GRAFX) -> nx.MultiDiGraph:
    """Return a copy whose attributes are strings, numbers and booleans only."""
    H = nx.MultiDiGraph()
    entries = {name: value for name, value in G.graph.items() if name not in ("config", "config_hash")}
    entries["config"] = None if G.config is None else G.config.node_type_dict
    as_json = {name: json.dumps(entries[name]) for name in _JSON_ENTRIES if entries.get(name) is not None}
    H.graph.update(_scalars("graph", "the graph", entries | as_json))
    for node_id in sorted(integer_ids(G)):
        data = G.nodes[node_id]
        if node_id < 0 or "node_type" not in data:
            raise GraphError(f"node {node_id} has no node_type or a negative id: add nodes with GRAFX.add")
        attributes = {name: value for name, value in data.items() if name not in ("parameters", "position")}
        attributes.setdefault("label", data.get("name") or data["node_type"])
        position = _plain_position(f"node {node_id}", data.get("position"))
        H.add_nodes_from([(node_id, _scalars("node", f"node {node_id}", attributes) | position)])
    for number, (source_id, dest_id, data) in enumerate(G.edges(data=True)):
        place = f"edge {source_id} -> {dest_id}"
        if not {"outlet", "inlet"} <= data.keys():
            raise GraphError(f"{place} has no outlet or inlet: connect nodes with GRAFX.connect")
        # The number becomes the edge's id, which other programs want to be unique.
        H.add_edges_from([(source_id, dest_id, number, _scalars("edge", place, data))])
    return H


def _plain_position(place: str, position: Any) -> dict[str, float]:
    if position is None:
        return {}
    try:
        x, y = position
        return {"x": float(x), "y": float(y)}
    except (TypeError, ValueError):
        raise GraphError(f"{place} has the position {position!r}, which should be two numbers (x, y)") from None


def _scalars(kind: str, place: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Convert attributes for GraphML; ``None`` is omitted."""
    plain = {}
    for name, value in attributes.items():
        if not isinstance(name, str) or name in _TAKEN[kind]:
            raise GraphError(f"{place} has an attribute {name!r}, a name that GraphML cannot hold: rename it")
        scalar: Any = next((scalar for scalar in (bool, int, float, str) if isinstance(value, scalar)), None)
        if scalar is None and value is not None:
            raise GraphError(
                f"{place} has an attribute '{name}' of type {type(value).__name__}, while GraphML holds strings,"
                " numbers and booleans: remove it, or use save_grafx"
            )
        for text in (name, value) if isinstance(value, str) else (name,):
            if character := _NOT_IN_XML.search(text):
                raise GraphError(f"{place} has {character[0]!r} in {name!r}, which XML cannot hold: remove it")
        if scalar is not None:
            plain[name] = scalar(value)
    return plain


# Reading


def _parse(content: bytes) -> GRAFX:
    try:
        found = scan_xml(content)
        H = nx.read_graphml(io.BytesIO(content), edge_key_type=str, force_multigraph=True)
        if not H.is_directed():
            raise GraphError('its edges have no direction: write <graph edgedefault="directed">')
        for element, count in (("node", H.number_of_nodes()), ("edge", H.number_of_edges())):
            if found[element] != count:
                raise GraphError(
                    f"{found[element]} {element} elements describe {count} {element}s: there should be one graph, not"
                    " nested, with different ids and with edges between its nodes"
                )
        return parse_document(_document(H))[0]
    except GraphError:
        raise
    except (
        *(nx.NetworkXException, expat.ExpatError, SyntaxError, LookupError),
        *(TypeError, ValueError, AttributeError, ArithmeticError, RecursionError),
    ) as error:
        raise GraphError(f"{type(error).__name__}: {str(error)[:200]}") from error


def _document(H: nx.MultiDiGraph) -> Document:
    entries = dict(H.graph)
    node_default, edge_default = entries.pop("node_default"), entries.pop("edge_default")
    for name in _JSON_ENTRIES:
        if name in entries:
            entries[name] = read_json(entries[name].encode())
    numbered = all(re.fullmatch("[0-9]+", node) for node in H)
    ids = {node: int(node) if numbered else position for position, node in enumerate(H)}
    return {
        "format": "grafx",
        "version": FORMAT_VERSION,
        "parameters_sha256": None,
        "config": entries.pop("config", None),
        "graph": entries,
        "nodes": [_node(node, ids[node], {**node_default, **data}) for node, data in H.nodes(data=True)],
        "edges": [_edge(ids[u], ids[v], {**edge_default, **data}) for u, v, data in H.edges(data=True)],
        "metadata": {},
    }


def _node(node: str, node_id: int, data: dict[str, Any]) -> dict[str, Any]:
    if "node_type" not in data:
        raise GraphError(
            f'node {node!r} has no node_type: give it a <data> whose <key> has for="node" and attr.name="node_type"'
        )
    node_type, name = data.pop("node_type"), data.pop("name", None)
    if data.get("label") == (name or node_type):
        del data["label"]
    entry = {"id": node_id, "type": node_type, "name": name, "attributes": data}
    if "x" in data or "y" in data:
        # yEd writes coordinates as strings.
        entry["position"] = [float(data.pop(axis, "nan")) for axis in "xy"]
    return entry


def _edge(source_id: int, dest_id: int, data: dict[str, Any]) -> dict[str, Any]:
    plugs = {side: data.pop(side, "main") for side in ("outlet", "inlet")}
    return {"source": source_id, "dest": dest_id, **plugs, "attributes": data}
