"""A mixing console: stems, buses, sends to returns, a master."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ..kinds import GROUPS
from ..palette import Palette
from ..reading import Table
from .builder import Builder

Span = tuple[int, int]


@dataclass(frozen=True)
class Strips:
    """Channel strips of one sort.

    Attributes:
        count: Least and most of them.
        length: Least and most steps of each, in an engineer's order, all of different kinds.
        groups: What the steps are for.
    """

    count: Span
    length: Span
    groups: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Its table."""
        return {"count": list(self.count), "length": list(self.length), "groups": list(self.groups)}


USUAL = {
    "stems": Strips((2, 4), (1, 3), ("cleaning", "dynamics", "tone", "character", "level")),
    "buses": Strips((0, 1), (0, 2), ("dynamics", "tone", "level")),
    "returns": Strips((0, 1), (1, 1), ("space", "character")),
    "master": Strips((1, 1), (0, 2), ("dynamics", "tone", "level")),
}
LEAST = {"stems": 1, "buses": 0, "returns": 0, "master": 1}


@dataclass(frozen=True)
class ConsoleStructure:
    """A mixing console.

    Each stem is an input with a strip, which goes to a bus or to the master. A send at the end of its strip may feed a
    return, which goes to the master, too.

    Attributes:
        weight: How often this structure is drawn, compared with others.
        stems, buses, returns: Their strips. A bus that no stem goes to is left out.
        master: Its strip.
        sends: How often a stem has a send to a return; every return has one at least.
    """

    KEYS: ClassVar = ("weight", "stems", "buses", "returns", "sends", "master")

    weight: float
    stems: Strips
    buses: Strips
    returns: Strips
    sends: float
    master: Strips

    @classmethod
    def parse(cls, table: Table, palette: Palette, max_nodes: int) -> "ConsoleStructure":
        """Read its table."""
        strips = {name: _parse_strips(name, table, palette) for name in USUAL}
        sends = table.number("sends", 0.5, low=0, high=1)
        console = cls(weight=table.number("weight", 1.0, low=0), sends=sends, **strips)
        if console.skeleton > max_nodes:
            raise table.refuse(
                "stems", f"fewer, or max_nodes at least {console.skeleton}, which inputs, sums and sends may take"
            )
        return console

    @property
    def skeleton(self) -> int:
        """Most nodes without strips, with one processor in each return."""
        stems, buses, returns = (strips.count[1] for strips in (self.stems, self.buses, self.returns))
        return stems + stems * returns + buses + 2 * returns + 2

    def plain(self) -> dict[str, Any]:
        """Its table."""
        strips = {name: getattr(self, name).plain() for name in USUAL}
        del strips["master"]["count"]
        return {"weight": self.weight, "sends": self.sends, **strips}

    def build(self, builder: Builder) -> None:
        """Draw one."""
        draws = builder.draws
        stems, buses, returns = (draws.whole(*strips.count) for strips in (self.stems, self.buses, self.returns))
        homes = [draws.whole(0, buses) for _ in range(stems)]  # 0 is the master
        buses = sorted({*homes} - {0})
        sends = [[draws.chance(self.sends) for _ in range(returns)] for _ in range(stems)]
        for number in range(returns):
            if not any(row[number] for row in sends):
                sends[draws.whole(0, stems - 1)][number] = True
        counts = {"stems": stems, "buses": len(buses), "returns": returns, "master": 1}
        lengths = {(name, i): draws.whole(*getattr(self, name).length) for name in USUAL for i in range(counts[name])}
        _shorten(lengths, builder.left - sum(counts.values()) - sum(map(sum, sends)) - 1)
        skeleton = sum(counts.values()) + sum(map(sum, sends)) + 1
        _shorten(lengths, builder.left - skeleton)
        builder.reserve(skeleton + sum(lengths.values()))

        def strip(name: str, number: int, source: int) -> int:
            length = lengths[name, number]
            builder.reserve(-length)
            return builder.chain(source, length, builder.pool(getattr(self, name).groups), ordered=True)

        dry = [builder.place("in", f"stem {i + 1}") for i in range(stems)]
        master = builder.place("mix", "master")
        sums = {number: builder.place("mix", f"bus {i + 1}") for i, number in enumerate(buses)}
        rooms = [builder.place("mix", f"return {i + 1}") for i in range(returns)]
        for i, source in enumerate(dry):
            end = strip("stems", i, source)
            for room in (room for room, sent in zip(rooms, sends[i], strict=True) if sent):
                kinds = builder.palette.sends
                send = builder.place(draws.one_of(kinds, [kind.weight for kind in kinds]).name)
                builder.connect(end, send)
                builder.connect(send, room, outlet="send")
                end = send
            builder.connect(end, sums.get(homes[i], master))
        for i, bus in enumerate(sums.values()):
            builder.connect(strip("buses", i, bus), master)
        for i, room in enumerate(rooms):
            builder.connect(strip("returns", i, room), master)
        builder.connect(strip("master", 0, master), builder.place("out", "mix"))


def _parse_strips(name: str, table: Table, palette: Palette) -> Strips:
    usual, least = USUAL[name], LEAST[name]
    inner = table.table(name, ("length", "groups") if name == "master" else ("count", "length", "groups"))
    count = inner.counts("count", usual.count, low=least)
    strips = Strips(count, inner.counts("length", usual.length), inner.texts("groups", usual.groups, GROUPS))
    if name == "returns" and count[1]:
        if not palette.sends:
            raise inner.refuse("count", '0, or the kinds have a send: [kinds.send] with processor = "Send"')
        if not strips.length[0]:
            raise inner.refuse("length", "at least 1: what is sent must be processed")
        if not any(kind.group in strips.groups for kind in palette.steps):
            raise inner.refuse("groups", "some that have kinds")
    return strips


def _shorten(lengths: dict[tuple[str, int], int], most: int) -> None:
    """Take steps from the longest strips until there are no more than ``most``; a return keeps one."""
    while sum(lengths.values()) > most:
        longest = max(lengths, key=lambda strip: lengths[strip] - (strip[0] == "returns"))
        lengths[longest] -= 1
