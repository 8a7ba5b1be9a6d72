"""Blind estimation: from a sound to the graph that made it."""
