"""What surrounds a drawing, and how large it becomes: legend, title, figure."""

from collections.abc import Hashable, Mapping, Sequence
from math import sqrt
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path

from .blocks import measure
from .boxes import draw_box, write
from .kinds import FEEDBACK, LEGEND_NAMES, STYLES
from .layout import Block, Layout, Point
from .scaled import ScaledPath
from .style import inks, shape_of, text_color

LEGEND_FONT, CHIP_FONT, TITLE_FONT = 8.5, 7.5, 10.0
LEGEND_CHIP = (24.0, 15.0)
LEGEND_GAP = 20.0
LEGEND_WIDTH = 360.0  # at least, before it breaks into rows
ENTRY_GAP, ROW_GAP = 14.0, 6.0
TITLE_GAP = 10.0
MARGIN = 10.0
SCREEN_DPI = 120
MOST_PIXELS = 60_000, 3e7  # along a side, where matplotlib refuses 2**16 and more, and in all

Bounds = list[float]
"""Left, bottom, right and top."""


def find_bounds(layout: Layout, blocks: Mapping[Hashable, Block], vertical: bool) -> Bounds:
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


def draw_legend(
    ax: Axes,
    fills: Mapping[str, str],
    shorts: Mapping[str, str] | None,
    bounds: Bounds,
    place: str,
    room: float,
    size: float = 1.0,
    kinds: Sequence[str] = (),
) -> Bounds:
    """Draw a chip and a name for each type, and a line for each kind of edge that is not a usual one.

    Args:
        ax: Axes to draw on.
        fills: Node type to colour.
        shorts: Node type to what is written in its chip, if anything is.
        bounds: Of what is drawn already.
        place: ``"above"``, ``"below"``, or ``"right"``, in a column.
        room: How wide rows may be, if the drawing is not wider.
        size: Of all in it, relative.
        kinds: Of :data:`.kinds.STYLES`.

    Returns:
        The bounds with the legend.
    """
    if not fills:
        return bounds
    left, bottom, right, top = bounds
    order = {"in": 0, "out": 2}
    types = sorted(fills, key=lambda t: order.get(t, 1))
    across, height = (size * side for side in (LEGEND_CHIP if shorts else (LEGEND_CHIP[1],) * 2))
    font, gap = size * LEGEND_FONT, size * LEGEND_GAP
    names = [*types, *(LEGEND_NAMES[kind] for kind in kinds)]
    widths = [across + 5 * size + measure(name, font) for name in names]
    pitch = height + size * ROW_GAP
    if place == "right":
        places = [(right + gap, top - height / 2 - pitch * row) for row in range(len(widths))]
    else:
        places = _rows(widths, max(right - left, room), size * ENTRY_GAP, pitch)
        above = place == "above"
        lift = (top + gap - places[-1][1]) if above else (bottom - gap - places[0][1])
        half = height / 2 if above else -height / 2
        places = [(left + x, y + lift + half) for x, y in places]
    ink = inks(ax)
    for number, (name, (x, y), width) in enumerate(zip(names, places, widths, strict=True)):
        if number >= len(types):
            _draw_line(ax, kinds[number - len(types)], (x, y), across)
        else:
            fill = fills[name]
            draw_box(ax, (x + across / 2, y), (across, height), fill, shape_of(name), 1.0)
            if shorts:
                write(ax, x + across / 2, y, shorts[name], size * CHIP_FONT, text_color(fill), "center", "center")
        write(ax, x + across + 5 * size, y, name, font, ink.text, "left", "center")
        right, bottom, top = max(right, x + width), min(bottom, y - height / 2), max(top, y + height / 2)
    return [left, bottom, right, top]


def _draw_line(ax: Axes, kind: str, start: Point, length: float) -> None:
    """A piece of an edge of a kind."""
    ink = inks(ax)
    color = ink.backward if kind == FEEDBACK else ink.edge
    path = Path([start, (start[0] + length, start[1])])
    ax.add_artist(ScaledPath(path, fill=False, edgecolor=color, linewidth=1.2, linestyle=STYLES[kind], zorder=2))


def _rows(widths: Sequence[float], room: float, gap: float, pitch: float) -> list[Point]:
    x, y = 0.0, 0.0
    places = []
    for width in widths:
        if x > 0 and x + width > room:
            x, y = 0.0, y - pitch
        places.append((x, y))
        x += width + gap
    return places


def draw_title(ax: Axes, title: str, bounds: Bounds) -> Bounds:
    """Write a title above all that is drawn, and return the bounds with it."""
    left, bottom, right, top = bounds
    lines = title.count("\n") + 1
    write(ax, left, top + TITLE_GAP, title, TITLE_FONT, inks(ax).text, "left", "bottom")
    return [left, bottom, max(right, left + measure(title, TITLE_FONT)), top + TITLE_GAP + 1.25 * lines * TITLE_FONT]


def fit(fig: Figure, ax: Axes, bounds: Bounds, width: float | None) -> None:
    """Show all that is drawn, at its own size or in a figure that is some inches wide."""
    left, bottom, right, top = bounds
    wide, high = right - left + 2 * MARGIN, top - bottom + 2 * MARGIN
    if width is not None:
        scale = min(1.0, 72 * width / wide)
        left -= (72 * width / scale - wide) / 2  # a small drawing stands in the middle
        right += (72 * width / scale - wide) / 2
        fig.set_size_inches(width, scale * high / 72)
    else:
        fig.set_size_inches(wide / 72, high / 72)
    inches = fig.get_size_inches()
    fig.set_dpi(min(SCREEN_DPI, MOST_PIXELS[0] / max(inches), sqrt(MOST_PIXELS[1] / (inches[0] * inches[1]))))
    show(ax, [left, bottom, right, top])


def show(ax: Axes, bounds: Bounds) -> None:
    """Let axes show all that is drawn, as large as they have room for, and nothing else."""
    left, bottom, right, top = bounds
    options: dict[str, Any] = {"xlim": (left - MARGIN, right + MARGIN), "ylim": (bottom - MARGIN, top + MARGIN)}
    ax.set(aspect="equal", **options)
    ax.set_axis_off()
