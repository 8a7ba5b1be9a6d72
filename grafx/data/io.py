"""Graphs on disk: ``graph.json`` for people, ``parameters.safetensors`` for tensors. Loading runs no code."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from ..errors import GraphError
from .configs import NodeConfigs
from .conversion import integer_ids
from .graph import GRAFX

FORMAT_VERSION = 1
GRAPH_FILE = "graph.json"
PARAMETER_FILE = "parameters.safetensors"

_RESERVED = ("node_type", "name", "parameters")
_NODE_ENTRIES = ("id", "type", "name", "parameters", "attributes")
_EDGE_ENTRIES = ("outlet", "inlet")
_GRAPH_ATTRIBUTES = {
    "counter": int,
    "consecutive_ids": bool,
    "batch": bool,
    "num_graphs": int,
    "invalid_op": str,
    "rendering_order_method": str | None,
    "type_sequence": list | None,
}


def save_grafx(
    G: GRAFX,
    folder: str | os.PathLike,
    parameters: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a graph and its parameters into a folder, which is made where it is missing.

    Each file is written beside its place and then moved there, so an interruption never leaves half a file.

    Args:
        G: The graph. Node attributes must be what JSON can hold; tensors are welcome in ``parameters``.
        folder: Where ``graph.json`` and ``parameters.safetensors`` go.
        parameters: Type to (nested) dict of tensors whose first axis runs over that type's nodes in id order, as
            :func:`render_grafx` takes them.
        metadata: Anything else to keep that JSON can hold.

    Raises:
        GraphError: An attribute or the metadata cannot be written as JSON, an id is not a non-negative integer, or
            ``parameters`` holds something else than tensors.
    """
    tensors: dict[str, torch.Tensor] = {}
    nodes = []
    for node_id in sorted(integer_ids(G)):
        data = G.nodes[node_id]
        if node_id < 0 or "node_type" not in data:
            raise GraphError(f"Node {node_id} cannot be saved: add nodes with GRAFX.add.")
        if isinstance(data.get("parameters"), torch.Tensor):
            raise GraphError(f"The parameters of node {node_id} cannot be saved: put the tensor into a dict.")
        node = {"id": node_id, "type": data["node_type"]}
        if data.get("name") is not None:
            node["name"] = data["name"]
        plain = _take_tensors(data.get("parameters"), f"node/{node_id}", tensors)
        if plain is not None:
            node["parameters"] = plain
        nodes.append({**node, **_with_attributes(data, (), _RESERVED)})
    rest = parameters if isinstance(parameters, torch.Tensor) else _take_tensors(parameters, "type", tensors)
    if rest is not None:
        raise GraphError(f"parameters must be a nested dict of tensors only, but has {rest!r}.")
    for source_id, dest_id, data in G.edges(data=True):
        if not {"outlet", "inlet"} <= data.keys():
            raise GraphError(f"Edge {source_id} -> {dest_id} cannot be saved: connect nodes with GRAFX.connect.")
    document = {
        "format": "grafx",
        "version": FORMAT_VERSION,
        "config": None if G.config is None else G.config.node_type_dict,
        "graph": {key: value for key, value in G.graph.items() if key not in ("config", "config_hash")},
        "nodes": nodes,
        "edges": [
            {"source": source_id, "dest": dest_id, **_with_attributes(data, _EDGE_ENTRIES)}
            for source_id, dest_id, data in G.edges(data=True)
        ],
        "metadata": dict(metadata or {}),
    }
    try:
        text = json.dumps(document, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise GraphError(f"The graph cannot be saved: {error}. Keep only plain values in attributes.") from None
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(
        {
            folder / PARAMETER_FILE: lambda path: path.write_bytes(save(tensors)),
            folder / GRAPH_FILE: lambda path: path.write_text(text + "\n", encoding="utf-8"),
        }
    )


def load_grafx(folder: str | os.PathLike) -> tuple[GRAFX, dict[str, Any], dict[str, Any]]:
    """Read what :func:`save_grafx` wrote.

    Args:
        folder: The folder that holds the two files.

    Returns:
        ``(G, parameters, metadata)``.

    Raises:
        GraphError: A file is missing, damaged, of another format or a later version, or describes a graph that is
            not valid. The message names the file and the entry.
    """
    folder = Path(folder)
    document = _read_json(folder / GRAPH_FILE)
    tensors = _read_tensors(folder / PARAMETER_FILE)
    try:
        G = _parse_graph(document)
        parameters = _nest(tensors, "type")
        for node_id, tree in _nest(tensors, "node").items():
            if int(node_id) not in G:
                raise GraphError(f"{PARAMETER_FILE} has parameters of node {node_id}, which is not in the graph")
            data = G.nodes[int(node_id)]
            data["parameters"] = _merge(data["parameters"] or {}, tree)
        return G, parameters, dict(document.get("metadata", {}))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = error if isinstance(error, GraphError) else f"{type(error).__name__} at {error}"
        raise GraphError(f"{folder / GRAPH_FILE} does not describe a valid graph: {reason}.") from error


def _with_attributes(data: Mapping[str, Any], own: tuple[str, ...], hidden: tuple[str, ...] = ()) -> dict[str, Any]:
    """An entry's own values, and all others under ``attributes``."""
    attributes = {key: value for key, value in data.items() if key not in (*own, *hidden)}
    return {key: data[key] for key in own} | ({"attributes": attributes} if attributes else {})


def _refuse_unknown(place: str, entry: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(entry.keys() - set(known)):
        raise GraphError(f"{place} has unknown entries {unknown}: use {', '.join(known)}")


def _parse_graph(document: dict[str, Any]) -> GRAFX:
    config = document["config"]
    G = GRAFX(config=None if config is None else NodeConfigs(config))
    for node in document["nodes"]:
        node_id = node["id"]
        if type(node_id) is not int or node_id < 0 or node_id in G:
            raise GraphError(f"node id {node_id!r} is not a new non-negative integer")
        _refuse_unknown(f"node {node_id}", node, _NODE_ENTRIES)
        name, attributes = node.get("name"), node.get("attributes", {})
        if (
            not isinstance(name, str | None)
            or not isinstance(attributes, dict)
            or not attributes.keys().isdisjoint(_RESERVED)
        ):
            raise GraphError(f"node {node_id} has a name or attributes of another form")
        G.graph["counter"] = node_id
        G.add(node["type"], parameters=node.get("parameters"), name=name)
        G.nodes[node_id].update(attributes)
    for edge in document["edges"]:
        if type(edge["source"]) is not int or type(edge["dest"]) is not int:
            raise GraphError(f"edge {edge} has ends that are not integers")
        _refuse_unknown(f"edge {edge}", edge, ("source", "dest", *_EDGE_ENTRIES, "attributes"))
        attributes = edge.get("attributes", {})
        if not isinstance(attributes, dict) or not attributes.keys().isdisjoint(_EDGE_ENTRIES):
            raise GraphError(f"edge {edge} has attributes of another form")
        key = G.connect(edge["source"], edge["dest"], outlet=edge["outlet"], inlet=edge["inlet"])
        G.edges[edge["source"], edge["dest"], key].update(attributes)
    _parse_graph_attributes(G, document["graph"])
    return G


def _parse_graph_attributes(G: GRAFX, attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        if name in _GRAPH_ATTRIBUTES and not isinstance(value, _GRAPH_ATTRIBUTES[name]):
            raise GraphError(f"graph entry '{name}' is {value!r}")
    G.invalid_op = attributes.get("invalid_op", "error")
    scheduled = attributes.get("rendering_order_method") is not None
    if scheduled and not all(type(data.get("rendering_order")) is int for _, data in G.nodes(data=True)):
        raise GraphError("a node has no rendering_order, though the graph has a schedule")
    counter = max(attributes.get("counter", 0), 1 + max(G.nodes, default=-1))
    G.graph.update({k: v for k, v in attributes.items() if k not in ("config", "config_hash")}, counter=counter)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise GraphError(f"{path} does not exist: give the folder that a graph was saved to.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise GraphError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(document, dict) or document.get("format") != "grafx":
        raise GraphError(f"{path} is not a saved graph: its entry 'format' should be 'grafx'.")
    if document.get("version") != FORMAT_VERSION:
        raise GraphError(
            f"{path} has format version {document.get('version')!r}, this package reads {FORMAT_VERSION}: update grafx."
        )
    return document


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise GraphError(f"{path} does not exist: it belongs beside {GRAPH_FILE}.") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise GraphError(f"{path} is damaged: {error}.") from None


def _take_tensors(tree: Any, prefix: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Move the tensors of a nested mapping into ``tensors`` under their path, and return the rest."""
    if isinstance(tree, torch.Tensor):
        tensors[prefix] = tree.detach().cpu().contiguous().clone()
        return None
    if not isinstance(tree, Mapping) and not hasattr(tree, "items"):
        return tree
    rest = {}
    for name, value in tree.items():
        if not isinstance(name, str) or "/" in name:
            raise GraphError(f"The parameter name {name!r} must be a string without '/', which separates nested names.")
        plain = _take_tensors(value, f"{prefix}/{name}", tensors)
        if plain is not None:
            rest[name] = plain
    return rest or None


def _nest(tensors: Mapping[str, torch.Tensor], root: str) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, tensor in tensors.items():
        top, *parents, name = path.split("/")
        if top == root:
            branch = tree
            for parent in parents:
                branch = branch.setdefault(parent, {})
            if isinstance(branch, torch.Tensor) or name in branch:
                raise GraphError(f"{PARAMETER_FILE} has the parameter '{path}' both as a tensor and as a dict")
            branch[name] = tensor
    return tree


def _merge(plain: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
    merged = dict(plain)
    for name, value in tensors.items():
        merged[name] = _merge(merged.get(name, {}), value) if isinstance(value, dict) else value
    return merged


def _replace(writers: Mapping[Path, Callable[[Path], Any]]) -> None:
    """Write all files beside their places before the first of them is moved there."""
    partial = {path: path.with_name(path.name + ".partial") for path in writers}
    try:
        for path, write in writers.items():
            write(partial[path])
        for path in writers:
            os.replace(partial[path], path)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
