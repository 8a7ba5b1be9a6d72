"""Drawings of graphs."""

from .draw import Drawing, draw_edge, draw_grafx, draw_node, grafx_to_svg
from .layout import Block, Layout, held_positions, layered_layout
from .web import picture, to_html

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
    "picture",
    "to_html",
]
