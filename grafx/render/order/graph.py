"""Schedules of graphs, under GRAFX's names."""

from typing import Any

from ...data.graph import GRAFX
from ..schedule.order import compute_render_order, reorder_for_fast_render

__all__ = ["compute_render_order", "get_sorted_graph", "reorder_for_fast_render", "return_render_ordered_graph"]


def return_render_ordered_graph(G: GRAFX, method: str, **kwargs: Any) -> GRAFX:
    """Renumber a graph along a schedule, see :func:`~grafx.render.reorder_for_fast_render`."""
    return reorder_for_fast_render(G, method, **kwargs)


def get_sorted_graph(G: GRAFX) -> GRAFX:
    """A copy of the graph that runs through its nodes in the order of their ids."""
    nodes = [(node, G.nodes[node]) for node in sorted(G.nodes)]
    return GRAFX.like(G, nodes, sorted(G.edges(keys=True, data=True), key=_ends))


def _ends(edge: tuple) -> tuple:
    return edge[:3]
