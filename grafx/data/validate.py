"""Problems that prevent a graph from being rendered, all at once.

Nothing here relies on valid data: raw networkx calls can leave any ids and attributes in a graph.
"""

import reprlib
from collections import Counter
from collections.abc import Hashable, Iterator
from numbers import Integral
from typing import Any

import networkx as nx

from .cables import KeyedEdge, cable_faults, first_plug, plugs, text
from .configs import NodeConfigs


def find_problems(G: nx.MultiDiGraph, config: NodeConfigs | None) -> list[str]:
    """Return a message for each problem that prevents rendering."""
    return [*find_malformed(G, config), *_cycles(G), *_unfed_inlets(G, config), *_missing_output(G)]


def find_malformed(G: nx.MultiDiGraph, config: NodeConfigs | None) -> list[str]:
    """Return a message for each node and edge that :class:`GRAFX` would not have made."""
    checks = [check for node_id in G.nodes for check in (_id_problem(node_id), type_problem(G, config, node_id))]
    nodes = [problem for problem in checks if problem]
    edges = [problem for edge in G.edges(keys=True, data=True) for problem in edge_problems(G, config, edge)]
    return [*nodes, *edges, *_duplicates(G)]


def type_problem(G: nx.MultiDiGraph, config: NodeConfigs | None, node_id: Hashable) -> str | None:
    """Describe an invalid node type; ``None`` if it is valid."""
    data, node = G.nodes[node_id], f"Node {show(node_id)}"
    if "node_type" not in data:
        return f"{node} has no node_type: add nodes with GRAFX.add, or give it a type with GRAFX.replace."
    node_type = data["node_type"]
    if not isinstance(node_type, str):
        return f"{node} has the node_type {show(node_type)}, expected a string: use GRAFX.replace."
    if config is not None and node_type not in config:
        return (
            f"{node} has the node_type {show(node_type)}, expected one of {config.node_types}: use GRAFX.replace, or a"
            " config that has this type."
        )
    return None


def edge_problems(G: nx.MultiDiGraph, config: NodeConfigs | None, edge: KeyedEdge) -> Iterator[str]:
    """What is wrong with a cable's ends."""
    source_id, dest_id, _, data = edge
    cable = source_id, dest_id, data.get("outlet"), data.get("inlet")
    for side, _, names in cable_faults(G.nodes, config, cable):
        expected = "a name" if names is None else f"one of {names}" if names else f"a node that has {side}s"
        if side == "loop":
            yield f"{_describe_edge(G, edge)} feeds a node with its own output, which cannot be rendered: remove it."
        elif side not in data:
            yield f"{_describe_edge(G, edge)} has no {side}, expected {expected}: connect nodes with GRAFX.connect."
        else:
            yield (
                f"{_describe_edge(G, edge)} has the {side} {show(data[side])}, expected {expected}: remove it and use"
                " GRAFX.connect."
            )


def show(value: Any) -> str:
    """Format any value in few characters."""
    return str(value) if isinstance(value, Integral) else reprlib.repr(value)


def describe(G: nx.MultiDiGraph, node_id: Hashable) -> str:
    """Format a node for messages: ``"3 (eq)"``."""
    return f"{show(node_id)} ({text(G.nodes[node_id], 'node_type') or 'no type'})"


def _id_problem(node_id: Hashable) -> str | None:
    if isinstance(node_id, Integral):
        return None
    return (
        f"Node id {show(node_id)} is of type {type(node_id).__name__}, expected an integer: use"
        " networkx.convert_node_labels_to_integers."
    )


def _describe_edge(G: nx.MultiDiGraph, edge: KeyedEdge) -> str:
    source_id, dest_id, key, _ = edge
    which = f" (key {show(key)})" if G.number_of_edges(source_id, dest_id) > 1 else ""
    return f"Edge {describe(G, source_id)} -> {describe(G, dest_id)}{which}"


def _duplicates(G: nx.MultiDiGraph) -> Iterator[str]:
    cables = ((s, d, text(data, "outlet"), text(data, "inlet")) for s, d, data in G.edges(data=True))
    for (source_id, dest_id, outlet, inlet), count in Counter(cables).items():
        if count > 1 and outlet is not None and inlet is not None:
            yield (
                f"Edge {describe(G, source_id)} <{outlet}> -> {describe(G, dest_id)} <{inlet}> is there {count} times,"
                " expected once: remove the others."
            )


def _cycles(G: nx.MultiDiGraph) -> Iterator[str]:
    flow = nx.DiGraph()
    flow.add_edges_from(G.edges())
    flow.remove_edges_from(list(nx.selfloop_edges(flow)))
    for component in nx.strongly_connected_components(flow):
        if len(component) > 1:
            cycle = [source_id for source_id, _ in nx.find_cycle(flow.subgraph(component))]
            names = " -> ".join(describe(G, node_id) for node_id in [*cycle, cycle[0]])
            among = f", one of those among {len(component)} nodes" if len(component) > len(cycle) else ""
            yield f"There is a cycle {names}{among}, which renders in blocks only: remove one of its cables."


def _unfed_inlets(G: nx.MultiDiGraph, config: NodeConfigs | None) -> Iterator[str]:
    for node_id, data in G.nodes(data=True):
        if type_problem(G, config, node_id):
            continue
        node_type = data["node_type"]
        inlet = first_plug(config, node_type, "inlet")
        sources = G.in_edges(node_id, data=True)
        if inlet is None or any(text(cable, "inlet") == inlet for _, _, cable in sources):
            continue
        hint = ""
        if not sources and plugs(config, node_type, "inlet") is None:
            inletless = f"NodeConfigs({{{node_type!r}: {{'inlets': []}}}})"
            hint = f" A generator needs a config that gives it no inlets: {inletless}."
        yield (
            f"Nothing is connected to the inlet '{inlet}' of node {describe(G, node_id)}: connect a source to it or"
            f" remove the node.{hint}"
        )


def _missing_output(G: nx.MultiDiGraph) -> Iterator[str]:
    if not any(text(data, "node_type") == "out" for _, data in G.nodes(data=True)):
        yield "The graph has no 'out' node: add one and connect to it what should be heard."
