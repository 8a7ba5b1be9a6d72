"""Boxes and texts on axes."""

from matplotlib.axes import Axes
from matplotlib.path import Path

from ..text import printable
from .fonts import font_of, writable
from .layout import Point
from .scaled import ScaledPath, ScaledText
from .shapes import box
from .style import outline_color


def draw_box(
    ax: Axes, center: Point, size: tuple[float, float], color: str, shape: str, linewidth: float, gid: str | None = None
) -> None:
    """Draw a box of a shape, see :data:`.shapes.CORNERS`, with an outline in points."""
    draw_area(ax, box(center, size, shape), color, outline_color(color), linewidth, 2, gid)


def draw_area(
    ax: Axes, path: Path, color: str, outline: str, linewidth: float, zorder: float, gid: str | None = None
) -> None:
    """Fill an area, with an outline in points."""
    look = {"facecolor": color, "edgecolor": outline, "linewidth": linewidth}
    ax.add_artist(ScaledPath(path, **look, zorder=zorder, gid=gid))


def write(ax: Axes, x: float, y: float, text: str, size: float, color: str, ha: str, va: str) -> None:
    """Write a text as it is, without mathematics."""
    va = "center_baseline" if va == "center" else va
    text = writable("\n".join(map(printable, text.split("\n"))))
    options = {"fontproperties": font_of(text, size), "color": color, "ha": ha, "va": va, "usetex": False}
    ax.add_artist(ScaledText(x, y, text, **options, zorder=3, parse_math=False, transform=ax.transData, clip_on=False))
