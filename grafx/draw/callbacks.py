"""Adapters for functions that place and draw nodes and edges with the signatures of GRAFX.

GRAFX passes fewer arguments: a position function gets the graph alone and sets ``x0`` and ``y0`` of its nodes, with y
downwards and a node half a unit wide; a node function gets ``(id, attributes)`` and a
:class:`~grafx.draw.style.NodeColorHandler`; an edge function gets ``(source, dest, attributes)``. These attributes are
in points with y upwards, like the axes of a drawing: ``x0`` and ``y0`` of a node's lower left corner, and ``meta``,
with the node's height ``y`` and the points of its outlets and inlets.
"""

import inspect
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

import networkx as nx
from matplotlib.axes import Axes

from ..errors import GraphError
from .layout import Block, Layout, Point, Spacing
from .style import NodeColorHandler, type_color

UNIT = 52.0  # points


def position_function(function: Callable[..., Any]) -> Callable[..., Layout | Mapping[Hashable, Point]]:
    """Adapt a function to the signature of :func:`~grafx.draw.layered_layout`."""
    return partial(_positions, function) if _name(function, 1) in (None, "node_spacing") else function


def node_function(function: Callable[..., None], layout: Layout, colors: Mapping[str, Any] | None) -> Callable:
    """Adapt a function to the signature of :func:`~grafx.draw.draw_node`."""
    if _name(function, 3) in (None, "color_config") or _name(function, 4) in (None, "vertical"):
        return partial(_draw_node, function, layout, colors)
    return function


def edge_function(
    function: Callable[..., None], G: nx.MultiDiGraph, layout: Layout, blocks: Mapping[Hashable, Block], vertical: bool
) -> Callable:
    """Adapt a function to the signature of :func:`~grafx.draw.draw_edge`."""
    if _name(function, 3) not in (None, "vertical"):
        return function
    H = G.copy()
    for node, center in layout.positions.items():
        block = blocks[node]
        size = (block.width, block.length) if vertical else (block.length, block.width)
        H.nodes[node].update(_place(G, layout, node, center, size))
    return partial(_draw_edge, function, H)


def _positions(
    function: Callable[..., Any],
    G: nx.MultiDiGraph,
    blocks: Mapping[Hashable, Block],
    vertical: bool = False,
    node_spacing: Spacing = 1.0,
    **options: Any,
) -> Layout | Mapping[Hashable, Point]:
    H = G.copy()  # a drawing leaves nothing in the graph
    if node_spacing != 1.0:
        options["node_spacing"] = node_spacing
    given = function(H, **options)
    if given is not None:
        return given
    positions = {}
    for node, data in H.nodes(data=True):
        if "x0" not in data or "y0" not in data:
            raise GraphError(f"compute_node_position_fn returned nothing, and left no x0 and y0 with node {node}.")
        along, across = UNIT * float(data["x0"]), UNIT * float(data["y0"])
        positions[node] = (across, -along) if vertical else (along, -across)
    return positions


def _draw_node(
    function: Callable[..., None],
    layout: Layout,
    colors: Mapping[str, Any] | None,
    ax: Axes,
    G: nx.MultiDiGraph,
    node: Hashable,
    center: Point,
    size: tuple[float, float],
    color: str,
    inside: str,
    above: str,
    **options: Any,
) -> None:
    data = {**G.nodes[node], **_place(G, layout, node, center, size)}
    handler = NodeColorHandler({data["node_type"]: type_color(data["node_type"], colors)})
    function(ax, G, (node, data), handler, **_accepted(function, {**options, "size": size}))


def _draw_edge(
    function: Callable[..., None],
    placed: nx.MultiDiGraph,
    ax: Axes,
    G: nx.MultiDiGraph,
    edge: tuple,
    points: list[Point],
    **options: Any,
) -> None:
    function(ax, placed, (edge[0], edge[1], G.edges[edge]), **_accepted(function, options))


def _place(
    G: nx.MultiDiGraph, layout: Layout, node: Hashable, center: Point, size: tuple[float, float]
) -> dict[str, Any]:
    outs = {d.get("outlet", "main"): (u, v, k) for u, v, k, d in G.out_edges(node, keys=True, data=True)}
    ins = {d.get("inlet", "main"): (u, v, k) for u, v, k, d in G.in_edges(node, keys=True, data=True)}
    meta = {
        "y": size[1],
        "in_points": {name: layout.routes[edge][-1] for name, edge in ins.items()},
        "out_points": {name: layout.routes[edge][0] for name, edge in outs.items()},
    }
    return {"x0": center[0] - size[0] / 2, "y0": center[1] - size[1] / 2, "meta": meta}


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def _name(function: Callable[..., Any], index: int) -> str | None:
    """Return the name of a positional argument, ``None`` if the function takes fewer."""
    parameters = _parameters(function)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return "*"
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[index] if index < len(names) else None


def _accepted(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _parameters(function)
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(options)
    return {name: options[name] for name in options if name in {p.name for p in parameters}}
