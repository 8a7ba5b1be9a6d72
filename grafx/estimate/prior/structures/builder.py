"""What all structures are built with: nodes of drawn kinds, never more than a graph may have."""

from collections.abc import Sequence

from ....data import GRAFX
from ..kinds import Kind
from ..randomness import Draws


class Builder:
    """A graph in the making.

    Args:
        G: An empty graph.
        kinds: Kinds that may stand in a chain, each with an inlet and an outlet.
        draws: The random numbers.
        most: How many nodes the graph may have.
    """

    def __init__(self, G: GRAFX, kinds: Sequence[Kind], draws: Draws, most: int) -> None:
        self.G, self.kinds, self.draws = G, kinds, draws
        self.left = most

    def reserve(self, nodes: int) -> None:
        """Keep nodes for what must come later."""
        self.left -= nodes

    def release(self, nodes: int) -> None:
        """Give reserved nodes free."""
        self.left += nodes

    def add(self, node_type: str, name: str | None = None) -> int:
        self.left -= 1
        return self.G.add(node_type, name=name)

    def connect(self, source: int, dest: int, outlet: str = "main", inlet: str = "main") -> None:
        self.G.connect(source, dest, outlet, inlet)

    def chain(self, source: int, length: int, kinds: Sequence[Kind], repeats: bool) -> int:
        """Append processors of drawn kinds, as far as there are kinds and nodes left; return the last."""
        kinds = list(kinds)
        for _ in range(min(length, self.left)):
            if not any(kind.weight for kind in kinds):
                break
            kind = self.draws.one_of(kinds, [kind.weight for kind in kinds])
            if not repeats:
                kinds.remove(kind)
            node = self.add(kind.name)
            self.connect(source, node)
            source = node
        return source
