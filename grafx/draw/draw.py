"""Drawing a graph with matplotlib."""

import os
from collections.abc import Callable, Hashable, Mapping
from io import StringIO
from math import sqrt
from typing import Any

import networkx as nx
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Polygon

from ..data.cables import EdgeId
from ..errors import GraphError
from ..parameters.words import node_lines
from ..text import printable
from .blocks import ARROW, PORT_FONT, make_blocks, measure
from .callbacks import edge_function, node_function, position_function
from .layout import (
    Block,
    Layout,
    Point,
    find_backward_edges,
    find_chains,
    find_layers,
    layered_layout,
    scales,
)
from .shapes import box, course, direction
from .style import (
    BACKWARD_COLOR,
    EDGE_COLOR,
    PORT_COLOR,
    TEXT_COLOR,
    outline_color,
    shape_of,
    short_names,
    text_color,
    type_color,
)

NODE_SIDE = 26.0  # points, as all lengths here
USUAL_SIZE = 0.5  # where a size is given as two lengths
LEGEND_FONT = 8.5
LEGEND_CHIP = (24.0, 15.0)
LEGEND_GAP = 20.0
LEGEND_WIDTH = 360.0  # at least, before it breaks into rows
MARGIN = 10.0
TURN = 14.0  # how far an edge reaches to get round
LONGEST_TEXT = 40
SCREEN_DPI = 120
MOST_PIXELS = 60_000, 1e8  # along a side, where matplotlib refuses 2**16 and more, and in all

NODE_OPTIONS = {
    "inside": "short_type",
    "above": None,
    "size": 1.0,
    "linewidth": 1.0,
    "inside_fontsize": 8.5,
    "above_fontsize": 7.5,
}
EDGE_OPTIONS = {"linewidth": 1.0}
POSITION_OPTIONS = {"node_spacing": 1.0}
TEXTS = ("short_type", "node_type", "node_id", "name", "rendering_order", "chain", "level", "settings")

WITHOUT_TIME = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


class Drawing(Figure):
    """A matplotlib figure that keeps text as text in SVG and PDF files and displays itself in notebooks.

    The same drawing gives the same bytes: files do not carry the time.

    It is not registered with pyplot, so it need not be closed.
    """

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """Save the figure; arguments are those of :meth:`matplotlib.figure.Figure.savefig`."""
        suffix = os.path.splitext(fname)[1] if isinstance(fname, str | os.PathLike) else ""  # noqa: PTH122 – Path is taken
        kind = kwargs.get("format") or suffix[1:] or rcParams["savefig.format"]
        kwargs.setdefault("metadata", WITHOUT_TIME.get(kind.lower()))
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "grafx", "pdf.fonttype": 42}):
            super().savefig(fname, **kwargs)

    def _repr_svg_(self) -> str:
        file = StringIO()
        self.savefig(file, format="svg")
        return file.getvalue()


def draw_node(
    ax: Axes,
    G: nx.MultiDiGraph,
    node: Hashable,
    center: Point,
    size: tuple[float, float],
    color: str,
    inside: str,
    above: str,
    vertical: bool = False,
    linewidth: float = 1.0,
    inside_fontsize: float = 8.5,
    above_fontsize: float = 7.5,
) -> None:
    """Draw one node: a box, or a rounded one for ``in``, ``out`` and ``mix``, with its texts.

    Args:
        ax: Axes to draw on; one unit is one point.
        G: The graph.
        node: The node's id.
        center: Its centre (x, y).
        size: Its width and height.
        color: Fill.
        inside: Text in the box.
        above: Text above the box, or to its right where signals flow downwards and arrive from above.
        vertical: Whether signals flow downwards.
        linewidth: Width of the outline in points.
        inside_fontsize: Size of the text inside in points.
        above_fontsize: Size of the text above in points.
    """
    (x, y), (width, height) = center, size
    _draw_box(ax, center, size, color, shape_of(G.nodes[node]["node_type"]), linewidth, f"node-{node}")
    if inside:
        _write(ax, x, y, inside, inside_fontsize, text_color(color), "center", "center")
    if above and vertical:
        _write(ax, x + width / 2 + 4, y, above, above_fontsize, TEXT_COLOR, "left", "center")
    elif above:
        _write(ax, x, y + height / 2 + 3.5, above, above_fontsize, TEXT_COLOR, "center", "baseline")


