"""Drawing a graph with matplotlib."""

import os
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from math import inf
from numbers import Real
from threading import RLock
from typing import Any

import networkx as nx
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data.cables import EdgeId
from ..errors import GraphError
from .blocks import ARROW
from .boxes import draw_area, draw_box, write
from .callbacks import edge_function, node_function
from .groups import Grouping, buses, draw_group
from .kinds import FEEDBACK, STYLES, edge_kinds
from .labels import THUMBNAIL, edge_labels, labels, parts, with_inputs
from .layout import Layout, Point, layered_layout, scales
from .narrow import READABLE
from .page import LEGEND_WIDTH, MARGIN, SCREEN_DPI, draw_legend, draw_title, fit, show
from .placing import Lettering, Placed, Sheet, place_all
from .ports import port_texts, write_at_ports, write_on_edges
from .scaled import ScaledPath, ScaledPolygon, root_of
from .shapes import box, course, direction
from .style import THEMES, background, blend, grey, inks, shape_of, short_names, text_color, type_color
from .thumbnails import ROOM, draw_thumbnail, thumbnails

USUAL_SIZE = 0.5  # where a size is given as two lengths
LEGENDS = ("above", "below", "right")
FADED = 0.16, 0.45  # how much of the ink is left in boxes and lines, and in texts, of what is gone

