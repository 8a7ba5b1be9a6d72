"""Reasons to refuse an edit: each function returns a message, or ``None`` if the edit is valid."""

from typing import Any

import networkx as nx

from .cables import cable_faults, cables_around, cables_between, first_plug, fits, plugs, text
from .validate import describe, edge_problems, find_malformed, type_problem

Graph = Any  # a GRAFX, which asks here


def add_problem(G: Graph, node_type: Any, name: Any) -> str | None:
    return _frozen_problem(G) or _node_problem(G, node_type, name)


def remove_problem(G: Graph, node_id: Any) -> str | None:
    return _frozen_problem(G) or _missing_problem(G, node_id)


def connect_problem(G: Graph, source_id: Any, dest_id: Any, outlet: Any, inlet: Any) -> str | None:
    if problem := _frozen_problem(G) or _missing_problem(G, source_id) or _missing_problem(G, dest_id):
        return problem
    cable = source_id, dest_id, outlet, inlet
    fault = next(cable_faults(G.nodes, G.config, cable, cables_between(G, source_id, dest_id)), None)
    if fault and fault.kind == "loop":
        return f"Node {source_id} cannot be connected to itself: no self edge is allowed."
    if problem := type_problem(G, G.config, source_id) or type_problem(G, G.config, dest_id):
        return problem
    if fault and fault.kind == "twice":
        return f"{source_id} <{outlet}> -> {dest_id} <{inlet}>: existing edge."
    if fault:
        plug = outlet if fault.kind == "outlet" else inlet
        return _plug_problem(G, f"node {fault.node_id}", G.nodes[fault.node_id]["node_type"], fault.kind, plug)
    return None


def chain_problem(G: Graph, nodes: list[dict[str, Any]]) -> str | None:
    if problem := _frozen_problem(G):
        return problem
    if not nodes:
        return "A serial chain needs at least one node."
    for position, node in enumerate(nodes):
        where = f"node {position} of the chain"
        if unknown := [entry for entry in node if entry not in ("node_type", "parameters", "name")]:
            return f"Unknown entries {unknown} for {where}: use node_type, parameters, name."
        node_type: Any = node.get("node_type")
        if problem := _node_problem(G, node_type, node.get("name")):
            return f"{problem} It is {where}."
        sides = ["inlet"] * (position > 0) + ["outlet"] * (position < len(nodes) - 1)
        for side in sides:
            if problem := _plug_problem(G, where, node_type, side, "main"):
                return problem
    return None


def insert_problem(
    G: Graph, node_type: Any, source_id: Any, dest_id: Any, outlet: Any, inlet: Any, name: Any
) -> str | None:
    problem = add_problem(G, node_type, name) or _missing_problem(G, source_id) or _missing_problem(G, dest_id)
    if problem:
        return problem
    if problem := _passing_problem(G, node_type):
        return f"A {node_type} node cannot be inserted: {problem}."
    if (source_id, dest_id, outlet, inlet) not in cables_between(G, source_id, dest_id):
        cables = (G.get_edge_data(source_id, dest_id) or {}).values()
        there = ", ".join(f"<{cable.get('outlet')}> -> <{cable.get('inlet')}>" for cable in cables)
        return (
            f"There is no cable {describe(G, source_id)} <{outlet}> -> {describe(G, dest_id)} <{inlet}> to insert a"
            f" {node_type} node into; between these two there is {there or 'none'}."
        )
    return None


def replace_problem(G: Graph, node_id: Any, node_type: Any, name: Any) -> str | None:
    if problem := add_problem(G, node_type, name) or _missing_problem(G, node_id):
        return problem
    lacking = []
    for side, edges in (("inlet", G.in_edges), ("outlet", G.out_edges)):
        used = dict.fromkeys(text(cable, side) for *_, cable in edges(node_id, data=True))
        if lost := [plug for plug in used if plug is not None and not fits(G.config, node_type, side, plug)]:
            lacking.append(f"the {side}(s) {', '.join(f'<{plug}>' for plug in lost)}")
    if lacking:
        return (
            f"Node {describe(G, node_id)} cannot become a {node_type}, which lacks {' and '.join(lacking)} that"
            " cables use: remove these cables first."
        )
    return None


