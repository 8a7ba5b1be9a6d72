"""Nodes drawn as in GRAFX, see :mod:`grafx.draw.callbacks`."""

from collections.abc import Hashable, Mapping
from typing import Any

import networkx as nx
from matplotlib.axes import Axes

from . import draw
from .layout import Point
from .style import PORT_COLOR, NodeColorHandler


def draw_node(
    ax: Axes,
    G: nx.MultiDiGraph,
    node: tuple[Hashable, Mapping[str, Any]],
    color_config: NodeColorHandler,
    vertical: bool = False,
    inside: str = "node_type",
    above: str | None = None,
    size: tuple[float, float] = (0.5, 0.5),
    linewidth: float = 0.6,
    inside_fontsize: float = 5.6,
    above_fontsize: float = 3.0,
) -> None:
    """Draw one node with texts inside and above.

    Args:
        ax: Axes to draw on.
        G: The graph.
        node: ``(id, attributes)``; ``x0`` and ``y0`` are its lower left corner.
        color_config: Colours of types.
        vertical: Whether signals flow downwards.
        inside: Attribute to write inside, or ``"node_id"``.
        above: Attribute to write above, or ``"node_id"``, or ``None``.
        size: Width and height, in the unit of the corner.
        linewidth: Width of the outline in points.
        inside_fontsize: Size of the text inside in points.
        above_fontsize: Size of the text above in points.
    """
    node_id, data = node
    values = {"node_id": node_id, **data}
    text, title = ("" if name is None else str(values.get(name, "")) for name in (inside, above))
    center = data["x0"] + size[0] / 2, data["y0"] + size[1] / 2
    fill = color_config.get_facecolor(data["node_type"])
    fonts = inside_fontsize, above_fontsize
    draw.draw_node(ax, G, node_id, center, size, fill, text, title, vertical, linewidth, *fonts)


def plot_points(ax: Axes, p0: Point, off_x: float, off_y: float) -> None:
    """Mark the four corners of a box.

    Args:
        ax: Axes to draw on.
        p0: One of the corners.
        off_x: Width from there.
        off_y: Height from there.
    """
    for x in (p0[0], p0[0] + off_x):
        for y in (p0[1], p0[1] + off_y):
            ax.plot([x], [y], ".", color=PORT_COLOR)
