"""Cables of a graph."""

from typing import Any

import networkx as nx

from .validate import first_plug, text


def cables_around(G: nx.MultiDiGraph, node_id: int) -> list[tuple[int, int, dict[str, Any]]]:
    """Return the edges of a bypass: from the sources of the first inlet to the destinations of the first outlet."""
    node_type = G.nodes[node_id]["node_type"]
    first_inlet, first_outlet = (first_plug(G.config, node_type, side) for side in ("inlet", "outlet"))
    return [
        (source_id, dest_id, {**after, "outlet": before["outlet"]})
        for source_id, _, before in G.in_edges(node_id, data=True)
        for _, dest_id, after in G.out_edges(node_id, data=True)
        if before["inlet"] == first_inlet and after["outlet"] == first_outlet
    ]


def find_cable(G: nx.MultiDiGraph, source_id: Any, dest_id: Any, outlet: Any, inlet: Any) -> Any:
    """Return the networkx key of an edge, or ``None`` if it does not exist."""
    for key, data in (G.get_edge_data(source_id, dest_id) or {}).items():
        if (text(data, "outlet"), text(data, "inlet")) == (outlet, inlet):
            return key
    return None
