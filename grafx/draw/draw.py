"""Drawing a graph with matplotlib."""

import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from io import StringIO
from math import inf
from numbers import Real
from threading import RLock
from typing import Any, NamedTuple

import networkx as nx
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data.cables import EdgeId
from ..errors import GraphError
from .blocks import ARROW, PORT_FONT, make_blocks
from .boxes import draw_box, write
from .callbacks import edge_function, node_function, position_function
from .labels import labels
from .layout import (
    USUAL_SPACING,
    Block,
    Layout,
    Point,
    Port,
    find_backward_edges,
    layered_layout,
    scales,
)
from .narrow import READABLE, narrowed_layout, packed_layout
from .page import LEGEND_WIDTH, MARGIN, SCREEN_DPI, draw_legend, draw_title, find_bounds, fit, show
from .scaled import ScaledPath, ScaledPolygon, root_of
from .shapes import course, direction
from .style import THEMES, grey, inks, shape_of, short_names, text_color, type_color

NODE_SIDE = 26.0  # points, as all lengths here
USUAL_SIZE = 0.5  # where a size is given as two lengths
DENSITIES = (1.0, 0.8, 0.6, 0.45, 0.3)  # of gaps and of what is around texts
LEGENDS = ("above", "below", "right")
TURN = 14.0  # how far an edge reaches to get round

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

SETTINGS = RLock()  # matplotlib's are those of all threads
LARGE = 1e7  # pixels, of which PNG files are written in less time rather than in fewer bytes
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
        if rcParams["savefig.dpi"] == "figure":  # which else is what the figure had at first
            kwargs.setdefault("dpi", self.dpi)
        if kind.lower() == "png" and self.get_figwidth() * self.get_figheight() * self.dpi**2 > LARGE:
            kwargs.setdefault("pil_kwargs", {"compress_level": 1})
        with SETTINGS, rc_context({"svg.fonttype": "none", "svg.hashsalt": "grafx", "pdf.fonttype": 42}):
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
    draw_box(ax, center, size, color, shape_of(G.nodes[node]["node_type"]), linewidth, f"node-{node}")
    ink = inks(ax).text
    if inside:
        write(ax, x, y, inside, inside_fontsize, text_color(color), "center", "center")
    if above and vertical:
        write(ax, x + width / 2 + 4, y, above, above_fontsize, ink, "left", "center")
    elif above:
        write(ax, x, y + height / 2 + 3.5, above, above_fontsize, ink, "center", "baseline")


