"""A chain of perceptual groups, in the order in which an engineer works."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..kinds import GROUPS
from ..palette import Palette
from ..reading import Table
from .builder import Builder


@dataclass(frozen=True)
class GroupStructure:
    """A chain whose steps are ordered by what they are for.

    Attributes:
        weight: How often this structure is drawn, compared with others.
        order: The groups, in signal order.
        sizes: Least and most steps of each group, all of different kinds.
    """

    KEYS: ClassVar = ("weight", "order", "sizes")

    weight: float
    order: tuple[str, ...]
    sizes: Mapping[str, tuple[int, int]]

    @classmethod
    def parse(cls, table: Table, palette: Palette, max_nodes: int) -> "GroupStructure":
        """Read its table."""
        order = table.texts("order", GROUPS, GROUPS)
        inner = table.table("sizes", order)
        groups = cls(table.number("weight", 1.0, low=0), order, {group: inner.counts(group, (0, 1)) for group in order})
        for group, (least, _) in groups.sizes.items():
            there = sum(kind.group == group for kind in palette.steps)
            if least > there:
                raise inner.refuse(group, f"at least {there} or fewer, as many as there are kinds of this group")
        least = sum(low for low, _ in groups.sizes.values())
        if least + 2 > max_nodes:
            raise table.refuse("sizes", f"at least {max_nodes - 2} or fewer in all, or max_nodes be larger")
        if not any(high and any(kind.group == g for kind in palette.steps) for g, (_, high) in groups.sizes.items()):
            raise table.refuse("sizes", "more than 0 for a group that has kinds")
        return groups

    def plain(self) -> dict[str, Any]:
        """Its table."""
        sizes = {group: list(size) for group, size in self.sizes.items()}
        return {"weight": self.weight, "order": list(self.order), "sizes": sizes}

    def build(self, builder: Builder) -> None:
        """Draw one."""
        pools = {group: builder.pool([group]) for group in self.order}
        sizes = {group: builder.draws.whole(*self.sizes[group]) for group in self.order}
        if not any(min(size, len(pools[group].kinds)) for group, size in sizes.items()):
            possible = [group for group in self.order if self.sizes[group][1] and pools[group].kinds]
            sizes[builder.draws.one_of(possible)] = 1
        builder.reserve(2)
        end = builder.place("in")
        for group in self.order:
            end = builder.chain(end, sizes[group], pools[group])
        builder.connect(end, builder.place("out"))
