"""Forks and merges: sounds that part, go different ways, and meet again."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, ClassVar

import networkx as nx

from ..kinds import Kind
from ..palette import Palette
from ..reading import Table
from .builder import Builder, Pool

Ends = tuple[int, int]


@dataclass(frozen=True)
class DagStructure:
    """A graph that forks and merges.

    It grows from an input that is connected to an output: a step is put into a cable, or on a new way that leads from a
    node past others to a sum.

    Attributes:
        weight: How often this structure is drawn, compared with others.
        nodes: Least and most nodes, with input, sums and output.
        forks: How often a step is put on a new way; the first one always is, where there are nodes enough.
        repeats: Whether a kind may come twice.
    """

    KEYS: ClassVar = ("weight", "nodes", "forks", "repeats")

    weight: float
    nodes: tuple[int, int]
    forks: float
    repeats: bool

    @classmethod
    def parse(cls, table: Table, palette: Palette, max_nodes: int) -> "DagStructure":
        """Read its table."""
        nodes = table.counts("nodes", (4, min(8, max(max_nodes, 4))), low=3)
        if nodes[1] > max_nodes:
            raise table.refuse("nodes", f"at most max_nodes, which is {max_nodes}")
        cheapest = min(palette.costs.values())
        if nodes[0] < 2 + cheapest:
            raise table.refuse("nodes", f"at least {2 + cheapest}, as an input, an output and the smallest kind need")
        forks = table.number("forks", 0.4, low=0, high=1)
        return cls(table.number("weight", 1.0, low=0), nodes, forks, table.flag("repeats", True))

    def plain(self) -> dict[str, Any]:
        """Its table."""
        return {"weight": self.weight, "nodes": list(self.nodes), "forks": self.forks, "repeats": self.repeats}

    def build(self, builder: Builder) -> None:
        """Draw one."""
        nodes = builder.draws.whole(*self.nodes)
        builder.reserve(max(0, builder.left - nodes))
        builder.connect(builder.add("in"), builder.add("out"))
        pool = builder.pool(repeats=self.repeats)
        forks = True
        while _grow(builder, pool, forks):
            forks = builder.draws.chance(self.forks)


def _grow(builder: Builder, pool: Pool, fork: bool) -> bool:
    """Add a step; return whether there were nodes and kinds for it."""
    cables = _cables(builder)
    source, dest = builder.draws.one_of(cables)
    merges = builder.G.nodes[dest]["node_type"] != "mix"
    kind = builder.take(pool, builder.left - merges) if fork else None
    if kind is not None:
        _bypass(builder, kind, pool, (source, dest))
    elif (kind := builder.take(pool)) is not None:
        _insert(builder, kind, pool, (source, dest))
    return kind is not None


def _cables(builder: Builder) -> list[Ends]:
    """Cables between sounds, from main to main, in a fixed order."""
    ends = ((s, d) for s, d, data in builder.G.edges(data=True) if data["outlet"] == data["inlet"] == "main")
    return sorted(ends)


def _insert(builder: Builder, kind: Kind, pool: Pool, cable: Ends) -> None:
    source, dest = cable
    builder.G.remove_edge(source, dest, _key(builder, cable))
    end = builder.step(kind, pool, source, later=_below(builder, dest))
    builder.connect(end, dest)


def _bypass(builder: Builder, kind: Kind, pool: Pool, cable: Ends) -> None:
    """Let a new way end in a cable, at the sum that it leads to or at a new one."""
    source, dest = cable
    starts = sorted(i for i in {source, *nx.ancestors(builder.G, source)} if builder.is_sound(i))
    start = builder.draws.one_of(starts)
    if builder.G.nodes[dest]["node_type"] != "mix":
        builder.G.remove_edge(source, dest, _key(builder, cable))
        mix = builder.add("mix")
        builder.connect(source, mix)
        builder.connect(mix, dest)
        dest = mix
    builder.connect(builder.step(kind, pool, start, later=_below(builder, dest)), dest)


def _below(builder: Builder, node: int) -> set[int]:
    return {node, *nx.descendants(builder.G, node)}


def _key(builder: Builder, cable: Ends) -> Hashable:
    """The key of the networkx edge from main to main."""
    parallel = builder.G.get_edge_data(*cable)
    return next(key for key, data in parallel.items() if data["outlet"] == data["inlet"] == "main")
