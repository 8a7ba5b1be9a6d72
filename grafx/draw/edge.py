"""Edges drawn as in GRAFX, see :mod:`grafx.draw.callbacks`."""

from collections.abc import Hashable, Mapping
from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes

from . import draw
from .bezier import Bezier
from .layout import Point
from .style import EDGE_COLOR


def draw_edge(
    ax: Axes,
    G: nx.MultiDiGraph,
    edge: tuple[Hashable, Hashable, Mapping[str, Any]],
    vertical: bool,
    linewidth: float = 0.6,
) -> None:
    """Draw one edge from its outlet to its inlet.

    Args:
        ax: Axes to draw on.
        G: The graph, whose nodes have ``meta``.
        edge: ``(source, dest, attributes)``.
        vertical: Whether signals flow downwards.
        linewidth: Width of the line in points.
    """
    source, dest, data = edge
    start = G.nodes[source]["meta"]["out_points"][data.get("outlet", "main")]
    end = G.nodes[dest]["meta"]["in_points"][data.get("inlet", "main")]
    draw.draw_edge(ax, G, (source, dest, data.get("outlet", "main")), [start, end], vertical, linewidth)


def add_edge_curve(
    ax: Axes, p_from: Point, p_to: Point, vertical: bool = False, linewidth: float = 0.6, eps: float = 0.02
) -> None:
    """Draw a curve between two points that starts and ends along the flow.

    Args:
        ax: Axes to draw on.
        p_from: Start.
        p_to: End.
        vertical: Whether signals flow along the second coordinate.
        linewidth: Width of the line in points.
        eps: Gap at either end.
    """
    flow = np.array([0.0, 1.0] if vertical else [1.0, 0.0])
    start, end = np.asarray(p_from) + eps * flow, np.asarray(p_to) - eps * flow
    reach = (end - start) * flow / 2
    curve = Bezier.Curve(np.linspace(0, 1, 50), [start, start + reach, end - reach, end])
    ax.plot(*curve.T, color=EDGE_COLOR, linewidth=linewidth)
