"""A program in Faust, and the functions that it consists of."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..carried import Carried
from ..parts import Part
from .helpers import helpers_for


@dataclass(frozen=True)
class Function:
    """The function of a node.

    Attributes:
        part: The node.
        name: Its name.
        code: Its definition.
        inlets: Numbers of channels of its inlets.
        outlets: Those of its outlets.
        latency: By how many samples these are late.
        note: What else there is to know about it.
    """

    part: Part
    name: str
    code: str
    inlets: Sequence[int]
    outlets: Sequence[int]
    latency: int
    note: str

    @property
    def alone(self) -> str:
        """A program of this function only."""
        return f'import("stdfaust.lib");\n{helpers_for(self.code)}\n{self.code}\nprocess = {self.name};\n'


@dataclass(frozen=True)
class Program:
    """A graph in Faust.

    Attributes:
        code: The program.
        functions: Those of the nodes, each behind those that it hears.
        latency: By how many samples its sound is later than that of the graph.
        outs: The numbers of channels of the ``out`` nodes, in id order.
    """

    code: str
    functions: Sequence[Function]
    latency: int
    outs: Sequence[int]

    @property
    def carried(self) -> list[Carried]:
        """What became of each node."""
        return [_carried(function) for function in self.functions]


def _carried(function: Function) -> Carried:
    part, late = function.part, f"late by {function.latency} samples" if function.latency else ""
    note = "; ".join(filter(None, (function.note, late)))
    return Carried(part.id, part.type, "exact", f"{type(part.processor).__name__} in Faust", note=note)