def draw_edge(
    ax: Axes,
    G: nx.MultiDiGraph,
    edge: EdgeId,
    points: list[Point],
    vertical: bool = False,
    linewidth: float = 1.0,
    closes_cycle: bool | None = None,
    arrow: float = 1.0,
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
        arrow: Size of the arrowhead, relative.
    """
    if closes_cycle is None:
        closes_cycle = edge[0] == edge[1] or edge[:2] in find_backward_edges(G)
    length, half_width = (side * arrow * max(1.0, linewidth**0.5) for side in ARROW)
    arrival = direction(edge, points, vertical)
    tip = points[-1]
    base = (tip[0] - length * arrival[0], tip[1] - length * arrival[1])
    path = course(edge, [*points[:-1], base], arrival, vertical)
    ink = inks(ax)
    color, style = (ink.backward, (0, (4, 2))) if closes_cycle else (ink.edge, "solid")
    name = "edge-{}-{}-{}".format(*edge)
    line = {"edgecolor": color, "linewidth": linewidth, "linestyle": style}
    ax.add_artist(ScaledPath(path, fill=False, **line, zorder=1, gid=name))
    side = (half_width * arrival[1], -half_width * arrival[0])
    corners = [tip, (base[0] + side[0], base[1] + side[1]), (base[0] - side[0], base[1] - side[1])]
    ax.add_artist(ScaledPolygon(corners, closed=True, facecolor=color, linewidth=0, zorder=1.5))


def draw_grafx(
    G: nx.MultiDiGraph,
    vertical: bool = False,
    compute_node_position_fn: Callable[..., Layout | Mapping[Hashable, Point]] = layered_layout,
    draw_node_fn: Callable[..., None] = draw_node,
    draw_edge_fn: Callable[..., None] = draw_edge,
    colors: Mapping[str, Any] | None = None,
    *,
    width: float | None = None,
    ax: Axes | None = None,
    legend: bool | str = True,
    title: str | None = None,
    theme: str = "light",
    **kwargs: Any,
) -> tuple[Drawing, Axes]:
    """Draw a graph: nodes in layers along the flow, coloured by type, with a legend.

    The size of the figure follows the graph, unless its ``width`` is given; text keeps its size next to the nodes. Save
    it with ``fig.savefig("graph.svg")``, ``.pdf`` or ``.png``.

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
        width: Of the figure in inches, such as that of a column of a paper. A larger drawing closes its gaps, and then
            shrinks as a whole, texts included; before it could no longer be read, long chains are folded into rows, or
            begin beneath each other where signals flow downwards. A smaller one stands in the middle.
        ax: Axes to draw on, which keep their place in their figure; by default there is a new figure.
        legend: ``True`` puts it above, or to the right where signals flow downwards; ``"above"``, ``"below"``,
            ``"right"``, or ``False``.
        title: Written above all.
        theme: ``"light"``; ``"dark"``, on a dark background; or ``"print"``, in grey. On axes of one's own, the
            background is that of their figure, whose lightness lines and texts follow.
        **kwargs: ``node_inside`` and ``node_above`` choose the text in and above each node: ``"short_type"``
            (explained in the legend; the default inside), ``"node_type"``, ``"node_id"``, ``"name"``,
            ``"rendering_order"``, ``"chain"`` (number of the serial chain), ``"level"`` (layer along the flow),
            ``"settings"`` (physical values, one per line, and the dry/wet weight), any node attribute, or ``None``. A
            node without the attribute gets no text. ``node_size`` (1.0, relative, or width and height with the default
            0.5), ``node_linewidth``, ``node_inside_fontsize``, ``node_above_fontsize``, ``edge_linewidth`` (in points),
            ``position_node_spacing`` (1.0, relative, or along and across the flow with the default 0.8).

    Returns:
        The figure and its axes, in which one unit is one point of the drawing at its own size.

    Raises:
        GraphError: ``G`` is not a graph, an option is unknown or has no such value, or a text names an attribute that
            no node has.
    """
    check_graph(G, "draw_grafx")
    _check(width, ax, legend, theme)
    given = {"node": draw_node_fn, "edge": draw_edge_fn, "position": compute_node_position_fn}
    own = {"node": draw_node, "edge": draw_edge, "position": layered_layout}
    free = {part: function is not own[part] for part, function in given.items()}
    node_options, edge_options, position_options = _sort_options(kwargs, free)
    shorts = short_names(data["node_type"] for _, data in G.nodes(data=True))
    by_short_names = node_options["inside"] == "short_type"
    inside, above = (labels(G, node_options.pop(at), shorts, f"node_{at}") for at in ("inside", "above"))
    texts = inside, above
    fills = _fills(G, shorts, colors, theme)

    place = Drawing(facecolor=THEMES[theme], dpi=SCREEN_DPI).add_axes((0, 0, 1, 1)) if ax is None else ax
    fig = root_of(place)
    room = _room(place, width, ax is not None)
    arranged = _arranged(G, texts, compute_node_position_fn, room, vertical, node_options, position_options)
    if not free["edge"]:
        edge_options |= {"arrow": max(arranged.density, 0.6)}
    draw_node_fn = node_function(draw_node_fn, arranged.layout, fills)
    draw_edge_fn = edge_function(draw_edge_fn, G, arranged.layout, arranged.blocks, vertical)
    _draw_edges(place, G, arranged.layout, draw_edge_fn, vertical, edge_options, known=not free["edge"])
    _draw_nodes(place, G, arranged, texts, fills, draw_node_fn, vertical, node_options)

    where = legend if isinstance(legend, str) else ("right" if vertical else "above") if legend else None
    chips = shorts if by_short_names else None
    bounds = _surround(place, arranged, vertical, fills, chips, where, title, room)
    show(place, bounds) if ax is not None else fit(fig, place, bounds, width)
    return fig, place


def _surround(
    ax: Axes,
    arranged: "_Arranged",
    vertical: bool,
    fills: Mapping[str, str],
    shorts: Mapping[str, str] | None,
    legend: str | None,
    title: str | None,
    room: float | None,
) -> list[float]:
    """Draw the legend and the title, and return the bounds of all that is drawn."""
    bounds = find_bounds(arranged.layout, arranged.blocks, vertical)
    if legend:
        rows = LEGEND_WIDTH if room is None else min(room, LEGEND_WIDTH)
        shrunk = 1.0 if room is None else min(1.0, room / max(bounds[2] - bounds[0], 1.0))
        size = max(arranged.density, 0.75) / max(shrunk, READABLE)  # which shrinks with the drawing
        bounds = draw_legend(ax, fills, shorts, bounds, legend, rows, size)
    return draw_title(ax, title, bounds) if title else bounds


def _check(width: float | None, ax: Axes | None, legend: bool | str, theme: str) -> None:
    if width is not None and not (isinstance(width, Real) and 0 < width < inf):
        raise GraphError(f"width is a positive number of inches, not {width!r}.")
    if width is not None and ax is not None:
        raise GraphError("A drawing on axes of one's own is as wide as they are: give width or ax, not both.")
    if ax is not None and not isinstance(ax, Axes):
        raise GraphError(f"ax is a matplotlib Axes, not a {type(ax).__name__}.")
    if not isinstance(legend, bool) and legend not in LEGENDS:
        raise GraphError(f"legend is True, False, or one of {', '.join(map(repr, LEGENDS))}, not {legend!r}.")
    if theme not in THEMES:
        raise GraphError(f"theme is one of {', '.join(map(repr, THEMES))}, not {theme!r}.")


def _fills(G: nx.MultiDiGraph, types: Iterable[str], colors: Any, theme: str) -> dict[str, str]:
    """Node type to the colour of its boxes."""
    colors = colors if colors is None or hasattr(colors, "keys") else dict(zip(_types(G), colors, strict=False))
    fills = {node_type: type_color(node_type, colors) for node_type in types}
    return {t: grey(fill) for t, fill in fills.items()} if theme == "print" else fills


def _room(ax: Axes, width: float | None, is_given: bool) -> float | None:
    """How wide a drawing may be, in points; ``None`` for as wide as it is."""
    if is_given:
        return max(ax.get_window_extent().width * 72 / root_of(ax).dpi - 2 * MARGIN, 1.0)
    return None if width is None else max(72 * width - 2 * MARGIN, 1.0)


class _Arranged(NamedTuple):
    """Where all is, and how dense."""

    blocks: dict[Hashable, Block]
    layout: Layout
    density: float


def _arranged(
    G: nx.MultiDiGraph,
    texts: tuple[Mapping[Hashable, str], Mapping[Hashable, str]],
    function: Callable[..., Any],
    room: float | None,
    vertical: bool,
    node_options: dict[str, Any],
    position_options: Mapping[str, Any],
) -> _Arranged:
    """Place nodes, closer to each other where there is less room."""
    along, across = scales(node_options.pop("size"), USUAL_SIZE)
    fonts = node_options["inside_fontsize"], node_options["above_fontsize"]
    closes = room is not None and function is layered_layout
    place = partial(packed_layout, room=room) if closes else position_function(function)
    for density in DENSITIES if closes else (1.0,):
        sides = NODE_SIDE * along * density, NODE_SIDE * across * density
        blocks = make_blocks(G, *texts, sides, fonts, vertical, density)
        closer = {}
        if density < 1:
            spacing = scales(position_options["node_spacing"], USUAL_SPACING)
            closer = {"node_spacing": tuple(density * USUAL_SPACING * each for each in spacing)}
        options = {**position_options, **closer}
        layout = place(G, blocks, vertical=vertical, **options)
        if not isinstance(layout, Layout):
            layout = _with_direct_routes(G, blocks, layout, vertical)
        left, _, right, _ = find_bounds(layout, blocks, vertical)
        if room is None or right - left <= room:
            break
    if closes and (right - left) * READABLE > room:
        layout = narrowed_layout(G, blocks, vertical=vertical, **options, room=room)
    return _Arranged(blocks, layout, density)


def _draw_edges(
    ax: Axes,
    G: nx.MultiDiGraph,
    layout: Layout,
    draw: Callable[..., None],
    vertical: bool,
    options: Mapping[str, Any],
    known: bool,
) -> None:
    """Draw all edges; ``known``: whether the function takes whether they close a cycle."""
    backward = find_backward_edges(G)
    for edge, points in layout.routes.items():
        closes = {"closes_cycle": edge[0] == edge[1] or edge[:2] in backward} if known else {}
        draw(ax, G, edge, points, vertical=vertical, **options, **closes)


def _draw_nodes(
    ax: Axes,
    G: nx.MultiDiGraph,
    arranged: _Arranged,
    texts: tuple[Mapping[Hashable, str], Mapping[Hashable, str]],
    fills: Mapping[str, str],
    draw: Callable[..., None],
    vertical: bool,
    options: Mapping[str, Any],
) -> None:
    for node, center in arranged.layout.positions.items():
        block = arranged.blocks[node]
        size = (block.width, block.length) if vertical else (block.length, block.width)
        fill = fills[G.nodes[node]["node_type"]]
        draw(ax, G, node, center, size, fill, *(text[node] for text in texts), vertical=vertical, **options)
        _write_port_names(ax, center, block, vertical)


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


# --- Ports --------------------------------------------------------------------------------------------------


def _write_port_names(ax: Axes, center: Point, block: Block, vertical: bool) -> None:
    ink = inks(ax).port
    for ports, sign in ((block.entry, -1), (block.exit, 1)):
        for (_, name), offset in ports.items():
            if name == "main":
                continue
            if vertical:
                x, y = center[0] + offset + 4, center[1] - sign * (block.length / 2 + 1 + PORT_FONT / 2)
                write(ax, x, y, name, PORT_FONT, ink, "left", "center")
            else:
                x, y = center[0] + sign * (block.length / 2 + 4), center[1] - offset + 3
                write(ax, x, y, name, PORT_FONT, ink, "left" if sign > 0 else "right", "baseline")


class _End(NamedTuple):
    """Where an edge ends: a node, its centre, and a port."""

    block: Block
    center: Point
    port: Port


def _with_direct_routes(G, blocks, positions: Mapping[Hashable, Point], vertical: bool) -> Layout:
    missing = [n for n in G if n not in positions]
    if missing:
        raise GraphError(f"compute_node_position_fn gave no position for node {missing[0]}.")
    positions = {n: (float(positions[n][0]), float(positions[n][1])) for n in G}
    routes = {}
    for u, v, key, data in G.edges(keys=True, data=True):
        source = _End(blocks[u], positions[u], ("out", data.get("outlet", "main")))
        dest = _End(blocks[v], positions[v], ("in", data.get("inlet", "main")))
        routes[u, v, key] = _direct_route(source, dest, vertical)
    return Layout(positions, routes)


def _direct_route(source: _End, dest: _End, vertical: bool) -> list[Point]:
    """Join two nodes by the sides that face each other, or around the later ends of two that stand side by side."""
    step = source.center[1] - dest.center[1] if vertical else dest.center[0] - source.center[0]
    beside = abs(step) < (source.block.length + dest.block.length) / 2
    sides = (1, 1) if beside else (1, -1) if step > 0 else (-1, 1)
    first, last = (_port_place(end, side, vertical) for end, side in zip((source, dest), sides, strict=True))
    if not beside:
        return [first, last]
    reach = TURN + max((-e.center[1] if vertical else e.center[0]) + e.block.length / 2 for e in (source, dest))
    across = (first[0] + last[0]) / 2 if vertical else (first[1] + last[1]) / 2
    return [first, (across, -reach) if vertical else (reach, across), last]


def _port_place(end: _End, side: int, vertical: bool) -> Point:
    """Where an edge meets a node: at the place of its port, on one side or the other."""
    (x, y), block = end.center, end.block
    along, across = side * block.length / 2, {**block.entry, **block.exit}.get(end.port, 0.0)
    return (x + across, y - along) if vertical else (x + along, y - across)
