"""Structures: how the nodes of a graph are connected. A small file a structure."""

from .chain import Chain
from .console import Console
from .dag import Dag
from .groups import Groups

Structure = Chain | Groups | Dag | Console

STRUCTURES: dict[str, type[Structure]] = {"chain": Chain, "groups": Groups, "dag": Dag, "console": Console}
"""Name of a structure's table in a file to its class."""