def merge_problem(G: Graph, other: Graph) -> str | None:
    if problem := _frozen_problem(G):
        return problem
    if G.batch or other.batch:
        return "A batch of graphs cannot be merged: merge the graphs first and batch them then."
    if malformed := find_malformed(other, G.config):
        return f"The other graph cannot be merged into this one: {malformed[0]}"
    if G.config is None or other.config is None:
        return None
    for node_type in {data["node_type"]: None for _, data in other.nodes(data=True)}:
        here, there = G.config[node_type], other.config.node_type_dict.get(node_type)
        if here != there:
            return (
                f"The other graph cannot be merged into this one: the type {node_type} has {here} here, but {there}"
                " there. Build both with one NodeConfigs."
            )
    return None


def bypass_problem(G: Graph, node_id: Any) -> str | None:
    if problem := remove_problem(G, node_id):
        return problem
    node = f"Node {describe(G, node_id)} cannot be bypassed"
    around = [*G.in_edges(node_id, keys=True, data=True), *G.out_edges(node_id, keys=True, data=True)]
    malformed = next((problem for edge in around for problem in edge_problems(G, G.config, edge)), None)
    if problem := type_problem(G, G.config, node_id) or malformed:
        return f"{node}: {problem}"
    if problem := _passing_problem(G, G.nodes[node_id]["node_type"]):
        return f"{node}: {problem}. Remove it instead."
    for source_id, dest_id, data in cables_around(G, node_id):
        if source_id == dest_id:
            return f"{node}: node {source_id} would feed itself."
        if (source_id, dest_id, data["outlet"], data["inlet"]) in cables_between(G, source_id, dest_id):
            return (
                f"{node}: {source_id} <{data['outlet']}> would feed {dest_id} <{data['inlet']}> twice. Insert a mix"
                " node on one of the ways."
            )
    return _starving_problem(G, node_id, node)


def _frozen_problem(G: Graph) -> str | None:
    return "This graph is a view or frozen: edit a copy of it, G.copy()." if nx.is_frozen(G) else None


def _missing_problem(G: Graph, node_id: Any) -> str | None:
    return None if node_id in G else f"Node {node_id} is not in the graph."


def _node_problem(G: Graph, node_type: Any, name: Any) -> str | None:
    if not isinstance(node_type, str):
        return f"Invalid node_type: {node_type!r} is not a string."
    if G.config is not None and node_type not in G.config:
        return f"Invalid node_type: {node_type}, this graph only allows {G.config.node_types}."
    if not isinstance(name, str | None):
        return f"The name of a {node_type} node must be a string, not {name!r}."
    return None


def _plug_problem(G: Graph, node: str, node_type: str, side: str, plug: Any) -> str | None:
    if not isinstance(plug, str):
        return f"Provided {side}: {plug!r} of {node} is not a string."
    if fits(G.config, node_type, side, plug):
        return None
    return f"Provided {side}: '{plug}' of {node}, while {node_type} only accepts {plugs(G.config, node_type, side)}."


def _passing_problem(G: Graph, node_type: str) -> str | None:
    for side in ("inlet", "outlet"):
        if first_plug(G.config, node_type, side) is None:
            return f"'{node_type}' has no {side}, so that no signal goes through it"
    return None


def _starving_problem(G: Graph, node_id: int, node: str) -> str | None:
    """Find a destination of another outlet than the first that would have no input left."""
    first_outlet = first_plug(G.config, G.nodes[node_id]["node_type"], "outlet")
    for _, dest_id, lost in G.out_edges(node_id, data=True):
        inlet = first_plug(G.config, text(G.nodes[dest_id], "node_type"), "inlet")
        feeds = [
            (source_id, text(cable, "outlet"))
            for source_id, _, cable in G.in_edges(dest_id, data=True)
            if text(cable, "inlet") == inlet
        ]
        if lost["inlet"] == inlet and all(s == node_id and outlet != first_outlet for s, outlet in feeds):
            return (
                f"{node}: only its first outlet '{first_outlet}' passes the signal on, so that nothing would feed the"
                f" inlet '{inlet}' of node {describe(G, dest_id)}. Connect something to it, or remove it first."
            )
    return None
