"""One order of nodes for all graphs that are the same but for their numbering."""

import hashlib
import heapq
import json
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import networkx as nx

from ...errors import GraphError
from .numbering import Neighbours, number, ranked


def canonical_key(G: nx.MultiDiGraph, inputs: Collection[str] | None = None) -> str:
    """Return a digest of the structure of a graph: equal for those, and only for those, that are isomorphic.

    The structure is the types of the nodes and the cables with their outlets and inlets. Names of ``in`` nodes belong
    to it, all other names and settings do not.

    Args:
        G: The graph.
        inputs: Names of ``in`` nodes that matter; by default all.

    Raises:
        GraphError: A node has no type, or a cable no outlet or no inlet.
    """
    structure = Structure(G, inputs)
    labels = structure.labels()
    nodes = sorted(zip(labels, structure.nodes, strict=True))
    cables = sorted([labels[s], labels[d], outlet, inlet] for s, d, outlet, inlet in structure.cables)
    content = json.dumps([[node for _, node in nodes], cables], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def canonical_order(
    G: nx.MultiDiGraph, inputs: Collection[str] | None = None, settings: Mapping[Any, Any] | None = None
) -> list[Any]:
    """Return the nodes in an order that does not depend on their ids, each after those that feed it.

    The order follows the signal: after a node comes one that it feeds, as long as there is one whose other sources are
    there. Two isomorphic graphs have the same types and cables in this order.

    Args:
        G: The graph.
        inputs: Names of ``in`` nodes that matter; by default all.
        settings: Node to what tells it from others where the structure does not: anything that compares, as tuples of
            numbers. Isomorphic graphs with equal settings have the same ones in this order.

    Returns:
        The ids.

    Raises:
        GraphError: There is a cycle, a node has no type, or a cable no outlet or no inlet.
    """
    structure = Structure(G, inputs)
    labels = structure.labels(None if settings is None else [settings[node_id] for node_id in structure.ids])
    order = structure.follow(labels)
    if len(order) < len(labels):
        raise GraphError("Nodes of a graph with a cycle have no order in which the signal passes them: remove a cable.")
    return [structure.ids[node] for node in order]


class Structure:
    """The nodes and cables of a graph, as numbers from 0.

    Attributes:
        ids: The ids of the nodes.
        nodes: Type and name of each, the name empty where it does not matter.
        cables: Source, destination, outlet and inlet of each.
    """

    def __init__(self, G: nx.MultiDiGraph, inputs: Collection[str] | None = None) -> None:
        self.ids: list[Hashable] = list(G.nodes)
        self.nodes = [_kind(node_id, data, inputs) for node_id, data in G.nodes(data=True)]
        index = {node_id: i for i, node_id in enumerate(self.ids)}
        self.cables = [(index[s], index[d], *_plugs(s, d, data)) for s, d, data in G.edges(data=True)]
        plugs = ranked(cable[2:] for cable in self.cables)
        self._ins: Neighbours = [[] for _ in self.ids]
        self._outs: Neighbours = [[] for _ in self.ids]
        for source, dest, *plug in self.cables:
            rank = plugs[tuple(plug)]
            self._outs[source].append((rank, dest))
            self._ins[dest].append((rank, source))

    def labels(self, settings: Sequence[Any] | None = None) -> list[int]:
        """The place of each node in the canonical numbering."""
        kinds = list(zip(self.nodes, self._depths(), strict=True))
        ranks, marks = ranked(kinds), ranked(settings or ())
        colours = [ranks[kind] for kind in kinds]
        return number((self._ins, self._outs), colours, settings and [marks[own] for own in settings])

    def follow(self, labels: Sequence[int]) -> list[int]:
        """Nodes in the order of the signal; without those on a cycle, and behind one."""
        waits = [len(around) for around in self._ins]
        ready = [(1, labels[node], node) for node, cables in enumerate(waits) if not cables]
        heapq.heapify(ready)
        order: list[int] = []
        while ready:
            *_, node = heapq.heappop(ready)
            order.append(node)
            for _, dest in self._outs[node]:
                waits[dest] -= 1
                if not waits[dest]:
                    heapq.heappush(ready, (-len(order), labels[dest], dest))
        return order

    def _depths(self) -> list[int]:
        """The length of the longest way to each node."""
        depths = [0] * len(self.ids)
        for node in self.follow([0] * len(self.ids)):
            for _, dest in self._outs[node]:
                depths[dest] = max(depths[dest], depths[node] + 1)
        return depths


def _kind(node_id: Hashable, data: Mapping[str, Any], inputs: Collection[str] | None) -> tuple[str, str]:
    node_type, name = data.get("node_type"), data.get("name")
    if not isinstance(node_type, str):
        raise GraphError(f"Node {node_id!r} has no node_type: add nodes with GRAFX.add.")
    counts = node_type == "in" and isinstance(name, str) and (inputs is None or name in inputs)
    return node_type, name if counts and name else ""


def _plugs(source_id: Hashable, dest_id: Hashable, data: Mapping[str, Any]) -> tuple[str, str]:
    outlet, inlet = data.get("outlet"), data.get("inlet")
    if not isinstance(outlet, str) or not isinstance(inlet, str):
        raise GraphError(
            f"The cable {source_id!r} -> {dest_id!r} lacks an outlet or an inlet: connect nodes with GRAFX.connect."
        )
    return outlet, inlet
