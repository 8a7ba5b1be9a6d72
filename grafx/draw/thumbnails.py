"""Small curves in nodes: what an equalizer, a compressor or a delay is set to."""

import warnings
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.path import Path

from ..errors import GraphWarning
from .layout import Point
from .scaled import ScaledPath

SIZE = (34.0, 17.0)  # points: across and upwards
SMALLEST = 8.0  # points, of their height on paper; smaller ones say nothing
ROOM = 10.0, 7.0  # around them, in all
GAIN_DB, LEVEL_DB = 18.0, -60.0  # ranges of what is shown: gains either way, levels downwards
ECHO_DB = -40.0


class Thumbnail(NamedTuple):
    """Lines in a unit square, and fainter ones behind them."""

    lines: list[list[Point]]
    behind: list[list[Point]]


def thumbnails(G: nx.MultiDiGraph, processors: Mapping[str, Any] | None) -> dict[Hashable, Thumbnail]:
    """The thumbnails of all nodes that hold settings or parameters from which there is something to see.

    Args:
        G: The graph.
        processors: Node type to processor; others are those that go by the names of their types.
    """
    from ..parameters.curves import curve_of  # which is slow to import
    from ..parameters.settings import raw_row
    from ..parameters.usual import usual_processor

    known = dict(processors or {})
    found = {}
    for node, data in G.nodes(data=True):
        node_type = data["node_type"]
        if not (data.get("parameters") or data.get("settings")):
            continue
        if node_type not in known:
            known[node_type] = usual_processor(node_type) if isinstance(node_type, str) else None
        if known[node_type] is None:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GraphWarning)  # of what is set by hand, which is what is drawn
                curve = curve_of(known[node_type], raw_row(known[node_type], data, f"Node {node}"))
        except (ValueError, TypeError, KeyError, RuntimeError):  # of another processor than the type is named after
            continue
        if curve is not None and (thumbnail := _in_square(curve)).lines:
            found[node] = thumbnail
    return found


def draw_thumbnail(ax: Axes, thumbnail: Thumbnail, center: Point, height: float, color: str) -> None:
    """Draw a thumbnail at the bottom of a node of some height."""
    for path, width, alpha in thumbnail_paths(thumbnail, center, height):
        look = {"edgecolor": color, "linewidth": width, "alpha": alpha, "joinstyle": "round"}
        ax.add_artist(ScaledPath(path, fill=False, **look, zorder=2.5))


def thumbnail_paths(thumbnail: Thumbnail, center: Point, height: float) -> Iterator[tuple[Path, float, float]]:
    """Lines at the bottom of a node of some height, with their widths and opacities."""
    left, bottom = center[0] - SIZE[0] / 2, center[1] - height / 2 + ROOM[1] / 2
    for lines, width, alpha in ((thumbnail.behind, 0.5, 0.45), (thumbnail.lines, 1.0, 1.0)):
        if lines:
            vertices = [(left + x * SIZE[0], bottom + y * SIZE[1]) for line in lines for x, y in line]
            codes = [code for line in lines for code in (Path.MOVETO, *[Path.LINETO] * (len(line) - 1))]
            yield Path(vertices, codes), width, alpha


def _in_square(curve: Any) -> Thumbnail:
    lines = [(x.tolist(), y.tolist()) for x, y in curve.lines if len(x)]
    if curve.kind == "response":
        steps = [[i / (len(x) - 1) for i in range(len(x))] for x, _ in lines]  # even in octaves
        drawn = [_line(s, [0.5 + g / (2 * GAIN_DB) for g in y]) for s, (_, y) in zip(steps, lines, strict=True)]
        return Thumbnail(drawn, [[(0.0, 0.5), (1.0, 0.5)]])
    if curve.kind == "static":
        drawn = [_line([1 - v / LEVEL_DB for v in x], [1 - v / LEVEL_DB for v in y]) for x, y in lines]
        return Thumbnail(drawn, [[(0.0, 0.0), (1.0, 1.0)]])
    last = max([*lines[0][0], 1.0]) * 1.05
    stems = [[(t / last, 0.0), (t / last, _inside(1 - 0.95 * v / ECHO_DB))] for t, v in zip(*lines[0], strict=True)]
    return Thumbnail(stems, [[(0.0, 0.0), (1.0, 0.0)]])


def _line(xs: list[float], ys: list[float]) -> list[Point]:
    return [(_inside(x), _inside(y)) for x, y in zip(xs, ys, strict=True) if x == x and y == y]


def _inside(value: float) -> float:
    return min(max(value, 0.0), 1.0)
