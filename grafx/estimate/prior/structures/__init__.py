"""Structures: how the nodes of a graph are connected. A small file a structure."""

from .chain import ChainStructure
from .console import ConsoleStructure
from .dag import DagStructure
from .groups import GroupStructure

AnyStructure = ChainStructure | GroupStructure | DagStructure | ConsoleStructure

STRUCTURES: dict[str, type[AnyStructure]] = {
    "chain": ChainStructure,
    "groups": GroupStructure,
    "dag": DagStructure,
    "console": ConsoleStructure,
}
"""Name of a structure's table in a file to its class."""
