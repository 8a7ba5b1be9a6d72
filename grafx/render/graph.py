"""Rendering, under the name of the module that GRAFX has for it."""

from .render import render_grafx

__all__ = ["render_grafx"]
