"""One processor after another."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ..reading import Table
from .builder import Builder


@dataclass(frozen=True)
class Chain:
    """A chain.

    Attributes:
        weight: How often this structure is drawn, compared with others.
        length: Least and most processors.
        repeats: Whether a kind may come twice.
    """

    KEYS: ClassVar = ("weight", "length", "repeats")

    weight: float
    length: tuple[int, int]
    repeats: bool

    @classmethod
    def parse(cls, table: Table) -> "Chain":
        return cls(table.number("weight", 1.0, low=0), table.counts("length", (1, 4)), table.flag("repeats", False))

    def plain(self) -> dict[str, Any]:
        return {"weight": self.weight, "length": list(self.length), "repeats": self.repeats}

    def build(self, builder: Builder) -> None:
        builder.reserve(1)  # the output
        source = builder.add("in")
        end = builder.chain(source, builder.draws.whole(*self.length), builder.kinds, self.repeats)
        builder.release(1)
        builder.connect(end, builder.add("out"))