def draw_edge(
    ax: Axes,
    G: nx.MultiDiGraph,
    edge: EdgeId,
    points: list[Point],
    vertical: bool = False,
    linewidth: float = 1.0,
    closes_cycle: bool | None = None,
) -> None:
    """Draw one edge with an arrowhead at its destination; edges that close a cycle are red and dashed.

    Args:
        ax: Axes to draw on; one unit is one point.
        G: The graph.
        edge: ``(source, dest, key)``.
        points: From the source's outlet to the destination's inlet. Two points that differ across the flow are joined
            by a curve, others by a line. Where the first and the last step lead opposite ways, the edge turns round at
            the point between them.
        vertical: Whether signals flow downwards.
        linewidth: Width of the line in points.
        closes_cycle: Whether it closes a cycle; by default it is looked for in the graph.
    """
    if closes_cycle is None:
        closes_cycle = edge[0] == edge[1] or edge[:2] in find_backward_edges(G)
    length, half_width = (side * max(1.0, linewidth**0.5) for side in ARROW)
    arrival = direction(edge, points, vertical)
    tip = points[-1]
    base = (tip[0] - length * arrival[0], tip[1] - length * arrival[1])
    path = course(edge, [*points[:-1], base], arrival, vertical)
    color, style = (BACKWARD_COLOR, (0, (4, 2))) if closes_cycle else (EDGE_COLOR, "solid")
    name = "edge-{}-{}-{}".format(*edge)
    ax.add_patch(PathPatch(path, fill=False, edgecolor=color, linewidth=linewidth, linestyle=style, zorder=1, gid=name))
    side = (half_width * arrival[1], -half_width * arrival[0])
    corners = [tip, (base[0] + side[0], base[1] + side[1]), (base[0] - side[0], base[1] - side[1])]
    ax.add_patch(Polygon(corners, closed=True, facecolor=color, linewidth=0, zorder=1.5))


