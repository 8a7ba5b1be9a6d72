"""Channels of strips, led to each other by faders and sends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ...text import free_name
from ..carried import Carried
from .devices import decibels
from .model import EFFECT, EQUALIZER, SUBMIX, UNITY, Channel, Device, Gains, Send, times
from .strips import Route, Strip

LOUDEST = 2.0
"""Of faders, as DAWs have them."""


@dataclass
class StripChannels:
    """The channels of a strip.

    Attributes:
        strip: The strip.
        channels: In series; the last one gives its sound.
        recordings: Further channels that feed these.
        gains: By which its end is scaled.
        entry: Where what feeds the strip goes; ``None`` where a recording took its place.
        carried: What became of its nodes.
    """

    strip: Strip
    channels: list[Channel] = field(default_factory=list)
    recordings: list[Channel] = field(default_factory=list)
    gains: Gains = UNITY
    entry: Channel | None = None
    carried: list[Carried] = field(default_factory=list)

    @property
    def is_cable(self) -> bool:
        """Whether it is but gains between two others."""
        alone = self.strip.plays is None and len(self.strip.fed_by) == 1 and self.strip.nodes[-1].type != "out"
        return alone and self.entry is not None and len(self.channels) == 1 and not self.channels[0].devices


class Way(NamedTuple):
    """How the end of a strip leads to another.

    Attributes:
        to: The other.
        gains: Those on the way.
        is_send: Whether they are those of a send.
        is_node: Whether a node stands for them.
    """

    to: StripChannels
    gains: Gains
    is_send: bool
    is_node: bool

    def beside(self, other: "Way") -> "Way":
        """Both in one."""
        gains = self.gains[0] + other.gains[0], self.gains[1] + other.gains[1]
        return Way(self.to, gains, self.is_send and other.is_send, True)


def connected(blocks: Sequence[StripChannels]) -> tuple[list[Channel], list[StripChannels]]:
    """Lead each block to those that hear it; give those that nobody hears any more back."""
    by_head = {block.strip.nodes[0].id: block for block in blocks if block.strip.plays is None}
    dead: list[StripChannels] = []
    for block in reversed(blocks):
        if block.is_cable or block.strip.nodes[-1].type == "out":
            continue
        ways = _resolved(block.strip.feeds, by_head, dead)
        if ways:
            _route(block, ways)
        else:
            dead.append(block)
    for block in blocks:
        if block.strip.nodes[-1].type == "out":
            block.channels[-1].gains = block.gains
    alive = [b for b in blocks if b not in dead and not b.is_cable]
    channels = [c for block in alive for c in (*block.channels[:-1], *block.recordings, block.channels[-1])]
    for channel in channels:
        if max(channel.gains) > LOUDEST:
            over = max(channel.gains) / LOUDEST
            channel.devices.append(Device(EQUALIZER, "Trim", {"output_db": decibels(over)}))
            less = 1 / over, 1 / over
            channel.gains = times(channel.gains, less)
            channel.sends = [replace(s, gains=times(s.gains, less)) if s.pre else s for s in channel.sends]
    for channel in channels:
        if channel.role == SUBMIX and channel.audio is None and not any(other.to is channel for other in channels):
            channel.role = EFFECT
    _name(channels)
    by_end = {block.strip.nodes[-1].id: block for block in blocks}
    for block in blocks:
        if block.is_cable:
            became = _cable_text(block, by_end, _resolved(block.strip.feeds, by_head, dead))
            block.carried = [replace(each, became=became) for each in block.carried]
    return channels, dead


def _resolved(
    feeds: Iterable[Route],
    by_head: dict[int, StripChannels],
    dead: Sequence[StripChannels],
    gains: Gains = UNITY,
    is_send: bool = False,
    is_node: bool = False,
) -> list[Way]:
    """The ways that cables lead, through blocks that are but gains; what leads to one block twice is added up."""
    found: dict[int, Way] = {}
    for cable in feeds:
        block = by_head[cable.dest]
        through, sends = times(gains, cable.gains), is_send or cable.is_send
        if block.is_cable:
            sends = sends or not all(part.passes_dry for part in block.strip.nodes)
            noded = is_node or block.channels[0].is_node
            ends = _resolved(block.strip.feeds, by_head, dead, times(through, block.gains), sends, noded)
        else:
            ends = [] if block in dead or block.entry is None else [Way(block, through, sends, is_node)]
        for way in ends:
            other = found.get(id(way.to))
            found[id(way.to)] = way if other is None else way.beside(other)
    return list(found.values())


def _route(block: StripChannels, ways: Sequence[Way]) -> None:
    """Lead the end of a block to one place by its fader, and to the others by sends."""
    direct = [way for way in ways if not way.is_send] or list(ways)
    main = next((way for way in direct if way.gains == UNITY and not way.is_node), direct[0])
    channel = block.channels[-1]
    channel.gains, channel.to = times(block.gains, main.gains), main.to.entry
    channel.is_node |= main.is_node
    pre = main.gains != UNITY or main.is_node
    for way in ways:
        if way.to is not main.to and way.to.entry is not None and any(way.gains):
            gains = times(block.gains, way.gains) if pre else way.gains
            channel.sends.append(Send(way.to.entry, gains, pre, way.is_node))


def _cable_text(block: StripChannels, by_end: Mapping[int, StripChannels], ways: Sequence[Way]) -> str:
    """What became of gains between two blocks: a fader, or sends."""
    source = by_end[block.strip.fed_by[0].source]
    while source.is_cable:
        source = by_end[source.strip.fed_by[0].source]
    channel = source.channels[-1]
    ends = [way.to.entry for way in ways if way.to.entry is not None]
    faders = [f"fader of '{channel.name}'" for end in ends if end is channel.to]
    sends = [f"send of '{channel.name}' to '{end.name}'" for end in ends if end is not channel.to]
    return ", ".join(faders + sends) or "recordings of what comes behind it"


def buried(block: StripChannels) -> list[Carried]:
    """What became of the nodes of a block that recordings behind it stand for."""
    became = "recordings of what comes behind it"
    found = [Carried(each.node, each.type, "rendered", became) for each in block.carried]
    known = {each.node for each in found}
    rest = [part for part in block.strip.nodes if part.id not in known and part.type != "mix"]
    return found + [Carried(part.id, part.type, "rendered", became) for part in rest]


def _name(channels: Sequence[Channel]) -> None:
    """Give channels names of their own."""
    taken: set[str] = set()
    for channel in channels:
        channel.name = free_name(channel.name, lambda name: name.lower() in taken)
        taken.add(channel.name.lower())
