"""Graphs in the languages of other programs that draw."""

from .cytoscape import to_cytoscape
from .dot import to_dot
from .mermaid import to_mermaid
from .tikz import to_tikz

__all__ = ["to_cytoscape", "to_dot", "to_mermaid", "to_tikz"]
