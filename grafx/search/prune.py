"""Documented import path of :mod:`grafx.search.mixing.prune`."""

from .mixing.prune import METHODS, brute_force, drywet_guided, hybrid

__all__ = ["METHODS", "brute_force", "drywet_guided", "hybrid"]
