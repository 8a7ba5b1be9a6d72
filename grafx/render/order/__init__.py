"""Schedules of graphs, under GRAFX's package name."""

from ..schedule.order import compute_render_order, reorder_for_fast_render

__all__ = ["compute_render_order", "reorder_for_fast_render"]