def draw_grafx(
    G: nx.MultiDiGraph,
    vertical: bool = False,
    compute_node_position_fn: Callable[..., Layout | Mapping[Hashable, Point]] = layered_layout,
    draw_node_fn: Callable[..., None] = draw_node,
    draw_edge_fn: Callable[..., None] = draw_edge,
    colors: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> tuple[Drawing, Axes]:
    """Draw a graph: nodes in layers along the flow, coloured by type, with a legend.

    The size of the figure follows the graph; text keeps its size. Save it with ``fig.savefig("graph.svg")``, ``.pdf``
    or ``.png``.

    Args:
        G: The graph. It may be unfinished, disconnected, empty, or contain cycles, whose closing edges are drawn red
            and dashed.
        vertical: Signals flow from top to bottom instead of from left to right.
        compute_node_position_fn: Called as ``fn(G, blocks, vertical=vertical, **position_options)``, where ``blocks``
            holds the :class:`~grafx.draw.Block` of each node. Returns a :class:`~grafx.draw.Layout`, or a dict from
            node to (x, y) in points. :func:`~grafx.draw.held_positions` takes what the nodes hold as ``position``.
        draw_node_fn: Called as :func:`~grafx.draw.draw_node` is, once for each node.
        draw_edge_fn: Called as :func:`~grafx.draw.draw_edge` is, once for each edge. Functions with the signatures of
            GRAFX work as well, see :mod:`grafx.draw.callbacks`.
        colors: Node type to colour, for types with another colour than the default; or a list of colours for the types
            in their order.
        **kwargs: ``node_inside`` and ``node_above`` choose the text in and above each node: ``"short_type"``
            (explained in the legend; the default inside), ``"node_type"``, ``"node_id"``, ``"name"``,
            ``"rendering_order"``, ``"chain"`` (number of the serial chain), ``"level"`` (layer along the flow),
            ``"settings"`` (physical values, one per line, and the dry/wet weight), any node attribute, or ``None``. A
            node without the attribute gets no text. ``node_size`` (1.0, relative, or width and height with the default
            0.5), ``node_linewidth``, ``node_inside_fontsize``, ``node_above_fontsize``, ``edge_linewidth`` (in points),
            ``position_node_spacing`` (1.0, relative, or along and across the flow with the default 0.8).

    Returns:
        The figure and its axes, in which one unit is one point.

    Raises:
        GraphError: ``G`` is not a graph, a keyword is unknown, or a text names an attribute that no node has.
    """
    check_graph(G, "draw_grafx")
    given = {"node": draw_node_fn, "edge": draw_edge_fn, "position": compute_node_position_fn}
    own = {"node": draw_node, "edge": draw_edge, "position": layered_layout}
    free = {part: function is not own[part] for part, function in given.items()}
    node_options, edge_options, position_options = _sort_options(kwargs, free)
    shorts = short_names(data["node_type"] for _, data in G.nodes(data=True))
    colors = colors if colors is None or hasattr(colors, "keys") else dict(zip(_types(G), colors, strict=False))
    inside_by, above_by = node_options.pop("inside"), node_options.pop("above")
    inside, above = _texts(G, inside_by, shorts, "node_inside"), _texts(G, above_by, shorts, "node_above")

    along, across = scales(node_options.pop("size"), USUAL_SIZE)
    sides = NODE_SIDE * along, NODE_SIDE * across
    fonts = node_options["inside_fontsize"], node_options["above_fontsize"]
    blocks = make_blocks(G, inside, above, sides, fonts, vertical)
    layout = position_function(compute_node_position_fn)(G, blocks, vertical=vertical, **position_options)
    if not isinstance(layout, Layout):
        layout = _with_direct_routes(G, blocks, layout, vertical)

    draw_node_fn = node_function(draw_node_fn, layout, colors)
    draw_edge_fn = edge_function(draw_edge_fn, G, layout, blocks, vertical)
    fig = Drawing(facecolor="white", dpi=SCREEN_DPI)
    ax = fig.add_axes((0, 0, 1, 1))
    backward = find_backward_edges(G)
    for edge, points in layout.routes.items():
        known = {} if free["edge"] else {"closes_cycle": edge[0] == edge[1] or edge[:2] in backward}
        draw_edge_fn(ax, G, edge, points, vertical=vertical, **edge_options, **known)
    for node, center in layout.positions.items():
        block = blocks[node]
        size = (block.width, block.length) if vertical else (block.length, block.width)
        color = type_color(G.nodes[node]["node_type"], colors)
        texts = inside[node], above[node]
        draw_node_fn(ax, G, node, center, size, color, *texts, vertical=vertical, **node_options)
        _write_port_names(ax, center, block, vertical)
    bounds = find_bounds(layout, blocks, vertical)
    bounds = _draw_legend(ax, shorts, inside_by == "short_type", colors, bounds, vertical)
    _fit(fig, ax, bounds)
    return fig, ax


def check_graph(G: nx.MultiDiGraph, caller: str) -> None:
    """Refuse what cannot be drawn.

    Raises:
        GraphError: It is not a graph, or a node has no type.
    """
    if not isinstance(G, nx.MultiDiGraph):
        hint = " Use convert_to_graph first." if hasattr(G, "edge_indices") else ""
        raise GraphError(f"{caller} draws a GRAFX, not a {type(G).__name__}.{hint}")
    for node, data in G.nodes(data=True):
        if "node_type" not in data:
            raise GraphError(f"Node {node} has no node_type: add nodes with GRAFX.add.")


def _types(G: nx.MultiDiGraph) -> list[str]:
    config: Any = G.graph.get("config")
    return (
        config.node_types if config is not None else list(dict.fromkeys(d["node_type"] for _, d in G.nodes(data=True)))
    )


def grafx_to_svg(G: nx.MultiDiGraph, **kwargs: Any) -> str:
    """Draw a graph as an SVG document.

    Args:
        G: The graph.
        **kwargs: As for :func:`draw_grafx`.
    """
    return draw_grafx(G, **kwargs)[0]._repr_svg_()


# --- Options and texts --------------------------------------------------------------------------------------


def _sort_options(kwargs: Mapping[str, Any], free: Mapping[str, bool]) -> tuple[dict, dict, dict]:
    groups = {"node": dict(NODE_OPTIONS), "edge": dict(EDGE_OPTIONS), "position": dict(POSITION_OPTIONS)}
    allowed = [f"{prefix}_{name}" for prefix, options in groups.items() for name in options]
    for key, value in kwargs.items():
        prefix, _, name = key.partition("_")
        if key not in allowed and not (name and free.get(prefix, False)):
            raise GraphError(f"draw_grafx has no keyword {key!r}. It accepts {', '.join(allowed)}.")
        groups[prefix][name] = value
    return groups["node"], groups["edge"], groups["position"]


def _texts(G: nx.MultiDiGraph, by: str | None, shorts: Mapping[str, str], option: str) -> dict[Hashable, str]:
    values = _values(G, by, shorts)
    if by is not None and G and not values and by != "name":
        attributes = dict.fromkeys(a for _, data in G.nodes(data=True) for a in data if a not in TEXTS)
        allowed = ", ".join([*TEXTS, *map(str, attributes)])
        remedy = " Order the graph for rendering first." if by == "rendering_order" else ""
        raise GraphError(f"{option}={by!r}: no node has this attribute.{remedy} Choose one of {allowed}, or None.")
    return {n: _as_text(values.get(n)) for n in G}


def _values(G: nx.MultiDiGraph, by: str | None, shorts: Mapping[str, str]) -> Mapping[Hashable, Any]:
    if by == "node_id":
        return {n: n for n in G}
    if by == "short_type":
        return {n: shorts[data["node_type"]] for n, data in G.nodes(data=True)}
    if by == "settings":
        return {n: "\n".join(lines) for n, data in G.nodes(data=True) if (lines := node_lines(data))}
    attributes = {n: data[by] for n, data in G.nodes(data=True) if by in data}
    if by in ("chain", "level") and not attributes:
        return find_chains(G) if by == "chain" else find_layers(G)
    return attributes


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    lines = [printable(line) for line in (f"{value:.4g}" if isinstance(value, float) else str(value)).split("\n")]
    return "\n".join(line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…" for line in lines)


def _write(ax: Axes, x: float, y: float, text: str, size: float, color: str, ha: str, va: str) -> None:
    va = "center_baseline" if va == "center" else va
    text = "\n".join(map(printable, text.split("\n")))
    ax.text(x, y, text, size=size, color=color, ha=ha, va=va, zorder=3, parse_math=False)


# --- Ports --------------------------------------------------------------------------------------------------


def _write_port_names(ax: Axes, center: Point, block: Block, vertical: bool) -> None:
    for ports, sign in ((block.entry, -1), (block.exit, 1)):
        for (_, name), offset in ports.items():
            if name == "main":
                continue
            if vertical:
                x, y = center[0] + offset + 4, center[1] - sign * (block.length / 2 + 1 + PORT_FONT / 2)
                _write(ax, x, y, name, PORT_FONT, PORT_COLOR, "left", "center")
            else:
                x, y = center[0] + sign * (block.length / 2 + 4), center[1] - offset + 3
                _write(ax, x, y, name, PORT_FONT, PORT_COLOR, "left" if sign > 0 else "right", "baseline")


def _with_direct_routes(G, blocks, positions: Mapping[Hashable, Point], vertical: bool) -> Layout:
    missing = [n for n in G if n not in positions]
    if missing:
        raise GraphError(f"compute_node_position_fn gave no position for node {missing[0]}.")
    positions = {n: (float(positions[n][0]), float(positions[n][1])) for n in G}
    routes = {}
    for u, v, key, data in G.edges(keys=True, data=True):
        ends = (u, ("out", data.get("outlet", "main"))), (v, ("in", data.get("inlet", "main")))
        routes[u, v, key] = _direct_route(*((blocks[n], positions[n], port) for n, port in ends), vertical)
    return Layout(positions, routes)


def _direct_route(source: tuple, dest: tuple, vertical: bool) -> list[Point]:
    """Join two nodes by the sides that face each other, or around the later ends of two that stand side by side."""
    (block, start, _), (other, end, _) = source, dest
    step = start[1] - end[1] if vertical else end[0] - start[0]
    beside = abs(step) < (block.length + other.length) / 2
    sides = (1, 1) if beside else (1, -1) if step > 0 else (-1, 1)
    first, last = (_port_place(*node, side, vertical) for node, side in zip((source, dest), sides, strict=True))
    if not beside:
        return [first, last]
    reach = TURN + max((-y if vertical else x) + b.length / 2 for b, (x, y) in ((block, start), (other, end)))
    across = (first[0] + last[0]) / 2 if vertical else (first[1] + last[1]) / 2
    return [first, (across, -reach) if vertical else (reach, across), last]


def _port_place(block: Block, center: Point, port: tuple[str, str], side: int, vertical: bool) -> Point:
    """Where an edge meets a node: at the place of its port, on one side or the other."""
    along, across = side * block.length / 2, {**block.entry, **block.exit}.get(port, 0.0)
    return (center[0] + across, center[1] - along) if vertical else (center[0] + along, center[1] - across)


def _draw_box(ax, center, size, color, shape, linewidth, gid=None) -> None:
    outline = {"facecolor": color, "edgecolor": outline_color(color), "linewidth": linewidth}
    ax.add_patch(PathPatch(box(center, size, shape), **outline, zorder=2, gid=gid))


# --- Legend and page ----------------------------------------------------------------------------------------


def find_bounds(layout: Layout, blocks: Mapping[Hashable, Block], vertical: bool) -> list[float]:
    """Left, bottom, right and top of all that is drawn."""
    points = [p for route in layout.routes.values() for p in route]
    for node, (x, y) in layout.positions.items():
        b = blocks[node]
        low = (-b.length / 2 - b.lead, -b.width / 2 - b.near)
        high = (b.length / 2 + b.tail, b.width / 2 + b.far)
        points += [(x + c, y - a) if vertical else (x + a, y - c) for a, c in (low, high)]
    if not points:
        return [0.0, 0.0, 0.0, 0.0]
    xs, ys = zip(*points, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]


def _draw_legend(ax, shorts, with_shorts, colors, bounds, vertical) -> list[float]:
    """Draw one chip and name for each type: a row above the graph, or a column to the right of a tall one."""
    if not shorts:
        return bounds
    left, bottom, right, top = bounds
    order = {"in": 0, "out": 2}
    types = sorted(shorts, key=lambda t: order.get(t, 1))
    chip = LEGEND_CHIP if with_shorts else (LEGEND_CHIP[1],) * 2
    widths = [chip[0] + 5 + measure(t, LEGEND_FONT) for t in types]
    pitch = chip[1] + 6
    x, y = (right + LEGEND_GAP, top - chip[1] / 2) if vertical else (left, 0.0)
    places = []
    for width in widths:
        if vertical:
            places.append((x, y))
            y -= pitch
        else:
            if x > left and x + width > max(right, left + LEGEND_WIDTH):
                x, y = left, y - pitch
            places.append((x, y))
            x += width + 14
    if not vertical:
        lift = top + LEGEND_GAP + chip[1] / 2 - places[-1][1]
        places = [(x, y + lift) for x, y in places]
    for node_type, (x, y), width in zip(types, places, widths, strict=True):
        color = type_color(node_type, colors)
        _draw_box(ax, (x + chip[0] / 2, y), chip, color, shape_of(node_type), 1.0)
        if with_shorts:
            _write(ax, x + chip[0] / 2, y, shorts[node_type], 7.5, text_color(color), "center", "center")
        _write(ax, x + chip[0] + 5, y, node_type, LEGEND_FONT, TEXT_COLOR, "left", "center")
        right, bottom, top = max(right, x + width), min(bottom, y - chip[1] / 2), max(top, y + chip[1] / 2)
    return [left, bottom, right, top]


def _fit(fig: Figure, ax: Axes, bounds: list[float]) -> None:
    left, bottom, right, top = bounds
    width, height = right - left + 2 * MARGIN, top - bottom + 2 * MARGIN
    fig.set_size_inches(width / 72, height / 72)
    side, area = max(fig.get_size_inches()), width * height / 72**2
    fig.set_dpi(min(SCREEN_DPI, MOST_PIXELS[0] / side, sqrt(MOST_PIXELS[1] / area)))
    ax.set(xlim=(left - MARGIN, right + MARGIN), ylim=(bottom - MARGIN, top + MARGIN))
    ax.set_axis_off()
