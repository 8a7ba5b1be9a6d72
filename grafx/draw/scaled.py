"""Texts and lines whose sizes follow the scale of their axes, so that a drawing looks the same at any size."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Polygon, Rectangle
from matplotlib.text import Text

SAME = 1e-6


def root_of(ax: Axes) -> Any:
    """The figure that axes are in, outside of subfigures."""
    return ax.get_figure(root=True)


def scale_of(ax: Axes) -> float:
    """How many points one unit of the axes takes; 1 where the drawing has its own size."""
    left, right = ax.get_xlim()
    scale = ax.bbox.width / abs(right - left) * 72 / root_of(ax).dpi
    return 1.0 if abs(scale - 1) < SAME else scale


class ScaledText(Text):
    """A text of a size in units of the axes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._units: float = self.get_fontsize()  # pyright: ignore[reportAttributeAccessIssue] – never a name here

    def draw(self, renderer: Any) -> None:
        self._follow()
        super().draw(renderer)

    def get_window_extent(self, renderer: Any = None, dpi: float | None = None) -> Any:
        self._follow()
        return super().get_window_extent(renderer, dpi)

    def _follow(self) -> None:
        ax: Any = self.axes
        if ax is not None and (size := self._units * scale_of(ax)) != self.get_fontsize():
            self.set_fontsize(size)


class _ScaledLine(Artist):
    """What has a line of a width in units of the axes."""

    def set_clip_path(self, path: Any, transform: Any = None) -> None:
        """Clip by a path; where this is that of the axes, their box does it with less work."""
        ax: Any = self.axes
        if transform is None and ax is not None and path is ax.patch and isinstance(path, Rectangle):
            self.set_clip_box(ax.bbox)
        else:
            super().set_clip_path(path, transform)

    def draw(self, renderer: Any) -> None:
        with self._followed():
            super().draw(renderer)

    @contextmanager
    def _followed(self) -> Iterator[None]:
        patch: Any = self
        width, scale = patch.get_linewidth(), scale_of(patch.axes)
        patch.set_linewidth(width * scale)
        try:
            yield
        finally:
            patch.set_linewidth(width)


class ScaledPath(_ScaledLine, PathPatch):
    """A path whose line is of a width in units of the axes."""


class ScaledPolygon(_ScaledLine, Polygon):
    """A polygon whose line is of a width in units of the axes."""
