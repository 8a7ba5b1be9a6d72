"""Graphs as JSON of Cytoscape, and of Cytoscape.js in pages."""

from typing import Any

import networkx as nx

from ..web.picture import picture
from .description import GroupDescription, describe


def to_cytoscape(G: nx.MultiDiGraph, *, settings: bool = False, groups: bool = False) -> dict[str, Any]:
    """Describe a graph as Cytoscape and Cytoscape.js read it, with the places of our layout.

    Args:
        G: The graph. It may be unfinished, disconnected, empty, or contain cycles.
        settings: Whether nodes have their settings and dry/wet weights.
        groups: Whether subgroups are nodes that others have as ``parent``, marked by ``is_group``; programs that do not
            know them show them as nodes.

    Returns:
        Plain data, as of :func:`networkx.cytoscape_data`, to be written with :func:`json.dumps`; nodes have
        ``node_type``, and ``name``, which is their type where they have none; edges have ``outlet``, ``inlet`` and
        their ``kind``. :func:`networkx.cytoscape_graph` makes a graph of it.

    Raises:
        GraphError: ``G`` is not a graph, or a node has no type.

    References:
        Cytoscape.js, "Elements JSON", https://js.cytoscape.org/#notation/elements-json.

    Examples:
        >>> Path("graph.cyjs").write_text(json.dumps(to_cytoscape(G)), encoding="utf-8")
    """
    drawn = describe(G, "to_cytoscape", settings, groups)
    H = nx.MultiDiGraph()
    for node in drawn.nodes:
        data: dict[str, Any] = {"node_type": node.type, "name": node.name or node.type, "color": node.fill}
        if settings:
            data["settings"] = node.settings
            data |= {} if node.wet is None else {"drywet_weight": node.wet}
        H.add_node(node.key, **data)
    for place, edge in enumerate(drawn.edges):
        plugs = {"outlet": edge.outlet, "inlet": edge.inlet, "kind": edge.kind, "name": edge.label}
        H.add_edge(edge.source, edge.dest, id=f"e{place}", **plugs)
    _add_groups(H, drawn.top, None)
    written = nx.cytoscape_data(H)
    written |= {"format_version": "1.0", "data": {"name": "grafx"}}
    places = {node.key: drawn_node for node, drawn_node in zip(drawn.nodes, picture(G)["nodes"], strict=True)}
    for entry in written["elements"]["nodes"]:
        if entry["data"]["id"] in places:
            place = places[entry["data"]["id"]]
            entry["position"] = {"x": place["x"], "y": place["y"]}
    return written


def _add_groups(H: nx.MultiDiGraph, group: GroupDescription, parent: str | None) -> None:
    for key in group.keys if parent is not None else ():
        H.nodes[key]["parent"] = parent
    for inner in group.groups:
        key = f"g{sum(data.get('is_group', False) for _, data in H.nodes(data=True))}"
        H.add_node(key, name=inner.name, is_group=True, **({} if parent is None else {"parent": parent}))
        _add_groups(H, inner, key)
