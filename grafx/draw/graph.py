"""Drawing, under GRAFX's module name."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .draw import draw_grafx

__all__ = ["draw_grafx", "postprocess_figure"]


def postprocess_figure(fig: Figure, ax: Axes, xscale: float = 0.3, yscale: float = 0.3) -> None:
    """Hide the axes, and fit the figure to its content.

    Args:
        fig: The figure.
        ax: Its axes.
        xscale: Inches for each unit across.
        yscale: Inches for each unit upwards.
    """
    ax.set_axis_off()
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    fig.set_size_inches(xscale * abs(right - left), yscale * abs(top - bottom))
