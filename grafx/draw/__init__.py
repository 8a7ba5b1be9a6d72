"""Drawings of graphs."""

from .draw import Drawing, draw_edge, draw_grafx, draw_node, grafx_to_svg
from .formats import to_cytoscape, to_dot, to_mermaid, to_tikz
from .layout import Block, Layout, held_positions, layered_layout
from .pruning import draw_pruning, film_pruning
from .web import picture, to_html

__all__ = [
    "Block",
    "Drawing",
    "Layout",
    "draw_edge",
    "draw_grafx",
    "draw_node",
    "draw_pruning",
    "film_pruning",
    "grafx_to_svg",
    "held_positions",
    "layered_layout",
    "picture",
    "to_cytoscape",
    "to_dot",
    "to_html",
    "to_mermaid",
    "to_tikz",
]
