"""Schedules: in which order to run the node types so that few steps finish the graph.

A step runs all nodes of one type whose sources are done. ``in`` nodes make the first step and ``out`` nodes the last.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import networkx as nx
import numpy as np
import torch

from ..data.configs import NodeConfigs
from ..data.conversion import convert_to_tensor
from ..data.graph import GRAFX
from ..data.tensor import GRAFXTensor
from ..errors import GraphError
from ..utils import permute_grafx_tensor

IN, OUT = 0, 1

Step = tuple[int, list[int]]
"""A type index and the nodes that are run."""


def compute_render_order(
    G: GRAFX | GRAFXTensor, method: str = "beam", **kwargs
) -> tuple[torch.LongTensor, torch.LongTensor]:
    """Find a schedule.

    Args:
        G: The graph, of any size and depth.
        method: ``"beam"`` keeps the ``width`` (32) best partial schedules, pruned after every ``depth`` (1) steps,
            where the best are those with the smallest lower bound on the steps still to go: summed over all types, the
            most nodes of that type on any path. ``"greedy"`` always runs the type with most ready nodes. ``"fixed"``
            goes through ``fixed_order``, a sequence of types (indices or names), and skips what has no ready node.
            ``"one-by-one"`` gives each node its own step.
        **kwargs: Options of the method.

    Returns:
        ``(type_sequence, render_order)``: the type index of each step, and the step of each node in id order.

    Raises:
        GraphError: The graph has a cycle (the message names its nodes), ``fixed_order`` does not finish it, or the
            method or an option of it is unknown.
    """
    return _schedule(*_as_tensor(G), method, **kwargs)


def _as_tensor(G: GRAFX | GRAFXTensor) -> tuple[GRAFXTensor, Sequence[int]]:
    """The graph as tensors, and the ids that its user knows."""
    return (G, range(G.num_nodes)) if isinstance(G, GRAFXTensor) else (convert_to_tensor(G), sorted(G.nodes))


def _schedule(G_t: GRAFXTensor, ids: Sequence[int], method: str, **kwargs) -> tuple[torch.LongTensor, torch.LongTensor]:
    if method not in _METHODS:
        raise GraphError(f"Unknown method {method!r}: use one of {', '.join(_METHODS)}.")
    precedence = _Precedence.of(G_t, ids)
    try:
        steps = list(_METHODS[method](precedence, **kwargs))
    except TypeError as error:
        raise GraphError(f"Method {method!r} does not take these options: {error}.") from None
    for boundary, position in ((IN, 0), (OUT, len(steps) + 1)):
        if nodes := [v for v, t in enumerate(precedence.types) if t == boundary]:
            steps.insert(position, (boundary, nodes))
    render_order = torch.empty(len(precedence.types), dtype=torch.long)
    for index, (_, nodes) in enumerate(steps):
        render_order[nodes] = index
    return torch.tensor([t for t, _ in steps], dtype=torch.long), render_order


def reorder_for_fast_render(G: GRAFX | GRAFXTensor, method: str = "beam", **kwargs) -> GRAFX | GRAFXTensor:
    """Renumber nodes so that each step of a schedule is a run of consecutive ids.

    ``in`` nodes come first and ``out`` nodes last, each in their old order. Within the other steps, nodes follow the
    order of what they read, so that reads are contiguous where they can be.

    Args:
        G: The graph.
        method: See :func:`compute_render_order`.
        **kwargs: Options of the method.

    Returns:
        A new graph of the same kind that carries its schedule.

    Raises:
        GraphError: As :func:`compute_render_order`.
    """
    G_t, ids = _as_tensor(G)
    type_sequence, render_order = _schedule(G_t, ids, method, **kwargs)
    names = [G_t.config.node_types[t] for t in type_sequence.tolist()]
    new_ids = _consecutive_ids(G_t, render_order)
    if isinstance(G, GRAFXTensor):
        new_ids, render_order = new_ids.to(G_t.node_types.device), render_order.to(G_t.node_types.device)
        G_t = permute_grafx_tensor(G_t, new_ids)
        G_t.rendering_orders = torch.empty_like(render_order).scatter_(0, new_ids, render_order)
        G_t.rendering_order_method, G_t.type_sequence = method, names
        return G_t
    return _renumber(G, new_ids, render_order, method, names)


def _renumber(G: GRAFX, new_ids: torch.Tensor, order: torch.Tensor, method: str, type_sequence: list[str]) -> GRAFX:
    mapping = dict(zip(sorted(G.nodes), new_ids.tolist(), strict=True))
    renumbered = GRAFX(config=G.config, invalid_op=G.invalid_op)
    renumbered.graph.update(G.graph)
    for (old_id, new_id), step in sorted(zip(mapping.items(), order.tolist(), strict=True), key=lambda x: x[0][1]):
        renumbered.add_node(new_id, **{**G.nodes[old_id], "rendering_order": step})
    for source_id, dest_id, data in G.edges(data=True):
        renumbered.add_edge(mapping[source_id], mapping[dest_id], **data)
    renumbered.counter = len(mapping)
    renumbered.consecutive_ids = True
    renumbered.rendering_order_method = method
    renumbered.type_sequence = type_sequence
    return renumbered


def _consecutive_ids(G_t: GRAFXTensor, render_order: torch.Tensor) -> torch.LongTensor:
    """The new id of each node."""
    sources: list[list[int]] = [[] for _ in range(G_t.num_nodes)]
    for source, dest in G_t.edge_indices.T.tolist():
        sources[dest].append(source)
    steps: dict[int, list[int]] = {}
    for node, step in enumerate(render_order.tolist()):
        steps.setdefault(step, []).append(node)
    types = G_t.node_types.tolist()
    new_ids = [0] * G_t.num_nodes
    count = 0
    for _, nodes in sorted(steps.items()):
        if types[nodes[0]] not in (IN, OUT):
            nodes.sort(key=lambda node: min((new_ids[source] for source in sources[node]), default=-1))
        for node in nodes:
            new_ids[node] = count
            count += 1
    return torch.tensor(new_ids, dtype=torch.long)


@dataclass(frozen=True)
class _Precedence:
    """What must come before what. Nodes are positions in id order."""

    config: NodeConfigs
    types: list[int]
    sources: list[list[int]]
    dests: list[list[int]]

    @classmethod
    def of(cls, G_t: GRAFXTensor, ids: Sequence[int]) -> "_Precedence":
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
        """Nodes, each after its sources; without those on a cycle or behind one."""
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
        raise GraphError(f"The graph has a cycle: {' -> '.join([*names, names[0]])}. Remove one of these edges.")

    @property
    def inner(self) -> list[int]:
        """All nodes but ``in`` and ``out``."""
        return [v for v, t in enumerate(self.types) if t not in (IN, OUT)]


class _Progress:
    """Which nodes are ready while a schedule runs."""

    def __init__(self, precedence: _Precedence):
        self.precedence = precedence
        types = precedence.types
        self.waiting = [sum(types[s] != IN for s in sources) for sources in precedence.sources]
        self.ready: dict[int, list[int]] = {}
        for node in precedence.inner:
            if self.waiting[node] == 0:
                self.ready.setdefault(types[node], []).append(node)

    def run(self, node_type: int) -> Step:
        nodes = self.ready.pop(node_type)
        for node in nodes:
            for dest in self.precedence.dests[node]:
                self.waiting[dest] -= 1
                if self.waiting[dest] == 0 and self.precedence.types[dest] != OUT:
                    self.ready.setdefault(self.precedence.types[dest], []).append(dest)
        return node_type, nodes


def _one_by_one(precedence: _Precedence) -> Iterator[Step]:
    for node in precedence.topological():
        if precedence.types[node] not in (IN, OUT):
            yield precedence.types[node], [node]


def _greedy(precedence: _Precedence) -> Iterator[Step]:
    progress = _Progress(precedence)
    while progress.ready:
        yield progress.run(max(progress.ready, key=lambda t: (len(progress.ready[t]), -t)))


def _fixed(precedence: _Precedence, fixed_order: Iterable[int | str] = ()) -> Iterator[Step]:
    progress = _Progress(precedence)
    config = precedence.config
    for entry in fixed_order:
        node_type = config.node_type_to_index.get(entry) if isinstance(entry, str) else int(entry)
        if node_type is None or not 0 <= node_type < config.num_node_types:
            raise GraphError(f"fixed_order has {entry!r}, which is not a type of this graph: {config.node_types}.")
        if node_type in progress.ready:
            yield progress.run(node_type)
    if progress.ready:
        left = {config.node_types[t]: len(nodes) for t, nodes in progress.ready.items()}
        raise GraphError(f"fixed_order ends while nodes are still ready: {left}. Append these types.")


@dataclass(frozen=True)
class _State:
    """A partial schedule."""

    done: int
    """Finished nodes, as bits."""
    ready: dict[int, tuple[int, ...]]
    steps_to_go: int
    """A lower bound."""
    path: tuple | None
    """``(path so far, last type)``."""


def _beam(precedence: _Precedence, width: int = 32, depth: int = 1) -> Iterator[Step]:
    if width < 1 or depth < 1:
        raise GraphError(f"Beam search needs a width and a depth of at least 1, not {width} and {depth}.")
    longest = _most_on_a_path(precedence)
    needs = [reduce(or_, (1 << s for s in sources), 0) for sources in precedence.sources]
    start = _Progress(precedence)
    ready = {t: tuple(nodes) for t, nodes in start.ready.items()}
    done = reduce(or_, (1 << v for v, t in enumerate(precedence.types) if t == IN), 0)
    states = [_State(done, ready, _bound(longest, ready), None)]
    level = 0
    while all(state.ready for state in states):
        candidates: dict[int, _State] = {}
        for state in states:
            for node_type in state.ready:
                candidate = _advance(precedence, longest, needs, state, node_type)
                candidates.setdefault(candidate.done, candidate)
        states = sorted(candidates.values(), key=lambda s: (s.steps_to_go, -s.done.bit_count()))
        level += 1
        if level % depth == 0:
            states = states[:width]
    path, types = next(state.path for state in states if not state.ready), []
    while path is not None:
        path, node_type = path
        types.append(node_type)
    for node_type in reversed(types):
        yield start.run(node_type)


def _advance(precedence: _Precedence, longest: np.ndarray, needs: list[int], state: _State, node_type: int) -> _State:
    ready = dict(state.ready)
    nodes = ready.pop(node_type)
    done = reduce(or_, (1 << node for node in nodes), state.done)
    for dest in dict.fromkeys(dest for node in nodes for dest in precedence.dests[node]):
        if not needs[dest] & ~done and precedence.types[dest] != OUT:
            ready[precedence.types[dest]] = (*ready.get(precedence.types[dest], ()), dest)
    return _State(done, ready, _bound(longest, ready), (state.path, node_type))


def _bound(longest: np.ndarray, ready: dict[int, tuple[int, ...]]) -> int:
    nodes = [node for group in ready.values() for node in group]
    return int(longest[nodes].max(axis=0).sum()) if nodes else 0


def _most_on_a_path(precedence: _Precedence) -> np.ndarray:
    """For each node and type, the most nodes of that type on any path that starts at the node."""
    most = np.zeros((len(precedence.types), precedence.config.num_node_types), dtype=np.int32)
    for node in reversed(precedence.topological()):
        for dest in precedence.dests[node]:
            np.maximum(most[node], most[dest], out=most[node])
        if precedence.types[node] != OUT:
            most[node, precedence.types[node]] += 1
    return most


_METHODS: dict[str, Callable[..., Iterator[Step]]] = {
    "one-by-one": _one_by_one,
    "fixed": _fixed,
    "greedy": _greedy,
    "beam": _beam,
}
