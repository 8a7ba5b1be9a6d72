"""What all languages say of a graph: keys, labels, kinds of edges, nested groups."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from ...data.attributes import BYPASS, WEIGHT
from ...parameters.words import node_lines
from ...text import printable
from ..draw import check_graph
from ..groups import Grouping, buses
from ..kinds import edge_kinds
from ..style import shape_of, type_color


@dataclass(frozen=True)
class NodeDescription:
    """A node: ``key`` is an identifier in any language."""

    key: str
    id: Hashable
    type: str
    name: str | None
    settings: list[str]
    fill: str
    shape: str
    wet: float | None = None
    bypassed: bool = False

    @property
    def label(self) -> list[str]:
        """Its type, and its name if it has one, line by line."""
        return [self.type, *(self.name.split("\n") if self.name else [])]


@dataclass(frozen=True)
class EdgeDescription:
    """An edge between two keys."""

    source: str
    dest: str
    outlet: str
    inlet: str
    kind: str

    @property
    def label(self) -> str:
        """The names of its outlet and inlet, where one is not ``main``."""
        if (self.outlet, self.inlet) == ("main", "main"):
            return ""
        if "main" in (self.outlet, self.inlet):
            return self.outlet if self.inlet == "main" else self.inlet
        return f"{self.outlet} → {self.inlet}"


@dataclass
class GroupDescription:
    """A group with the keys of the nodes that are in no group in it."""

    name: str
    keys: list[str] = field(default_factory=list)
    groups: list["GroupDescription"] = field(default_factory=list)


@dataclass(frozen=True)
class Description:
    """A graph as languages write it; ``top`` has the groups that are in no other."""

    nodes: list[NodeDescription]
    edges: list[EdgeDescription]
    top: GroupDescription


def describe(G: nx.MultiDiGraph, caller: str, settings: bool, groups: bool) -> Description:
    """Describe a graph.

    Args:
        G: The graph.
        caller: Who asks, for messages.
        settings: Whether nodes have their settings.
        groups: Whether nodes are in groups.

    Raises:
        GraphError: It is no graph, or a node has no type.
    """
    check_graph(G, caller)
    keys = node_keys(G)
    nodes = [_node(keys[n], n, data, settings) for n, data in G.nodes(data=True)]
    kinds = edge_kinds(G)
    edges = [
        EdgeDescription(keys[u], keys[v], _plug(data, "outlet"), _plug(data, "inlet"), kinds.get((u, v, key), ""))
        for u, v, key, data in G.edges(keys=True, data=True)
    ]
    return Description(nodes, edges, _nested(G, keys, buses(G) if groups else []))


def node_keys(G: nx.MultiDiGraph) -> dict[Hashable, str]:
    """``n0``, ``n1``, … by their ids, or if these are others by their order."""
    are_numbers = all(type(n) is int and n >= 0 for n in G)
    return {n: f"n{n if are_numbers else place}" for place, n in enumerate(G)}


def _node(key: str, node: Hashable, data: dict[str, Any], settings: bool) -> NodeDescription:
    node_type, name, weight = data["node_type"], data.get("name"), data.get(WEIGHT)
    return NodeDescription(
        key,
        node,
        _text(node_type),
        None if name is None or name == "" else _text(name),
        [_text(line) for line in node_lines(data)] if settings else [],
        type_color(str(node_type)),
        shape_of(str(node_type)),
        float(weight) if isinstance(weight, int | float) and not isinstance(weight, bool) else None,
        data.get(BYPASS) is True,
    )


def _nested(G: nx.MultiDiGraph, keys: dict[Hashable, str], groups: Sequence[Grouping]) -> GroupDescription:
    """Groups in groups; a node is in the smallest that it belongs to."""
    top = GroupDescription("")
    ordered = sorted(groups, key=lambda group: -len(group[1]))
    made = [(members, GroupDescription(_text(name))) for name, members in ordered]
    for place, (members, group) in enumerate(made):
        around = [other for outer, other in made[:place] if members < outer]
        (around[-1] if around else top).groups.append(group)
    for node in G:
        around = [group for members, group in made if node in members]
        (around[-1] if around else top).keys.append(keys[node])
    return top


def _plug(data: dict[str, Any], side: str) -> str:
    return _text(data.get(side, "main"))


def _text(value: Any) -> str:
    return "\n".join(printable(line) for line in str(value).split("\n"))