NODE_OPTIONS = {
    "inside": "short_type",
    "above": None,
    "size": 1.0,
    "linewidth": 1.0,
    "inside_fontsize": 8.5,
    "above_fontsize": 7.5,
}
EDGE_OPTIONS = {"linewidth": 1.0, "label": None}
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
    kind: str | None = None,
    color: str | None = None,
) -> None:
    """Draw one edge with an arrowhead at its destination.

    Edges that close a cycle are red and dashed, sidechains are dotted, and sends are dashed and dotted.

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
        kind: ``"feedback"``, ``"sidechain"``, ``"send"``, or ``""``; by default it is looked for in the graph.
        color: Of the line; by default that of its kind.
    """
    if closes_cycle is not None:
        kind = FEEDBACK if closes_cycle else kind or ""
    elif kind is None:
        kind = edge_kinds(G).get(edge, "")
    length, half_width = (side * arrow * max(1.0, linewidth**0.5) for side in ARROW)
    arrival = direction(edge, points, vertical)
    tip = points[-1]
    base = (tip[0] - length * arrival[0], tip[1] - length * arrival[1])
    path = course(edge, [*points[:-1], base], arrival, vertical)
    ink = inks(ax)
    color = color or (ink.backward if kind == FEEDBACK else ink.edge)
    style = STYLES.get(kind or "", "solid")
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
    groups: bool = False,
    processors: Mapping[str, Any] | None = None,
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
        groups: Draw boxes with their names around subgroups: what is mixed into a bus, with its chain. Chains belong to
            the owners of their nodes, as in :func:`~grafx.search.build_console`.
        processors: Node type to processor, for thumbnails; others are those that go by the names of their types: the
            usual ones of a console, and classes of :mod:`grafx.processors`.
        **kwargs: ``node_inside`` and ``node_above`` choose the text in and above each node: ``"short_type"``
            (explained in the legend; the default inside), ``"node_type"``, ``"node_id"``, ``"name"``,
            ``"rendering_order"``, ``"chain"`` (number of the serial chain), ``"level"`` (layer along the flow),
            ``"settings"`` (physical values, one per line, and the dry/wet weight), ``"wet"`` (that weight alone), any
            node attribute, or ``None``; or several, such as ``("name", "settings")``. A node without the attribute gets
            no text, but inputs have their names in place of nothing, or of their short type. Inside,
            ``"thumbnail"`` is the curve of an equalizer, the static curve of a compressor, or the echoes of a delay,
            unless it would be too small to be seen. ``edge_label`` is ``"wet"`` or ``"level"``, the dry/wet weight or
            the gain of the node that an edge comes from, ``"outlet"``, ``"inlet"``, any attribute of edges, or several.
            ``node_size`` (1.0, relative, or width and height with the default 0.5), ``node_linewidth``,
            ``node_inside_fontsize``, ``node_above_fontsize``, ``edge_linewidth`` (in points),
            ``position_node_spacing`` (1.0, relative, or along and across the flow with the default 0.8).

    Returns:
        The figure and its axes, in which one unit is one point of the drawing at its own size.

    Raises:
        GraphError: ``G`` is not a graph, an option is unknown or has no such value, or a text names an attribute that
            no node has.
    """
    check_graph(G, "draw_grafx")
    check_look(width, ax, legend, theme)
    place = new_axes(theme) if ax is None else ax
    functions = {"node": draw_node_fn, "edge": draw_edge_fn, "position": compute_node_position_fn}
    room = room_of(place, width, ax is not None)
    boxes = buses(G) if groups else []
    scene = make_scene(G, functions, Sheet(vertical, room), colors, theme, boxes, processors, kwargs)
    paint(place, scene)
    bounds = surround(place, scene, legend, title, room)
    fig = root_of(place)
    show(place, bounds) if ax is not None else fit(fig, place, bounds, width)
    return fig, place


def new_axes(theme: str) -> Axes:
    """Axes that fill a drawing on the background of a theme."""
    return Drawing(facecolor=THEMES[theme], dpi=SCREEN_DPI).add_axes((0, 0, 1, 1))


@dataclass(frozen=True)
class Scene:
    """All that there is to paint, and where."""

    G: nx.MultiDiGraph
    vertical: bool
    placed: Placed
    fills: Mapping[str, str]
    chips: Mapping[str, str] | None
    kinds: Mapping[EdgeId, str]
    functions: Mapping[str, Callable[..., Any]]
    node_options: Mapping[str, Any]
    edge_options: Mapping[str, Any]

    @property
    def layout(self) -> Layout:
        return self.placed.layout

    @property
    def written(self) -> Lettering:
        return self.placed.written


OWN = {"node": draw_node, "edge": draw_edge, "position": layered_layout}


def make_scene(
    G: nx.MultiDiGraph,
    functions: Mapping[str, Callable[..., Any]],
    sheet: Sheet,
    colors: Any,
    theme: str,
    groups: Sequence[Grouping],
    processors: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> Scene:
    """Choose texts and colours, and place all. Arguments are as those of :func:`draw_grafx`.

    Raises:
        GraphError: An option is unknown, or a text names an attribute that no node has.
    """
    node_options, edge_options, position_options = _sort_options(
        options, {part: function is not OWN[part] for part, function in functions.items()}
    )
    shorts = short_names(data["node_type"] for _, data in G.nodes(data=True))
    size = scales(node_options.pop("size"), USUAL_SIZE)
    fonts = node_options["inside_fontsize"], node_options["above_fontsize"]
    written = _written(G, node_options, edge_options, shorts, processors)
    chips = shorts if "short_type" in parts(node_options.pop("inside")) else None
    del node_options["above"], edge_options["label"]
    placed = place_all(G, written, groups, functions["position"], sheet, size, fonts, position_options)
    fills = fills_of(shorts, theme, _given(G, colors))
    if functions["edge"] is draw_edge:
        edge_options["arrow"] = max(placed.density, 0.6)
    adapted = {
        "node": node_function(functions["node"], placed.layout, fills),
        "edge": edge_function(functions["edge"], G, placed.layout, placed.blocks, sheet.vertical),
    }
    return Scene(G, sheet.vertical, placed, fills, chips, edge_kinds(G), adapted, node_options, edge_options)


def _written(
    G: nx.MultiDiGraph,
    node_options: Mapping[str, Any],
    edge_options: Mapping[str, Any],
    shorts: Mapping[str, str],
    processors: Mapping[str, Any] | None,
) -> list[Lettering]:
    """What may be written, with thumbnails and names of inputs as long as there is room for them."""
    within = parts(node_options["inside"])
    above = labels(G, node_options["above"], shorts, "node_above")
    plain = labels(G, [part for part in within if part != THUMBNAIL], shorts, "node_inside")
    inside = with_inputs(G, plain, above) if within and within != ["node_type"] else plain
    ports = port_texts(G, edge_labels(G, edge_options["label"], "edge_label"))
    small = thumbnails(G, processors) if THUMBNAIL in within else {}
    with_thumbnails = [Lettering(inside, above, ports, small)] if small else []
    return [*with_thumbnails, Lettering(inside, above, ports, {}), Lettering(plain, above, ports, {})]


def paint(ax: Axes, scene: Scene, faded: Collection[Hashable] = (), marked: Collection[Hashable] = ()) -> None:
    """Draw groups, edges and nodes, of which ``faded`` ones are pale and ``marked`` ones stand out.

    Edges are known by ``(source, dest, key)``.
    """
    for group in scene.placed.boxes:
        draw_group(ax, group, scene.vertical)
    _paint_edges(ax, scene, faded)
    _paint_nodes(ax, scene, faded, marked)
    write_on_edges(
        ax, scene.layout, {e: t for e, t in scene.written.ports.on_edges.items() if e not in faded}, inks(ax).port
    )


def surround(ax: Axes, scene: Scene, legend: bool | str, title: str | None, room: float | None) -> list[float]:
    """Draw the legend and the title, and return the bounds of all that is drawn."""
    where = legend if isinstance(legend, str) else ("right" if scene.vertical else "above") if legend else None
    bounds = scene.placed.bounds()
    if where:
        rows = LEGEND_WIDTH if room is None else min(room, LEGEND_WIDTH)
        kinds = [kind for kind in STYLES if kind in scene.kinds.values()]
        shrinks = max(scene.placed.scale(room), READABLE)  # and the legend with the drawing
        size = max(scene.placed.density, 0.75) / shrinks
        bounds = draw_legend(ax, scene.fills, scene.chips, bounds, where, rows, size, kinds)
    return draw_title(ax, title, bounds) if title else bounds


def check_look(width: float | None, ax: Axes | None, legend: bool | str, theme: str) -> None:
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


def _given(G: nx.MultiDiGraph, colors: Any) -> Mapping[str, Any] | None:
    """Colours by type, of a list those of the types in their order."""
    return colors if colors is None or hasattr(colors, "keys") else dict(zip(_types(G), colors, strict=False))


def fills_of(types: Iterable[str], theme: str, colors: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Node type to the colour of its boxes."""
    fills = {node_type: type_color(node_type, colors) for node_type in types}
    return {t: grey(fill) for t, fill in fills.items()} if theme == "print" else fills


