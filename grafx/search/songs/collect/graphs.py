"""The graphs of many songs as one file, for graph neural networks."""

import json
import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ....data import NodeConfigs, to_pyg
from ....data.attributes import WEIGHT
from ....data.tensor import GRAFXTensor
from ....errors import GraphError
from ....files import replacing
from ....text import printable
from .run import FoundProcessor, Run

if TYPE_CHECKING:
    from torch_geometric.data import Data

FORMAT = "grafx songs 1"


@dataclass(frozen=True)
class SongGraphs:
    """The graphs of many songs.

    Attributes:
        graphs: A ``torch_geometric.data.Data`` for each song: see :func:`.to_pyg`, and ``drywet`` ``(V,)`` dry/wet
            weights, which are NaN of what is no processor; ``settings`` ``(V, C)`` in physical units, NaN where a node
            has none of this name; ``song`` and ``owners``, names.
        config: The node types of all.
        columns: Names of the settings.
    """

    graphs: "list[Data]"
    config: NodeConfigs
    columns: tuple[str, ...]


class Graphs:
    """Collects graphs, and writes them when all are there."""

    def __init__(self) -> None:
        self._types: dict[str, Any] = {}
        self._first: dict[str, str] = {}
        self._columns: dict[str, int] = {}
        self._songs: list[str] = []
        self._owners: list[str] = []
        self._nodes, self._edges = array("q"), array("q")
        self._ends = {"nodes": array("q"), "edges": array("q"), "settings": array("q")}
        self._weights, self._values = array("d"), array("d")
        self._places = array("q")

    def add(self, run: Run, parts: Iterable[FoundProcessor]) -> None:
        """Add the graph of a song.

        Raises:
            GraphError: It has a type with other inlets or outlets than in the songs before.
        """
        G = run.G
        if G is None:
            return
        self._take_types(run)
        index = {name: place for place, name in enumerate(self._types)}
        rows = {node: row for row, node in enumerate(sorted(G.nodes))}
        kinds = {node: G.nodes[node]["node_type"] for node in rows}
        for node in rows:
            data = G.nodes[node]
            self._nodes.append(index[kinds[node]])
            self._weights.append(float(data.get(WEIGHT, "nan")))
            self._owners.append(str(data.get("owner") or data.get("name") or ""))
        for source, dest, data in G.edges(data=True):
            plugs = self._types[kinds[source]]["outlets"], self._types[kinds[dest]]["inlets"]
            self._edges.extend((rows[source], rows[dest]))
            self._edges.extend((plugs[0].index(data["outlet"]), plugs[1].index(data["inlet"])))
        for part in parts:
            for name, value in part.numbers().items():
                self._places.extend((rows[part.node], self._columns.setdefault(name, len(self._columns))))
                self._values.append(value)
        self._songs.append(run.name)
        for name, number in (("nodes", self._nodes), ("edges", self._edges), ("settings", self._places)):
            self._ends[name].append(len(number))

    def write(self, path: Path) -> int:
        """Write the file, and return how many graphs it has."""
        from safetensors.numpy import save

        about = {"config": self._types, "columns": list(self._columns), "songs": self._songs, "owners": self._owners}
        tensors = {
            "nodes": np.array(self._nodes, dtype=np.int64),
            "edges": np.array(self._edges, dtype=np.int64).reshape(-1, 4),
            "drywet": np.array(self._weights, dtype=np.float32),
            "settings_places": np.array(self._places, dtype=np.int64).reshape(-1, 2),
            "settings_values": np.array(self._values, dtype=np.float32),
            "nodes_ends": np.array(self._ends["nodes"], dtype=np.int64),
            "edges_ends": np.array(self._ends["edges"], dtype=np.int64) // 4,
            "settings_ends": np.array(self._ends["settings"], dtype=np.int64) // 2,
            "about": np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), dtype=np.uint8),
        }
        with replacing(path) as partial:
            partial.write_bytes(save(tensors, metadata={"format": FORMAT}))
        return len(self._songs)

    def _take_types(self, run: Run) -> None:
        assert run.G is not None
        for name, plugs in run.G.config.node_type_dict.items():
            known = self._types.setdefault(name, plugs)
            first = self._first.setdefault(name, run.name)
            if known != plugs:
                raise GraphError(
                    f"The '{name}' of the song '{run.name}' has other inlets or outlets than that of '{first}': collect"
                    " songs of one kind of console at a time."
                )


def load_graphs(path: str | os.PathLike) -> SongGraphs:
    """Load the graphs that ``grafx songs collect`` has written, for PyG.

    Args:
        path: The file ``graphs.safetensors``.

    Raises:
        GraphError: It is no such file.
        ImportError: torch_geometric is not installed.
        OSError: The file cannot be read.

    Examples:
        >>> songs = load_graphs("runs/graphs.safetensors")
        >>> loader = torch_geometric.loader.DataLoader(songs.graphs, batch_size=32, shuffle=True)
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), "pt") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise GraphError(
                    f"{printable(path)} does not hold the graphs of songs, as grafx songs collect writes them."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise GraphError(f"{printable(path)} cannot be read: {error}.") from None
    about = json.loads(tensors["about"].numpy().tobytes())
    config, columns = NodeConfigs(about["config"]), about["columns"]
    nodes, edges, drywet = (_split(tensors, name, "edges" if name == "edges" else "nodes") for name in _BY_NODE)
    places, values = (_split(tensors, f"settings_{name}", "settings") for name in ("places", "values"))
    first, graphs = 0, []
    for song, *parts in zip(about["songs"], nodes, edges, drywet, places, values, strict=True):
        graphs.append(_data(config, len(columns), *parts))
        graphs[-1].song, last = song, first + len(parts[0])
        graphs[-1].owners, first = about["owners"][first:last], last
    return SongGraphs(graphs, config, tuple(columns))


_BY_NODE = ("nodes", "edges", "drywet")


def _split(tensors: dict[str, torch.Tensor], name: str, by: str) -> tuple[torch.Tensor, ...]:
    return tensors[name].tensor_split(tensors[f"{by}_ends"][:-1]) if len(tensors[f"{by}_ends"]) else ()


def _data(config, num_columns, nodes, edges, drywet, places, values) -> "Data":
    """One graph; see :class:`SongGraphs`."""
    plugs = None if config.siso_only else edges[:, 2:].contiguous()
    G_t = GRAFXTensor(
        nodes, edges[:, :2].T.contiguous(), len(nodes), False, config, config.content_hash, "error", plugs
    )
    data = to_pyg(G_t)
    data.drywet = drywet.clone()
    data.settings = torch.full((len(nodes), num_columns), torch.nan)
    data.settings[places[:, 0], places[:, 1]] = values
    return data
