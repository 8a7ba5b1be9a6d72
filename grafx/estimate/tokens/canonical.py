"""One order of nodes for all graphs that are the same but for their numbering.

Nodes are told apart by colours: at first by their types, then again and again by the colours around them, until this
tells nothing new (colour refinement). Where nodes are left that look alike, each is tried as the first of them, and the
numbering with the least list of cables counts. Symmetries that show on the way spare most of these trials.

Source: B. D. McKay and A. Piperno, "Practical graph isomorphism, II", Journal of Symbolic Computation 60 (2014).
"""

import hashlib
import heapq
import json
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any

import networkx as nx

from ...errors import GraphError

Colours = list[int]
"""The colour of each node; 0, 1, … without a gap."""

Neighbours = list[list[tuple[int, int]]]
"""For each node, the plugs and the other end of its cables."""


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
        number = {node_id: i for i, node_id in enumerate(self.ids)}
        self.cables = [(number[s], number[d], *_plugs(s, d, data)) for s, d, data in G.edges(data=True)]
        plugs = _ranks(cable[2:] for cable in self.cables)
        self._ins: Neighbours = [[] for _ in self.ids]
        self._outs: Neighbours = [[] for _ in self.ids]
        for source, dest, *plug in self.cables:
            rank = plugs[tuple(plug)]
            self._outs[source].append((rank, dest))
            self._ins[dest].append((rank, source))

    def labels(self, settings: Sequence[Any] | None = None) -> list[int]:
        """The place of each node in the canonical numbering."""
        kinds = list(zip(self.nodes, self._depths(), strict=True))
        ranks = _ranks(kinds)
        colours, _ = self.refine([ranks[kind] for kind in kinds])
        if _is_discrete(colours):
            return colours
        best = _Search(self, [0] * len(kinds)).best(colours)
        if settings is None:
            return best.colours
        ranks = _ranks(settings)
        return _Search(self, [ranks[own] for own in settings], best.traces).best(colours).colours

    def refine(self, colours: Colours) -> tuple[Colours, Any]:
        """Tell apart what has other surroundings.

        Returns:
            The colours, whose order keeps that of the given ones, and what they were told by, which is equal for all
            numberings of a graph.
        """
        count = 0
        while True:
            signatures = [
                (
                    own,
                    *(
                        tuple(sorted([(plug, colours[i]) for plug, i in around[node]]))
                        for around in (self._ins, self._outs)
                    ),
                )
                for node, own in enumerate(colours)
            ]
            ranks = _ranks(signatures)
            if len(ranks) == count:
                return colours, sorted(signatures)
            count = len(ranks)
            colours = [ranks[signature] for signature in signatures]

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


class _Leaf:
    """A numbering that was found, with the nodes that were chosen on the way and what was seen there."""

    def __init__(self, colours: Colours, path: list[int], traces: list[Any], key: list[int]) -> None:
        self.colours, self.path, self.traces, self.key = colours, path, traces, key


class _Search:
    """The search for the numbering with the least traces, and among those with the least list of further marks.

    Args:
        structure: The graph.
        marks: A number for each node that tells it from others of its colour: they come first whose mark, or whose
            surroundings' marks, are less.
        traces: Those of the numbering that is looked for, where they are known; marks count after these.
    """

    def __init__(self, structure: Structure, marks: Sequence[int], traces: list[Any] | None = None) -> None:
        self._structure, self._marks, self._traces = structure, marks, traces
        self._best: _Leaf | None = None
        self._symmetries: list[list[int]] = []

    def best(self, colours: Colours) -> _Leaf:
        self._visit(colours, [], [])
        assert self._best is not None
        return self._best

    def _visit(self, colours: Colours, path: list[int], traces: list[Any]) -> int:
        """Search below some choices. Returns at how many of them to go on: fewer, after a symmetry was found."""
        if _is_discrete(colours):
            return self._arrive(_Leaf(colours, path, traces, self._in_order(colours)))
        depth = len(path)
        for group in self._groups(colours):
            tried: list[int] = []
            for node in group:
                if tried and self._is_like(node, tried, path):
                    continue
                tried.append(node)
                split = [2 * own + (own == colours[node] and other != node) for other, own in enumerate(colours)]
                refined, trace = self._structure.refine(split)
                if not self._is_worse([*traces, trace]):
                    back = self._visit(refined, [*path, node], [*traces, trace])
                    if back < depth:
                        return back
            if self._traces is not None and self._best is not None and self._best.path[:depth] == path:
                break
        return depth

    def _groups(self, colours: Colours) -> Iterator[list[int]]:
        """The first nodes that are alike, those with the least marks first."""
        sizes = [0] * len(colours)
        for own in colours:
            sizes[own] += 1
        cell = next(own for own, size in enumerate(sizes) if size > 1)
        nodes = [node for node, own in enumerate(colours) if own == cell]
        if self._traces is None:
            yield nodes
            return
        ranks = _ranks(zip(colours, self._marks, strict=True))
        marked, _ = self._structure.refine([ranks[pair] for pair in zip(colours, self._marks, strict=True)])
        for mark in sorted({marked[node] for node in nodes}):
            yield [node for node in nodes if marked[node] == mark]

    def _is_worse(self, traces: list[Any]) -> bool:
        if self._traces is not None:
            return traces[-1] != self._traces[len(traces) - 1]
        return self._best is not None and traces > self._best.traces[: len(traces)]

    def _arrive(self, leaf: _Leaf) -> int:
        if self._best is None or (leaf.traces, leaf.key) < (self._best.traces, self._best.key):
            self._best = leaf
            return len(leaf.path)
        if (leaf.traces, leaf.key) == (self._best.traces, self._best.key):
            node_at = {label: node for node, label in enumerate(leaf.colours)}
            self._symmetries.append([node_at[label] for label in self._best.colours])
            return next(i for i, (a, b) in enumerate(zip(leaf.path, self._best.path, strict=True)) if a != b)
        return len(leaf.path)

    def _in_order(self, colours: Colours) -> list[int]:
        key = [0] * len(colours)
        for own, mark in zip(colours, self._marks, strict=True):
            key[own] = mark
        return key

    def _is_like(self, node: int, tried: list[int], path: list[int]) -> bool:
        """Whether a symmetry that keeps the choices so far leads from one that was tried to this node."""
        kept = [s for s in self._symmetries if all(s[chosen] == chosen for chosen in path)]
        reached, todo = set(tried), list(tried)
        while todo:
            here = todo.pop()
            for there in {s[here] for s in kept} - reached:
                reached.add(there)
                todo.append(there)
        return node in reached


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


def _ranks(values: Any) -> dict[Any, int]:
    return {value: rank for rank, value in enumerate(sorted(set(values)))}


def _is_discrete(colours: Colours) -> bool:
    return len(set(colours)) == len(colours)
