"""Outlines of boxes and courses of edges."""

from collections.abc import Sequence
from itertools import pairwise
from math import dist
from typing import Any

from matplotlib.path import Path

from ..data.cables import EdgeId
from .layout import Point

QUARTER = 0.5523  # of the radius: handles of the cubic that is closest to a quarter circle
CORNER = 4.0  # points: radius where an edge turns into a lane
CORNERS = {
    "round": (("arc", 0.5),) * 4,
    "rounded": (("arc", 0.22),) * 4,
    "cut": (("line", 0.26),) * 4,
    "sharp": (("arc", 0.04),) * 4,
    "leaf": (("arc", 0.44), ("arc", 0.06)) * 2,
}
"""Shape to its corners, counterclockwise from the upper right: their form, and their size in shorter sides."""


def box(center: Point, size: tuple[float, float], shape: str) -> Path:
    """The outline of a box, see :data:`CORNERS`."""
    vertices: list[Point] = []
    codes: list[Any] = []
    for (sx, sy), (form, share) in zip(((1, 1), (-1, 1), (-1, -1), (1, -1)), CORNERS[shape], strict=True):
        x, y, radius = center[0] + sx * size[0] / 2, center[1] + sy * size[1] / 2, share * min(size)
        inner = (QUARTER - 1) * radius
        corner = [(x, y - sy * radius), (x, y + sy * inner), (x + sx * inner, y), (x - sx * radius, y)]
        corner = corner if sx * sy > 0 else corner[::-1]
        vertices += corner if form == "arc" else corner[::3]
        codes += [Path.LINETO] + [Path.CURVE4] * 3 if form == "arc" else [Path.LINETO] * 2
    return Path([*vertices, vertices[0]], [Path.MOVETO, *codes[1:], Path.CLOSEPOLY])


def rounded(corners: Sequence[Point], radius: float) -> Path:
    """The outline through corners between straight sides, each rounded with at most a radius."""
    vertices: list[Point] = []
    for before, here, after in zip((corners[-1], *corners[:-1]), corners, (*corners[1:], corners[0]), strict=True):
        ends = []
        for other in (before, after):
            share = min(radius / dist(here, other), 0.5)
            ends.append((here[0] + share * (other[0] - here[0]), here[1] + share * (other[1] - here[1])))
        handles = [tuple(e + QUARTER * (h - e) for e, h in zip(end, here, strict=True)) for end in ends]
        vertices += [ends[0], *handles, ends[1]]
    codes: list[Any] = ([Path.LINETO] + [Path.CURVE4] * 3) * len(corners)
    return Path([*vertices, vertices[0]], [Path.MOVETO, *codes[1:], Path.CLOSEPOLY])


def direction(edge: EdgeId, points: list[Point], vertical: bool) -> Point:
    """In which direction an edge arrives."""
    if edge[0] == edge[1]:
        return (1, 0) if vertical else (0, -1)
    flow = (0, -1) if vertical else (1, 0)
    (x, y), (to_x, to_y) = points[-2:]
    return flow if (to_x - x) * flow[0] + (to_y - y) * flow[1] >= 0 else (-flow[0], -flow[1])


def course(edge: EdgeId, points: list[Point], arrival: Point, vertical: bool) -> Path:
    """The line of an edge, which arrives in a direction."""
    if edge[0] == edge[1]:
        return _loop(points[0], points[-1], arrival)
    along = 1 if vertical else 0
    if len(points) == 3 and (points[1][along] - points[0][along]) * (points[2][along] - points[1][along]) < 0:
        reach = points[1][along] + (points[1][along] - (points[0][along] + points[2][along]) / 2) / 3
        handles = [(p[0], reach) if vertical else (reach, p[1]) for p in (points[0], points[2])]
        return Path([points[0], *handles, points[2]], [Path.MOVETO] + [Path.CURVE4] * 3)
    if any(a[along] == b[along] for a, b in pairwise(points)):
        return _rounded(points)
    return _curve(points, vertical)


def _rounded(points: list[Point]) -> Path:
    """Lines along and across the flow, joined by round corners."""
    vertices: list[Point] = [points[0]]
    codes: list[Any] = [Path.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(CORNER, dist(before, corner) / 2, dist(corner, after) / 2)
        ends = [_towards(corner, other, radius) for other in (before, after)]
        vertices += [ends[0], corner, ends[1]]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, points[-1]], [*codes, Path.LINETO])


def _towards(point: Point, other: Point, step: float) -> Point:
    share = step / (dist(point, other) or 1.0)
    return point[0] + share * (other[0] - point[0]), point[1] + share * (other[1] - point[1])


def _curve(points: list[Point], vertical: bool) -> Path:
    along, across = (1, 0) if vertical else (0, 1)
    vertices, codes = [points[0]], [Path.MOVETO]
    for a, b in pairwise(points):
        if abs(a[across] - b[across]) < 1e-6:
            vertices.append(b)
            codes.append(Path.LINETO)
            continue
        middle = (a[along] + b[along]) / 2
        handles = [(p[0], middle) if vertical else (middle, p[1]) for p in (a, b)]
        vertices += [*handles, b]
        codes += [Path.CURVE4] * 3
    return Path(vertices, codes)


def _loop(start: Point, end: Point, arrival: Point) -> Path:
    reach = 9.0
    handles = [(p[0] - reach * arrival[0], p[1] - reach * arrival[1]) for p in (start, end)]
    return Path([start, *handles, end], [Path.MOVETO] + [Path.CURVE4] * 3)
