"""Structures: how the nodes of a graph are connected. A small file a structure."""

from .chain import Chain

Structure = Chain

STRUCTURES = {"chain": Chain}
"""Name of a structure's table in a file to its class."""
