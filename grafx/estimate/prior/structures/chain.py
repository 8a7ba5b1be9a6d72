"""One step after another."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ..palette import Palette
from ..reading import Table
from .builder import Builder


@dataclass(frozen=True)
class ChainStructure:
    """A chain.

    Attributes:
        weight: How often this structure is drawn, compared with others.
        length: Least and most steps.
        repeats: Whether a kind may come twice.
    """

    KEYS: ClassVar = ("weight", "length", "repeats")

    weight: float
    length: tuple[int, int]
    repeats: bool

    @classmethod
    def parse(cls, table: Table, palette: Palette, max_nodes: int) -> "ChainStructure":
        """Read its table."""
        chain = cls(
            table.number("weight", 1.0, low=0), table.counts("length", (1, 4), low=1), table.flag("repeats", False)
        )
        most = len(palette.steps)
        if not chain.repeats and chain.length[1] > most:
            raise table.refuse("length", f"at most {most}, as many as there are kinds, or repeats be true")
        if chain.length[1] + 2 > max_nodes:
            raise table.refuse("length", f"at most {max_nodes - 2}, as max_nodes counts an input and an output, too")
        return chain

    def plain(self) -> dict[str, Any]:
        """Its table."""
        return {"weight": self.weight, "length": list(self.length), "repeats": self.repeats}

    def build(self, builder: Builder) -> None:
        """Draw one."""
        builder.reserve(2)
        length = builder.draws.whole(*self.length)
        end = builder.chain(builder.place("in"), length, builder.pool(repeats=self.repeats))
        builder.connect(end, builder.place("out"))
