"""Schedules of graphs, under the name of the package that GRAFX has for them."""

from ..schedule.order import compute_render_order, reorder_for_fast_render

__all__ = ["compute_render_order", "reorder_for_fast_render"]
