"""Rendering of graphs: schedules, plans, audio."""

from ..errors import RenderError
from .plan import RenderData, prepare_render
from .render import render_grafx
from .renderer import Renderer
from .schedule.order import compute_render_order, reorder_for_fast_render
from .signals import Signals
from .stream import StreamRenderer

__all__ = [
    "RenderData",
    "RenderError",
    "Renderer",
    "Signals",
    "StreamRenderer",
    "compute_render_order",
    "prepare_render",
    "render_grafx",
    "reorder_for_fast_render",
]
