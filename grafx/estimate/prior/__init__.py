"""Priors: seeded generators of graphs as plain data, described in TOML."""

from .draw import draw_graph, draw_settings
from .kinds import Kind
from .prior import Prior, load_prior, parse_prior

__all__ = ["Kind", "Prior", "draw_graph", "draw_settings", "load_prior", "parse_prior"]
