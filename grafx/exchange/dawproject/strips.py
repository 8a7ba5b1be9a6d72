"""A graph as strips of a mixer: chains of nodes from where signals meet or part to where they do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import ExchangeError
from ...processors import Send
from ...processors.contract import contract_of
from ...processors.dynamics.base import KeyedGain
from ..parts import Part, Source
from .model import UNITY, Gains


@dataclass(frozen=True)
class Route:
    """A signal from a node to the first inlet of another.

    Attributes:
        source: The node that it comes from.
        outlet: The number of its outlet.
        dest: The node that it goes to.
        gains: By what it is scaled on its way.
        is_send: Whether it is a copy for a bus.
    """

    source: int
    outlet: int
    dest: int
    gains: Gains = UNITY
    is_send: bool = False


@dataclass
class Strip:
    """A chain.

    Attributes:
        nodes: Those whose sound goes from one to the next.
        plays: The outlet whose sound it begins with; ``None`` where others feed it.
        feeds: The cables from its end.
        fed_by: The cables to its beginning.
    """

    nodes: list[Part]
    plays: Source | None = None
    feeds: list[Route] = field(default_factory=list)
    fed_by: list[Route] = field(default_factory=list)


def strips_of(parts: Sequence[Part]) -> list[Strip]:
    """Take a graph apart, from what is heard at its output.

    Args:
        parts: The nodes of the graph, each behind those that it hears.

    Returns:
        The strips, each behind those that feed it; the last ends with the output.

    Raises:
        ExchangeError: The graph has no output, or several.
    """
    by_id = {part.id: part for part in parts}
    heard = _heard(parts, by_id)
    cables = [cable for part in parts if part.id in heard for cable in _cables(part, by_id)]
    ends: dict[Source, Strip] = {}
    strips: list[Strip] = []
    for part in parts:
        if part.id not in heard:
            continue
        into = [cable for cable in cables if cable.dest == part.id]
        before = _before(into, [cable for cable in cables if into and cable.source == into[0].source], by_id)
        if before in ends and not plays(part):
            strip = ends[before]
            strip.nodes.append(part)
            ends[part.id, 0] = strip
            continue
        outlets = sorted({cable.outlet for cable in cables if cable.source == part.id}) if plays(part) else [0]
        for outlet in outlets:
            strip = Strip([part], (part.id, outlet) if plays(part) else None, fed_by=into)
            ends[part.id, outlet] = strip
            strips.append(strip)
    for strip in strips:
        last = strip.nodes[-1]
        ours = [cable for cable in cables if cable.source == last.id]
        strip.feeds = [cable for cable in ours if not plays(last) or strip.plays == (last.id, cable.outlet)]
    return sorted(strips, key=lambda strip: parts.index(strip.nodes[-1]))


def plays(part: Part) -> bool:
    """Whether a node begins a strip with its sound: an input, a generator, and what has several inlets or outlets.

    What another signal drives has several inlets, too, but its own sound passes.
    """
    if part.processor is None:
        return part.type == "in"
    if isinstance(part.processor, Send):
        return False
    several = len(part.inlets) > 1 and not isinstance(part.processor, KeyedGain)
    return several or not part.inlets or len(contract_of(part.processor).outlets) > 1


def _heard(parts: Sequence[Part], by_id: Mapping[int, Part]) -> set[int]:
    """The nodes that are heard at the output, by other ways than that they drive something."""
    outs = [part for part in parts if part.type == "out"]
    if len(outs) != 1:
        ids = f" ({', '.join(str(part.id) for part in outs)})" if outs else ""
        raise ExchangeError(
            f"A project has one master, but the graph has {len(outs)} outputs{ids}: leave one 'out' node in it."
        )
    heard: set[int] = set()
    waiting = [outs[0].id]
    while waiting:
        node = waiting.pop()
        if node not in heard:
            heard.add(node)
            waiting += [cable.source for cable in _cables(by_id[node], by_id)]
    return heard


def _cables(part: Part, by_id: Mapping[int, Part]) -> list[Route]:
    """What a node hears; what drives it is not among that, nor what it plays for itself."""
    if plays(part) or not part.inlets:
        return []
    return [_cable(by_id[source], outlet, part.id) for source, outlet in part.inlets[0]]


def _cable(source: Part, outlet: int, dest: int) -> Route:
    if isinstance(source.processor, Send) and outlet == 1:
        gain = math.exp(float(source.raw["log_gain"]))
        return Route(source.id, outlet, dest, (gain, gain), True)
    return Route(source.id, outlet, dest)


def _before(into: Sequence[Route], ours: Sequence[Route], by_id: Mapping[int, Part]) -> Source | None:
    """The outlet whose strip a node goes on: the only one that it hears, as it is, where that feeds nothing else."""
    if len(into) != 1 or into[0].is_send:
        return None
    source, outlet = into[0].source, into[0].outlet
    others = [cable for cable in ours if not plays(by_id[source]) or cable.outlet == outlet]
    return (source, outlet) if len(others) == 1 else None
