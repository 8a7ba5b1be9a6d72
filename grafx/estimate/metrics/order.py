"""An order of nodes, and of graphs, that the numbers of nodes do not change."""

from typing import Any

from ...data import GRAFX


def in_order(G: GRAFX) -> list[int]:
    """The nodes by type and surroundings; those with the same surroundings, however far one looks, by id."""
    colours = _ranked({node: data["node_type"] for node, data in G.nodes(data=True)})
    number = 0
    while len(set(colours.values())) > number:
        number = len(set(colours.values()))
        colours = _ranked({node: (colours[node], _cables(G, node, colours)) for node in G.nodes})
    return sorted(G.nodes, key=lambda node: (colours[node], node))


def outline(G: GRAFX) -> tuple[list[str], list[tuple[int, int, str, str]]]:
    """The types of nodes in order, and the cables between their places: of two graphs, one comes first."""
    nodes = in_order(G)
    place = {node: index for index, node in enumerate(nodes)}
    cables = sorted((place[s], place[d], data["outlet"], data["inlet"]) for s, d, data in G.edges(data=True))
    return [G.nodes[node]["node_type"] for node in nodes], cables


def _ranked(signatures: dict[int, Any]) -> dict[int, int]:
    ranks = {signature: rank for rank, signature in enumerate(sorted(set(signatures.values())))}
    return {node: ranks[signature] for node, signature in signatures.items()}


def _cables(G: GRAFX, node: int, colours: dict[int, int]) -> tuple:
    """What the cables of a node are, and the colours at their far ends."""
    before = sorted((data["inlet"], data["outlet"], colours[s]) for s, _, data in G.in_edges(node, data=True))
    after = sorted((data["outlet"], data["inlet"], colours[d]) for _, d, data in G.out_edges(node, data=True))
    return tuple(before), tuple(after)
