"""Kinds of edges: feedbacks, sidechains, and sends."""

from collections.abc import Hashable
from typing import Any

import networkx as nx

from ..data.cables import EdgeId
from .layout import find_backward_edges

FEEDBACK, SIDECHAIN, SEND = "feedback", "sidechain", "send"
STYLES: dict[str, Any] = {
    FEEDBACK: (0, (4, 2)),
    SIDECHAIN: (0, (1.2, 1.6)),
    SEND: (0, (7, 1.8, 1.4, 1.8)),
}
"""Kind of edge to its dashes, in units of line widths; all others are solid."""

LEGEND_NAMES = {FEEDBACK: "feedback", SIDECHAIN: "sidechains", SEND: "sends"}


def edge_kinds(G: nx.MultiDiGraph) -> dict[EdgeId, str]:
    """The kind of each edge that is not a usual one.

    A feedback closes a cycle. A sidechain arrives at another inlet than ``main`` of a type whose first is ``main``. A
    send comes from an outlet of this name, or from or to a node whose type, as ``"send"`` in a console, ends so.
    """
    backward = find_backward_edges(G)
    kinds = {}
    for u, v, key, data in G.edges(keys=True, data=True):
        if u == v or (u, v) in backward:
            kinds[u, v, key] = FEEDBACK
        elif data.get("inlet", "main") != "main" and _first_inlet(G, v) == "main":
            kinds[u, v, key] = SIDECHAIN
        elif data.get("outlet") == SEND or is_send(G, u) or is_send(G, v):
            kinds[u, v, key] = SEND
    return kinds


def _first_inlet(G: nx.MultiDiGraph, node: Hashable) -> str | None:
    """The first inlet of a node's type; without a config, ``main`` if anything arrives there."""
    config, node_type = G.graph.get("config"), G.nodes[node]["node_type"]
    if config is not None and node_type in config:
        return next(iter(config[node_type]["inlets"]), None)
    return "main" if any(data.get("inlet", "main") == "main" for *_, data in G.in_edges(node, data=True)) else None


def is_send(G: nx.MultiDiGraph, node: Hashable) -> bool:
    """Whether a node is a send alone, without another outlet for what it passes on."""
    config, node_type = G.graph.get("config"), G.nodes[node]["node_type"]
    if not str(node_type).lower().rstrip("0123456789_- ").endswith(SEND):
        return False
    if config is not None and node_type in config:
        return SEND not in config[node_type]["outlets"]
    return all(data.get("outlet") != SEND for *_, data in G.out_edges(node, data=True))
