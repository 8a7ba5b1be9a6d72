"""Drawings of graphs."""

from .draw import Drawing, draw_edge, draw_grafx, draw_node, grafx_to_svg
from .layout import Block, Layout, held_positions, layered_layout

__all__ = [
    "Block",
    "Drawing",
    "Layout",
    "draw_edge",
    "draw_grafx",
    "draw_node",
    "grafx_to_svg",
    "held_positions",
    "layered_layout",
]
