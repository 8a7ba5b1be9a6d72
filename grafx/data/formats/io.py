"""Graphs on disk: ``graph.json`` for readable data, ``parameters.safetensors`` for tensors. Loading runs no code."""

import hashlib
import os
import stat
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from errno import EISDIR
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save

from ...errors import GraphError, GraphWarning
from ...files import GRAPH_FILE as GRAPH_FILE
from ...files import locked, write_through
from ..attributes import Settings
from ..conversion import integer_ids
from ..graph import GRAFX
from .document import has_present_settings, make_document, parse_document, parse_graph
from .nesting import merge, nest_tensors, take_tensors
from .strict_json import read_json, write_json

PARAMETER_FILE = "parameters.safetensors"
MAX_GRAPH_BYTES = 2**30


def save_grafx(
    G: GRAFX,
    folder: str | os.PathLike,
    parameters: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a graph and its parameters into a folder, which is created if needed.

    Saving is atomic: after an interruption, or with other processes saving or loading at the same time, the folder
    holds the complete old or the complete new version. Everything that is written can be loaded.

    Args:
        G: The graph. Attributes must be JSON data: dicts with string keys, lists, strings, finite numbers, ``True``,
            ``False``, ``None``. Tuples are loaded as lists, except a node's attribute ``position``, which is (x, y).
            The attribute ``parameters`` of a node may also hold tensors, in (nested) dicts.
        folder: Where ``graph.json`` and ``parameters.safetensors`` go.
        parameters: Type to (nested) dict of tensors whose first axis runs over that type's nodes in id order, as in
            :func:`render_grafx`.
        metadata: Any other JSON data to keep.

    Raises:
        GraphError: An attribute or the metadata cannot be written as JSON, the graph is invalid, ``parameters``
            contains other values than tensors or does not have one row per node, or the folder is not writable.
            The message names the place.
    """
    tensors: dict[str, torch.Tensor] = {}
    try:
        plain = {node_id: _take_node_tensors(G, node_id, tensors) for node_id in integer_ids(G)}
        _take_type_tensors(parameters, tensors)
        data = save(tensors)
        text = write_json(make_document(G, plain, hashlib.sha256(data).hexdigest(), metadata)).encode()
        if len(text) > MAX_GRAPH_BYTES:
            raise GraphError(f"{GRAPH_FILE} would have more than {MAX_GRAPH_BYTES} bytes")
        _put_in_place(parse_graph(read_json(text)), tensors)
    except (ValueError, RecursionError) as error:
        raise GraphError(f"The graph cannot be saved: {_reason(error)}.") from error
    try:
        _write(Path(folder), text, data)
    except (OSError, ValueError) as error:
        raise GraphError(f"The graph cannot be saved, {str(folder)!r} cannot be written to: {error}.") from error


def load_grafx(folder: str | os.PathLike) -> tuple[GRAFX, dict[str, Any], dict[str, Any]]:
    """Read a graph written by :func:`save_grafx` in this or any earlier version.

    Args:
        folder: The folder that holds the two files.

    Returns:
        ``(G, parameters, metadata)``.

    Warns:
        GraphWarning: Tensors of nodes that were deleted from ``graph.json`` are ignored.

    Raises:
        GraphError: A file is missing, damaged, of another format or a later version, describes an invalid graph, or
            the two files are from different saves. The message names the file and the entry.
    """
    graph_path = Path(folder) / GRAPH_FILE
    while True:
        text = _read_graph(graph_path)
        try:
            return _load(graph_path, text)
        except GraphError:
            if _read_graph(graph_path) == text:
                raise  # otherwise it was replaced by a new save during reading


def _read_graph(path: Path) -> bytes:
    return _read(path, "give the folder that a graph was saved to", _check_graph_size)


def _load(graph_path: Path, text: bytes) -> tuple[GRAFX, dict[str, Any], dict[str, Any]]:
    parameter_path = graph_path.with_name(PARAMETER_FILE)
    try:
        document = read_json(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise GraphError(f"{graph_path} cannot be read as JSON: {_reason(error)}.") from error
    try:
        G, digest, metadata = parse_document(document)
    except GraphError as error:
        raise GraphError(f"{graph_path} does not describe a valid graph: {error}.") from error
    tensors = _read_tensors(parameter_path, digest)
    try:
        if digest is not None:
            tensors = _without_deleted(G, tensors, str(graph_path))
        parameters = _put_in_place(G, tensors)
        _take_settings(G, tensors, has_present_settings(document))
        return G, parameters, metadata
    except GraphError as error:
        raise GraphError(f"{parameter_path} does not fit {GRAPH_FILE} beside it: {error}.") from error


# Tensors


def _take_node_tensors(G: GRAFX, node_id: int, tensors: dict[str, torch.Tensor]) -> Any:
    parameters = G.nodes[node_id].get("parameters")
    if isinstance(parameters, torch.Tensor):
        raise GraphError(f"the parameters of node {node_id} are a bare tensor: put it into a dict")
    return take_tensors(parameters, f"node/{int(node_id)}", tensors)


def _take_type_tensors(parameters: Mapping[str, Any] | None, tensors: dict[str, torch.Tensor]) -> None:
    bare = isinstance(parameters, torch.Tensor)
    rest = None if bare or parameters is None else take_tensors(parameters, "type", tensors)
    if bare or (rest is not None and _has_values(rest)):
        raise GraphError("parameters must be a nested dict of tensors only")


def _has_values(tree: Any) -> bool:
    return not isinstance(tree, dict) or any(map(_has_values, tree.values()))


def _put_in_place(G: GRAFX, tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Attach the tensors of nodes to them, and return those of types."""
    tree = nest_tensors(tensors)
    ids = {str(node_id): node_id for node_id in G.nodes}
    for node, parameters in tree.get("node", {}).items():
        if node not in ids:
            raise GraphError(f"it has parameters of node '{node[:80]}', which is not in the graph")
        data = G.nodes[ids[node]]
        plain = {} if data["parameters"] is None else data["parameters"]
        data["parameters"] = merge(plain, parameters, f"node/{node}")
    _check_rows(G, {path: tensor for path, tensor in tensors.items() if path.startswith("type/")})
    return tree.get("type", {})


def _without_deleted(G: GRAFX, tensors: Mapping[str, torch.Tensor], place: str) -> dict[str, torch.Tensor]:
    """Drop tensors of nodes that were deleted from the file since the graph was saved."""
    gone: dict[int, None] = {}
    kept = {}
    for path, tensor in tensors.items():
        root, _, rest = path.partition("/")
        node = rest.partition("/")[0]
        is_id = root == "node" and node.isascii() and node.isdecimal() and len(node) < 20 and str(int(node)) == node
        if is_id and int(node) not in G and int(node) < G.graph["counter"]:
            gone[int(node)] = None
        else:
            kept[path] = tensor
    if gone:
        nodes = ", ".join(map(str, gone))
        warnings.warn(f"{place} has no node {nodes} any more: the tensors of {nodes} are left out.", GraphWarning, 3)
    return kept


def _take_settings(G: GRAFX, tensors: Mapping[str, torch.Tensor], present: bool) -> None:
    """Link settings to the tensors next to them, so that later edits of either are detected."""
    with_tensors = {path.split("/")[1] for path in tensors if path.startswith("node/")}
    for node_id, data in G.nodes(data=True):
        if isinstance(data.get("settings"), dict) and (present or str(node_id) not in with_tensors):
            data["settings"] = Settings(data["settings"], data["parameters"])
        elif str(node_id) in with_tensors and isinstance(data.get("settings"), dict):
            del data["settings"]


def _check_rows(G: GRAFX, tensors: Mapping[str, torch.Tensor]) -> None:
    counts = Counter(data.get("node_type") for _, data in G.nodes(data=True))
    for path, tensor in tensors.items():
        node_type = path.split("/")[1]
        if G.config is not None and node_type not in G.config:
            raise GraphError(f"'{path[:80]}' is of a type that the config lacks")
        if tensor.shape[:1] != (counts[node_type],):
            raise GraphError(
                f"'{path[:80]}' has the shape {tuple(tensor.shape[:8])}, but needs one row for each of the"
                f" {counts[node_type]} nodes of type '{node_type[:80]}': where nodes were added or deleted by hand,"
                " undo that, load the graph, and edit it by GRAFX.add and GRAFX.remove"
            )


# Reading


def _read(path: Path, remedy: str, check: Callable[[Path, int], None]) -> bytes:
    """Read a file. Its size is checked first because special files can report a size larger than any disk."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise GraphError(f"{path} is no file, but a folder or device: {remedy}.")
        check(path, info.st_size)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise GraphError(f"{path} does not exist: {remedy}.") from None
    except SafetensorError as error:
        raise GraphError(f"{path} is damaged: {_reason(error)}.") from error
    except GraphError:
        raise
    except (OSError, ValueError, MemoryError) as error:
        raise GraphError(f"{path} cannot be read: {_reason(error)}.") from error


def _check_graph_size(path: Path, size: int) -> None:
    if size > MAX_GRAPH_BYTES:
        raise GraphError(f"{path} has {size} bytes, which is more than {MAX_GRAPH_BYTES}.")


def _check_parameter_size(path: Path, size: int) -> None:  # noqa: ARG001 – called as the check of graphs is
    # The library takes no names that are not UTF-8, which not all names of Unix are.
    is_text = os.fsdecode(path).encode(errors="replace").decode() == os.fsdecode(path)
    with open(path, "rb") as file, safe_open(path if is_text else f"/dev/fd/{file.fileno()}", "pt"):
        pass


def _read_tensors(path: Path, digest: str | None) -> dict[str, torch.Tensor]:
    try:
        return load(_read_of_save(path, digest))
    except GraphError:
        raise
    except Exception as error:  # whatever the library trips over
        raise GraphError(f"{path} is damaged: {_reason(error)}.") from error


def _read_of_save(path: Path, digest: str | None) -> bytes:
    """Read the parameters with this digest, possibly from the temporary file of an interrupted save."""
    problem = GraphError(
        f"{path} is not the file that {GRAPH_FILE} beside it was saved with: one of them was changed or is of another"
        " save. Bring back both from one copy."
    )
    # Try its final place again at the end: another process may move the temporary file there meanwhile.
    for candidate in (path, _beside(path), path):
        try:
            data = _read(candidate, f"it belongs beside {GRAPH_FILE}", _check_parameter_size)
        except GraphError as error:
            problem = error if candidate == path else problem
            continue
        if digest is None or hashlib.sha256(data).hexdigest() == digest:
            return data
    raise problem


def _reason(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:500].rstrip(".")


# Writing


def _write(folder: Path, text: bytes, data: bytes) -> None:
    """Put both files in place so that loading finds the old or the new version at any moment.

    Renaming the new graph commits the save. It names the digest of its parameters, which loading finds in the
    temporary file until it is renamed.
    """
    graph, parameters = folder / GRAPH_FILE, folder / PARAMETER_FILE
    new_graph, new_parameters = _beside(graph), _beside(parameters)
    for path in (graph, parameters, new_graph, new_parameters):
        if path.is_dir():
            raise IsADirectoryError(EISDIR, "Is a directory", str(path))
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if new_parameters.exists() and not new_graph.exists():
            new_parameters.replace(parameters)  # an earlier save was interrupted before this
        try:
            write_through(new_graph, text)
            write_through(new_parameters, data)
            new_graph.replace(graph)
        except BaseException:
            if new_graph.exists():
                new_parameters.unlink(missing_ok=True)
                new_graph.unlink()
            raise
        new_parameters.replace(parameters)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".new")
