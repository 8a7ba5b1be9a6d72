"""Small plots with logarithmic axes, for the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

COLORS = ("#2563eb", "#ea580c", "#0d9488", "#9333ea")
GREY = "#9ca3af"
TEXT = "#1f2937"
MOST_TICKS = 12
"""How many points may have ticks of their own."""


class Line(NamedTuple):
    """Named points; words among their numbers are omitted."""

    name: str
    points: Sequence[tuple[float, float | str]]
    color: str
    dashed: bool = False


@dataclass
class Plot:
    """Line plot with logarithmic axes, saved as an image next to the page.

    Attributes:
        name: Name of the file in ``images``, without its extension.
        description: Alternative text.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        lines: The lines.
    """

    name: str
    description: str
    x: str
    y: str
    lines: Sequence[Line]

    def __str__(self) -> str:
        return f"![{self.description}](images/{self.name}.svg)"

    def save(self, folder: Path) -> None:
        """Draw the plot into ``images`` of a folder."""
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        style = {"font.size": 9, "svg.hashsalt": self.name, "text.color": TEXT, "axes.labelcolor": TEXT}
        with rc_context({**style, "xtick.color": TEXT, "ytick.color": TEXT, "axes.edgecolor": GREY}):
            figure = Figure(figsize=(6, 3.4), layout="constrained")
            self._draw(figure.add_subplot())
            figure.savefig(folder / "images" / f"{self.name}.svg", metadata={"Date": None})

    def _draw(self, axes) -> None:
        from matplotlib.ticker import NullLocator

        for line in self.lines:
            points = [point for point in line.points if not isinstance(point[1], str)]
            style = {"linestyle": (0, (4, 3)), "linewidth": 1.2} if line.dashed else {"marker": "o", "markersize": 4}
            axes.plot(*zip(*points, strict=True) if points else ([], []), label=line.name, color=line.color, **style)
        axes.set(xscale="log", yscale="log", xlabel=self.x, ylabel=self.y)
        places = sorted({x for line in self.lines for x, _ in line.points})
        ticks = places if len(places) <= MOST_TICKS else _ticks(*axes.get_xlim())
        axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
        ticks = _ticks(*axes.get_ylim())
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
        axes.grid(axis="y", color=GREY, alpha=0.3, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _ticks(low: float, high: float) -> list[float]:
    ticks = [step * 10.0**power for power in range(-9, 9) for step in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]
