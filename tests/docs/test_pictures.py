"""Pictures of processors: no text lies on another or leaves the picture."""

import sys
from itertools import combinations
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

ROOM = 0.5  # of a pixel, by which boxes of texts may touch


@pytest.mark.slow
def test_no_text_collides():
    import gallery
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from plots import HALF, SMALL, STYLE, WHOLE

    from grafx import processors

    public = [name for name in processors.__all__ if gallery.is_processor(getattr(processors, name))]
    drawn = {n: p for family in gallery.complete(gallery.PICTURES, public).values() for n, p in family.items()}
    assert len(drawn) > 90
    faults = []
    for name, panels in drawn.items():
        sizes = [(panel, HALF if len(panels) > 1 else WHOLE) for panel in panels]
        for panel, size in sizes:
            with rc_context(STYLE):
                figure = Figure(size, layout="constrained")
                FigureCanvasAgg(figure)
                panel.draw(figure.subplots())
                figure.canvas.draw()
                away = beyond(figure)
                texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
                shown = [(text.get_text(), text.get_window_extent()) for text in texts if text not in away]
                faults += [f"{name}: {said!r} leaves the picture" for said, box in shown if not inside(box, figure)]
                faults += [f"{name}: {a!r} on {b!r}" for (a, p), (b, q) in combinations(shown, 2) if collide(p, q)]
    assert sorted({*faults}) == []
    assert SMALL[0] < HALF[0] < WHOLE[0]


def beyond(figure):
    """Labels of ticks beyond the ends of their axis, and of axes that are off, which are not drawn."""
    hidden = []
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            margin = 1e-6 * (high - low)
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not (ax.axison and low - margin <= tick.get_loc() <= high + margin):
                    hidden += [tick.label1, tick.label2]
    return hidden


def inside(box, figure):
    return box.x0 > -ROOM and box.y0 > -ROOM and box.x1 < figure.bbox.x1 + ROOM and box.y1 < figure.bbox.y1 + ROOM


def collide(p, q):
    return min(p.x1, q.x1) - max(p.x0, q.x0) > ROOM and min(p.y1, q.y1) - max(p.y0, q.y0) > ROOM
