"""Graphs as pictures of TikZ, for LaTeX."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import networkx as nx
from matplotlib.path import Path

from ...errors import GraphError
from ..blocks import ARROW, PORT_FONT
from ..draw import OWN, Scene, check_graph, check_look, make_scene
from ..groups import NAME_FONT, GroupBox, buses
from ..kinds import FEEDBACK, SEND, SIDECHAIN
from ..page import MARGIN
from ..placing import Sheet
from ..ports import port_places
from ..shapes import box, course, direction
from ..style import ON_LIGHT, blend, outline_color, shape_of, text_color
from ..thumbnails import ROOM, thumbnail_paths
from .description import node_keys

THEMES = ("light", "print")
DASHES = {
    FEEDBACK: "dash pattern=on 4bp off 2bp",
    SIDECHAIN: "dash pattern=on 1.2bp off 1.6bp",
    SEND: "dash pattern=on 7bp off 1.8bp on 1.4bp off 1.8bp",
}
_ESCAPES = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "{}$&#_%"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    '"': r"\char34{}",
    "-": "-{}",
    "−": r"\ensuremath{-}",
    "∞": r"\ensuremath{\infty}",
    "→": r"\ensuremath{\to}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
_SPECIAL = re.compile("|".join(map(re.escape, _ESCAPES)))


def to_tikz(
    G: nx.MultiDiGraph,
    vertical: bool = False,
    *,
    width: float | None = None,
    theme: str = "light",
    groups: bool = True,
    processors: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> str:
    r"""Write a graph as a picture of TikZ, drawn as :func:`~grafx.draw.draw_grafx` does, in the fonts of the document.

    The preamble needs ``\usepackage{tikz,textcomp}``. Nodes are called ``n0``, ``n1``, … by their ids, for what is to
    be added to the picture. Names in other scripts than Latin need LuaLaTeX or XeLaTeX and a font that has them.

    Args:
        G: The graph. It may be unfinished, disconnected, empty, or contain cycles.
        vertical: Signals flow from top to bottom.
        width: Of the picture in inches; by default that of the graph.
        theme: ``"light"``, or ``"print"``, in grey.
        groups: Draw boxes with their names around subgroups.
        processors: NodeDescription type to processor, for thumbnails.
        **kwargs: As of :func:`~grafx.draw.draw_grafx`.

    Returns:
        The text, a ``tikzpicture``.

    Raises:
        GraphError: ``G`` is not a graph, or an option is unknown or has no such value.

    References:
        Tantau et al., "The TikZ and PGF packages", https://tikz.dev.

    Examples:
        >>> Path("graph.tex").write_text(to_tikz(G, width=3.3), encoding="utf-8")
    """
    check_graph(G, "to_tikz")
    if theme not in THEMES:
        raise GraphError(f"theme of a picture for LaTeX is one of {', '.join(map(repr, THEMES))}, not {theme!r}.")
    check_look(width, None, False, theme)
    room = None if width is None else max(72 * width - 2 * MARGIN, 1.0)
    boxes = buses(G) if groups else []
    scene = make_scene(G, OWN, Sheet(vertical, room), None, theme, boxes, processors, kwargs)
    left, _, right, _ = scene.placed.bounds()
    scale = 1.0 if width is None else min(1.0, 72 * width / max(right - left, 1.0))
    lines = [
        r"% Needs \usepackage{tikz,textcomp} in the preamble.",
        rf"\begin{{tikzpicture}}[x=1bp, y=1bp, scale={scale:.4g}, transform shape, inner sep=0pt, outer sep=0pt,",
        r"  every node/.style={align=center, font=\sffamily}]",
        *_colors(scene),
        *(line for group in scene.placed.boxes for line in _group(group, vertical)),
        *_edges(scene),
        *_nodes(scene),
        r"\end{tikzpicture}",
    ]
    return "\n".join(lines) + "\n"


def _colors(scene: Scene) -> Iterator[str]:
    for place, fill in enumerate(scene.fills.values()):
        for name, color in (("fill", fill), ("line", outline_color(fill)), ("text", text_color(fill))):
            yield _color(f"grafx{name}{place}", color)
    for name, color in (
        ("edge", ON_LIGHT.edge),
        ("feedback", ON_LIGHT.backward),
        ("ink", ON_LIGHT.text),
        ("port", ON_LIGHT.port),
        ("box", blend("#ffffff", ON_LIGHT.edge, 0.07)),
    ):
        yield _color(f"grafx{name}", color)


def _color(name: str, color: str) -> str:
    return rf"  \definecolor{{{name}}}{{HTML}}{{{color.lstrip('#').upper()}}}"


def _group(group: GroupBox, vertical: bool) -> Iterator[str]:
    yield rf"  \filldraw[fill=grafxbox, draw=grafxedge, line width=0.5bp] {_path(group.outline(vertical))};"
    if group.corner is not None:
        look = f"anchor=west, fill=grafxbox, inner xsep=2bp, text=grafxink, {_font(NAME_FONT)}"
        yield rf"  \node[{look}] at {_at(group.corner)} {{{escaped(group.name)}}};"


def _edges(scene: Scene) -> Iterator[str]:
    keys = node_keys(scene.G)
    for edge, points in scene.layout.routes.items():
        arrival = direction(edge, points, scene.vertical)
        length = ARROW[0] * scene.edge_options["arrow"]
        tip = points[-1]
        base = (tip[0] - length * arrival[0], tip[1] - length * arrival[1])
        kind = scene.kinds.get(edge, "")
        color = "grafxfeedback" if kind == FEEDBACK else "grafxedge"
        look = ", ".join(filter(None, [f"draw={color}", _width(scene.edge_options["linewidth"]), DASHES.get(kind)]))
        yield f"  % {keys[edge[0]]} -> {keys[edge[1]]}"
        yield rf"  \draw[{look}] {_path(course(edge, [*points[:-1], base], arrival, scene.vertical))};"
        half = ARROW[1] * scene.edge_options["arrow"]
        side = half * arrival[1], -half * arrival[0]
        corners = [tip, (base[0] + side[0], base[1] + side[1]), (base[0] - side[0], base[1] - side[1])]
        yield rf"  \fill[{color}] {' -- '.join(map(_at, corners))} -- cycle;"
    for edge, text in scene.written.ports.on_edges.items():
        points = scene.layout.routes[edge]
        one, other = points[(len(points) - 1) // 2], points[len(points) // 2]
        middle = (one[0] + other[0]) / 2, (one[1] + other[1]) / 2
        yield rf"  \node[fill=white, text=grafxport, {_font(PORT_FONT)}] at {_at(middle)} {{{escaped(text)}}};"


def _nodes(scene: Scene) -> Iterator[str]:
    keys, places = node_keys(scene.G), {node_type: place for place, node_type in enumerate(scene.fills)}
    options = scene.node_options
    for node, center in scene.layout.positions.items():
        block, node_type = scene.placed.blocks[node], scene.G.nodes[node]["node_type"]
        size = (block.width, block.length) if scene.vertical else (block.length, block.width)
        place, outline = places[node_type], _path(box(center, size, shape_of(node_type)))
        look = f"fill=grafxfill{place}, draw=grafxline{place}, {_width(options['linewidth'])}"
        yield rf"  \filldraw[{look}] {outline};"
        room = f"minimum width={size[0]:.2f}bp, minimum height={size[1]:.2f}bp"
        text, words = f"text=grafxtext{place}, {_font(options['inside_fontsize'])}", escaped(scene.written.inside[node])
        small = scene.written.thumbnails.get(node)
        yield rf"  \node[{text}, {room}] ({keys[node]}) at {_at(center)} {{{'' if small else words}}};"
        if small:
            top = center[0], center[1] + size[1] / 2 - ROOM[1] / 2
            yield rf"  \node[{text}, anchor=north] at {_at(top)} {{{words}}};"
            for path, width, alpha in thumbnail_paths(small, center, size[1]):
                yield rf"  \draw[draw=grafxtext{place}, {_width(width)}, opacity={alpha:g}] {_path(path)};"
        if above := scene.written.above[node]:
            x, y = (
                (center[0] + size[0] / 2 + 4, center[1]) if scene.vertical else (center[0], center[1] + size[1] / 2 + 3)
            )
            anchor = "west" if scene.vertical else "south"
            look = f"anchor={anchor}, text=grafxink, {_font(options['above_fontsize'])}"
            yield rf"  \node[{look}] at {_at((x, y))} {{{escaped(above)}}};"
        texts = scene.written.ports.at_ports.get(node, {})
        for (x, y), written, side in port_places(center, block, texts, scene.vertical):
            anchor = "west" if scene.vertical else f"base {'west' if side > 0 else 'east'}"
            look = f"anchor={anchor}, text=grafxport, {_font(PORT_FONT)}"
            yield rf"  \node[{look}] at {_at((x, y))} {{{escaped(written)}}};"


def _path(path: Path) -> str:
    """Lines and curves as TikZ writes them, which has cubic ones alone."""
    written, here = "", (0.0, 0.0)
    for points, code in path.iter_segments(curves=True, simplify=False):
        corners = [*zip(points[::2].tolist(), points[1::2].tolist(), strict=True)]
        if code == Path.CURVE3:
            (x, y), end = corners
            corners = [*(((2 * x + at[0]) / 3, (2 * y + at[1]) / 3) for at in (here, end)), end]
        if code in (Path.CURVE3, Path.CURVE4):
            first, second, end = map(_at, corners)
            written += f" .. controls {first} and {second} .. {end}"
        else:
            at = _at(corners[-1])
            written += {Path.MOVETO: at, Path.CLOSEPOLY: " -- cycle"}.get(code, f" -- {at}")
        here = corners[-1]
    return written


def _at(point: tuple[float, float]) -> str:
    return f"({point[0]:.2f},{point[1]:.2f})"


def _font(size: float) -> str:
    return rf"font=\sffamily\fontsize{{{size:g}bp}}{{{1.2 * size:g}bp}}\selectfont"


def _width(points: float) -> str:
    return f"line width={points:g}bp"


def escaped(text: str) -> str:
    """A text as LaTeX writes it, with its line breaks."""
    lines = [_SPECIAL.sub(lambda match: _ESCAPES[match[0]], line) for line in text.split("\n")]
    return r"\\".join(line or "~" for line in lines) if text else ""
