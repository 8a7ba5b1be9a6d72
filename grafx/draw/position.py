"""Positions stored on nodes as in GRAFX, see :mod:`grafx.draw.callbacks`."""

from collections.abc import Hashable, Mapping
from itertools import count

import networkx as nx

from .layout import find_chains, find_layers

Chain = tuple[int, Hashable, list[Hashable]]


def compute_node_position(G: nx.MultiDiGraph, node_spacing: tuple[float, float] = (0.8, 0.8)) -> None:
    """Set ``x0`` and ``y0`` of all nodes: along the flow by their rank, across it by their chain.

    Args:
        G: The graph.
        node_spacing: Distances along and across the flow; a node is half a unit wide.
    """
    _, chains, _ = compute_rank(G)
    taken: set[tuple[int, int]] = set()
    for ranks in chains.values():
        row = next(row for row in count() if taken.isdisjoint((row, rank) for rank in ranks))
        taken.update((row, rank) for rank in ranks)
        for rank, nodes in ranks.items():
            for node in nodes:
                G.nodes[node].update(x0=node_spacing[0] * rank, y0=node_spacing[1] * row)


def compute_rank(
    G: nx.MultiDiGraph, reverse: bool = False
) -> tuple[list[Hashable], Mapping[Hashable, Mapping[int, list[Hashable]]], list[Chain]]:
    """Set the ``rank`` of all nodes, their order along the flow.

    Args:
        G: The graph.
        reverse: Traverse the graph from its outputs.

    Returns:
        The nodes in the order of ranks; the nodes of each rank of each chain, named by its first node; and the result
        of :func:`estimate_chain`.
    """
    chains, ranks = estimate_chain(G), find_layers(G)
    nx.set_node_attributes(G, ranks, "rank")
    order = sorted(G, key=lambda node: ranks[node], reverse=reverse)
    nodes_of: dict[Hashable, dict[int, list[Hashable]]] = {first: {} for _, first, _ in chains}
    for node in order:
        nodes_of[G.nodes[node]["chain"]].setdefault(ranks[node], []).append(node)
    return order, nodes_of, chains


def estimate_chain(G: nx.MultiDiGraph) -> list[Chain]:
    """Set the ``chain`` of all nodes, the first node of each serial chain, and the ``level`` of the chains.

    Returns:
        Level, first node, and the first nodes of the chains that feed it, for all chains in the order of levels.

    Raises:
        networkx.NetworkXUnfeasible: The graph has a cycle.
    """
    first_of: dict[Hashable, Hashable] = {}
    heads: dict[int, Hashable] = {}
    for node, number in find_chains(G).items():
        first_of[node] = heads.setdefault(number, node)
    feeding = {first: list(dict.fromkeys(first_of[n] for n in G.predecessors(first))) for first in heads.values()}
    flow = nx.DiGraph((source, first) for first, sources in feeding.items() for source in sources)
    flow.add_nodes_from(feeding)
    levels = {first: level for level, chains in enumerate(nx.topological_generations(flow)) for first in chains}
    for node, first in first_of.items():
        G.nodes[node].update(chain=first, level=levels[first])
    return sorted(((levels[first], first, sources) for first, sources in feeding.items()), key=lambda chain: chain[0])
