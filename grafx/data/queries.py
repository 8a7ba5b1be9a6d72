"""Queries about the nodes of a graph."""

from collections.abc import Iterable

from .graph import GRAFX


def get_node_ids_from_type(G: GRAFX, node_type: str) -> list[int]:
    """Return the ids of all nodes of a type, in ascending order."""
    return sorted(node_id for node_id, data in G.nodes(data=True) if data["node_type"] == node_type)


def count_nodes_per_type(G: GRAFX, types_to_count: Iterable[str] | None = None) -> dict[str, int]:
    """Count the nodes of each type.

    Args:
        G: The graph.
        types_to_count: The types to count; by default all of the config, or without a config those in the graph.
    """
    found = [data["node_type"] for _, data in G.nodes(data=True)]
    of_graph = dict.fromkeys(found) if G.config is None else G.config.node_types
    return {node_type: found.count(node_type) for node_type in (of_graph if types_to_count is None else types_to_count)}
