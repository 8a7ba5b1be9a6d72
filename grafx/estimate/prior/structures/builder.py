"""What all structures are built with: steps of drawn kinds, never more nodes than a graph may have."""

from collections.abc import Collection, Iterable

import networkx as nx

from ....data import GRAFX
from ..kinds import GROUPS, Kind
from ..palette import SIDECHAIN, Palette
from ..randomness import Draws


class Pool:
    """Kinds to draw from.

    Args:
        kinds: What there is.
        in_bands: What can stand in the bands of a crossover, if one is drawn.
        repeats: Whether a kind stays when it is drawn.
    """

    def __init__(self, kinds: Iterable[Kind], in_bands: Iterable[Kind] = (), repeats: bool = False) -> None:
        self.kinds, self.in_bands, self.repeats = list(kinds), list(in_bands), repeats


class Builder:
    """A graph in the making.

    Args:
        palette: The kinds of the prior.
        draws: The random numbers.
        most: How many nodes the graph may have.
        band_length: Least and most processors in a band of a crossover.

    Attributes:
        G: The graph.
        left: How many nodes can still be added, besides reserved ones.
    """

    def __init__(self, palette: Palette, draws: Draws, most: int, band_length: tuple[int, int]) -> None:
        self.G = GRAFX(config=palette.config)
        self.palette, self.draws, self.left, self.band_length = palette, draws, most, band_length

    def reserve(self, nodes: int) -> None:
        """Keep nodes for later; a negative number frees them."""
        self.left -= nodes

    def pool(self, groups: Collection[str] = GROUPS, repeats: bool = False) -> Pool:
        """The steps of some groups, of which simple ones stand in bands, too; or any, if there are none."""
        kinds = [kind for kind in self.palette.steps if kind.group in groups]
        return Pool(kinds, [kind for kind in kinds if kind in self.palette.simple] or self.palette.simple, repeats)

    def add(self, node_type: str) -> int:
        """Add a node, connected to nothing."""
        self.left -= 1
        return self.G.add(node_type)

    def place(self, node_type: str, name: str | None = None) -> int:
        """Add a node that was reserved."""
        return self.G.add(node_type, name=name)

    def connect(self, source: int, dest: int, outlet: str = "main", inlet: str = "main") -> None:
        """Connect two nodes."""
        self.G.connect(source, dest, outlet, inlet)

    def take(self, pool: Pool, left: int | None = None) -> Kind | None:
        """Draw a kind for which there are nodes left, in proportion to the weights; None if there is none."""
        left = self.left if left is None else left
        kinds = [kind for kind in pool.kinds if self.palette.costs[kind.name] <= left]
        if not kinds:
            return None
        kind = self.draws.one_of(kinds, [kind.weight for kind in kinds])
        if not pool.repeats:
            pool.kinds.remove(kind)
        return kind

    def chain(self, source: int, length: int, pool: Pool, outlet: str = "main", ordered: bool = False) -> int:
        """Append steps, as far as there are kinds and nodes left.

        Args:
            source: The node whose sound they process.
            length: How many steps.
            pool: What to draw from.
            outlet: Outlet of the source.
            ordered: Whether they stand in the order of :data:`GROUPS`.

        Returns:
            The last node; it has an outlet ``main``, unless there are no steps.
        """
        kinds: list[Kind] = []
        reserved = 0
        while len(kinds) < length and (kind := self.take(pool, self.left - reserved)):
            kinds.append(kind)
            reserved += self.palette.costs[kind.name]
        if ordered:
            kinds.sort(key=lambda kind: GROUPS.index(kind.group))
        self.reserve(reserved)
        for kind in kinds:
            self.reserve(-self.palette.costs[kind.name])
            source, outlet = self.step(kind, pool, source, outlet), "main"
        return source

    def step(self, kind: Kind, pool: Pool, source: int, outlet: str = "main", later: Collection[int] = ()) -> int:
        """Add a processor with what it needs: a sound or a generator at its second inlet, processors in its bands.

        Args:
            kind: What it is.
            pool: Where its bands draw from.
            source: The node whose sound it processes.
            outlet: Outlet of the source.
            later: Nodes that it will feed.

        Returns:
            The node at which its sound is.
        """
        node = self.add(kind.name)
        self.connect(source, node, outlet)
        for inlet in self.palette.config[kind.name]["inlets"][1:]:
            driver = self._key(source, later) if inlet == SIDECHAIN else self._generator()
            self.connect(driver, node, inlet=inlet)
        outlets = self.palette.bands(kind)
        return self._bands(node, outlets, pool) if outlets else node

    def _generator(self) -> int:
        generators = self.palette.generators
        return self.add(self.draws.one_of(generators, [kind.weight for kind in generators]).name)

    def _key(self, source: int, later: Collection[int]) -> int:
        """What a sidechain listens to: another dry sound, else what was before in its own way, else its source."""
        before = nx.ancestors(self.G, source)
        inputs = (i for i in self.G if self.G.nodes[i]["node_type"] == "in")
        others = [i for i in inputs if i not in (*before, *later, source)]
        return self.draws.one_of(others or [i for i in sorted(before) if self.is_sound(i)] or [source])

    def is_sound(self, node: int) -> bool:
        """Whether a node has an outlet ``main`` that is heard, and does not drive others only."""
        plugs = self.palette.config[self.G.nodes[node]["node_type"]]
        return "main" in plugs["outlets"] and (bool(plugs["inlets"]) or self.G.nodes[node]["node_type"] == "in")

    def _bands(self, crossover: int, outlets: list[str], pool: Pool) -> int:
        """Process at least one band, and sum them all."""
        lengths = [self.draws.whole(*self.band_length) for _ in outlets]
        if not any(lengths):
            lengths[self.draws.whole(0, len(lengths) - 1)] = 1
        self.reserve(1)
        ends = []
        for outlet, length in zip(outlets, lengths, strict=True):
            end = self.chain(crossover, length, Pool(pool.in_bands), outlet)
            ends.append((end, outlet if end == crossover else "main"))
        mix = self.place("mix")
        for end, outlet in ends:
            self.connect(end, mix, outlet)
        return mix
