"""Rendering, under GRAFX's module name."""

from .render import render_grafx

__all__ = ["render_grafx"]
