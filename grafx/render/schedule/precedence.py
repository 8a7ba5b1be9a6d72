"""Dependencies of nodes, and the ready nodes during a schedule."""

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from ...data.configs import NodeConfigs
from ...data.tensor import GRAFXTensor
from ...errors import GraphError

IN, OUT = 0, 1

Turn = tuple[int, list[int]]
"""A type index and the nodes that it runs."""


@dataclass(frozen=True)
class Precedence:
    """The nodes of a graph, as positions in id order, with their predecessors and successors."""

    config: NodeConfigs
    types: list[int]
    sources: list[list[int]]
    dests: list[list[int]]

    @classmethod
    def of(cls, G_t: GRAFXTensor, ids: Sequence[int]) -> "Precedence":
        """Build from a graph whose original node ids are ``ids``.

        Raises:
            GraphError: The graph has a cycle.
        """
        types = G_t.node_types.tolist()
        sources: list[list[int]] = [[] for _ in types]
        dests: list[list[int]] = [[] for _ in types]
        for source, dest in sorted(set(map(tuple, G_t.edge_indices.T.tolist()))):
            sources[dest].append(source)
            dests[source].append(dest)
        precedence = cls(G_t.config, types, sources, dests)
        precedence._refuse_cycle(ids)
        return precedence

    def topological(self) -> list[int]:
        """Sort nodes topologically; nodes on or behind a cycle are missing."""
        waiting = [len(sources) for sources in self.sources]
        order = [v for v, count in enumerate(waiting) if count == 0]
        for node in order:
            for dest in self.dests[node]:
                waiting[dest] -= 1
                if waiting[dest] == 0:
                    order.append(dest)
        return order

    def _refuse_cycle(self, ids: Sequence[int]) -> None:
        order = self.topological()
        if len(order) == len(self.types):
            return
        rest = set(range(len(self.types))) - set(order)
        edges = [(v, dest) for v in rest for dest in self.dests[v] if dest in rest]
        cycle = [source for source, _ in nx.find_cycle(nx.DiGraph(edges))]
        names = [f"{ids[v]} ({self.config.node_types[self.types[v]]})" for v in cycle]
        raise GraphError(
            f"The graph has a cycle: {' -> '.join([*names, names[0]])}. Remove one of these edges, or render in blocks."
        )


class Front:
    """Which nodes are ready while a schedule runs. ``in`` nodes are done from the start, ``out`` nodes left out.

    Attributes:
        ready: Type to nodes.
    """

    def __init__(self, precedence: Precedence):
        self.precedence = precedence
        types = precedence.types
        self.waiting = [sum(types[s] != IN for s in sources) for sources in precedence.sources]
        self.ready: dict[int, list[int]] = {}
        for node, node_type in enumerate(types):
            if node_type not in (IN, OUT) and self.waiting[node] == 0:
                self.ready.setdefault(node_type, []).append(node)

    def run(self, node_type: int) -> Turn:
        """Run all ready nodes of a type."""
        nodes = self.ready.pop(node_type)
        for node in nodes:
            for dest in self.precedence.dests[node]:
                self.waiting[dest] -= 1
                if self.waiting[dest] == 0 and self.precedence.types[dest] != OUT:
                    self.ready.setdefault(self.precedence.types[dest], []).append(dest)
        return node_type, nodes