def room_of(ax: Axes, width: float | None, is_given: bool) -> float | None:
    """How wide a drawing may be, in points; ``None`` for as wide as it is."""
    if is_given:
        return max(ax.get_window_extent().width * 72 / root_of(ax).dpi - 2 * MARGIN, 1.0)
    return None if width is None else max(72 * width - 2 * MARGIN, 1.0)


def _paint_edges(ax: Axes, scene: Scene, faded: Collection[Hashable]) -> None:
    draw, known = scene.functions["edge"], "arrow" in scene.edge_options
    pale = blend(background(ax), inks(ax).edge, 2 * FADED[0])
    for edge, points in scene.layout.routes.items():
        looks = {"kind": scene.kinds.get(edge, "")} if known else {}
        looks |= {"color": pale} if known and edge in faded else {}
        draw(ax, scene.G, edge, points, vertical=scene.vertical, **scene.edge_options, **looks)


def _paint_nodes(ax: Axes, scene: Scene, faded: Collection[Hashable], marked: Collection[Hashable]) -> None:
    ink, ground = inks(ax), background(ax)
    draw, font = scene.functions["node"], scene.node_options["inside_fontsize"]
    for node, center in scene.layout.positions.items():
        block, small = scene.placed.blocks[node], scene.written.thumbnails.get(node)
        size = (block.width, block.length) if scene.vertical else (block.length, block.width)
        fill, is_faded = scene.fills[scene.G.nodes[node]["node_type"]], node in faded
        texts = scene.written.inside[node], scene.written.above[node]
        if is_faded:
            _paint_faded(ax, scene, node, center, size, fill)
        else:
            own = small is not None and draw is draw_node  # which lets the text make room
            shown = ("", texts[1]) if own else texts
            draw(ax, scene.G, node, center, size, fill, *shown, vertical=scene.vertical, **scene.node_options)
            if own:
                top = center[1] + size[1] / 2 - ROOM[1] / 2
                write(ax, center[0], top, texts[0], font, text_color(fill), "center", "top")
        if small and not is_faded:
            draw_thumbnail(ax, small, center, size[1], text_color(fill))
        if node in marked:
            around = box(center, size, shape_of(scene.G.nodes[node]["node_type"]))
            draw_area(ax, around, fill, ink.backward, 4.0, 1.9)
        color = blend(ground, ink.port, FADED[1]) if is_faded else ink.port
        write_at_ports(ax, center, block, scene.written.ports.at_ports.get(node, {}), scene.vertical, color)


def _paint_faded(ax: Axes, scene: Scene, node: Hashable, center: Point, size: tuple[float, float], fill: str) -> None:
    """What is gone: a pale box in which its text can still be read."""
    ground, ink = background(ax), inks(ax).text
    shape = shape_of(scene.G.nodes[node]["node_type"])
    pale, line = blend(ground, grey(fill), FADED[0]), blend(ground, ink, 2 * FADED[0])
    draw_area(ax, box(center, size, shape), pale, line, 0.6, 2, f"node-{node}")
    if text := scene.written.inside[node].split("\n")[0]:
        size_of_text = scene.node_options["inside_fontsize"]
        write(ax, *center, text, size_of_text, blend(ground, ink, FADED[1]), "center", "center")


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
