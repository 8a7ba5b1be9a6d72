"""Graphs as programs in Faust: from there they become plug-ins, web pages and diagrams."""

from .engine import Engine, available
from .kinds import REFUSED, WRITERS
from .program import Function, Program
from .write import to_faust, write_faust

__all__ = ["REFUSED", "WRITERS", "Engine", "Function", "Program", "available", "to_faust", "write_faust"]
