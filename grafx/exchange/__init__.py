"""Graphs in other programs: plug-ins, sessions, sources, tables."""

from ..errors import ExchangeError
from .carried import Carried, Distance, Written
from .distance import distance_between, level_of_difference
from .formats import FORMATS, READERS, Format, Reader, read_graph, write_graph
from .parts import Part, parts_of, play
from .pedalboard import Mixdown, counterparts, from_pedalboard, to_pedalboard

__all__ = [
    "FORMATS",
    "READERS",
    "Carried",
    "Distance",
    "ExchangeError",
    "Format",
    "Mixdown",
    "Part",
    "Reader",
    "Written",
    "counterparts",
    "distance_between",
    "from_pedalboard",
    "level_of_difference",
    "parts_of",
    "play",
    "read_graph",
    "to_pedalboard",
    "write_graph",
]
