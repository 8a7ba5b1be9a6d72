"""The structure of a graph, without its settings and the numbers of its nodes."""

from hashlib import sha256

import networkx as nx

from ...data import GRAFX


def structure_key(G: GRAFX) -> str:
    """A digest of node types and edges with their outlets and inlets, equal for isomorphic structures.

    Colours of nodes are refined by those of their neighbours until no more nodes can be told apart. Two structures that
    are not isomorphic may share a key where this never tells them apart, which is rare in graphs that have a direction.

    Args:
        G: The graph.
    """
    colours = {node: _digest(data["node_type"]) for node, data in G.nodes(data=True)}
    for _ in range(len(G)):
        refined = {node: _digest(colours[node], *_around(G, node, colours)) for node in G}
        if len({*refined.values()}) == len({*colours.values()}):
            break
        colours = refined
    colours = {node: _digest(colours[node], *_around(G, node, colours)) for node in G}
    return _digest(*sorted(colours.values()))


def _around(G: nx.MultiDiGraph, node: int, colours: dict[int, str]) -> list[str]:
    fed = [f"{colours[s]} {d['outlet']} {d['inlet']}" for s, _, d in G.in_edges(node, data=True)]
    feeds = [f"{colours[t]} {d['outlet']} {d['inlet']}" for _, t, d in G.out_edges(node, data=True)]
    return [*sorted(fed), "|", *sorted(feeds)]


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:32]
