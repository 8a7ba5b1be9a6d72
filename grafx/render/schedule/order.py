"""Schedules: the order of node types that renders a graph in few steps.

A step runs all nodes of one type whose sources are done. ``in`` nodes make the first step and ``out`` nodes the last.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch

from ...data.conversion import convert_to_tensor
from ...data.graph import GRAFX
from ...data.tensor import GRAFXTensor, permute_grafx_tensor
from ...errors import GraphError
from . import beam
from .precedence import IN, OUT, Front, Precedence, Turn

AnyGraph = TypeVar("AnyGraph", GRAFX, GRAFXTensor)


def compute_render_order(
    G_any: GRAFX | GRAFXTensor, method: str = "beam", **kwargs
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find a schedule.

    Args:
        G_any: The graph, of any size and depth.
        method: One of

            - ``"beam"``: follow the ``width`` most promising partial schedules (256 by default, fewer in graphs of
              hundreds of nodes), chosen after every ``depth`` (1) steps. The rank is a lower bound on the remaining
              steps, which is, summed over all types, the largest number of nodes of that type on any remaining path,
              plus a measure of the remaining work. Never longer than greedy.
            - ``"optimal"``: a shortest schedule, proven. A search that has visited ``max_states`` partial schedules
              (500000 by default, fewer in graphs of thousands of nodes) gives up with a warning and returns the
              shortest schedule found.
            - ``"greedy"``: always run the type with most ready nodes.
            - ``"fixed"``: cycle through ``fixed_order``, a sequence of types (indices or names), and skip types
              without ready nodes.
            - ``"one-by-one"``: give each node its own step.
        **kwargs: Options of the method.

    Returns:
        ``(type_sequence, render_order)``: the type index of each step, and the step of each node in id order.

    Raises:
        GraphError: The graph has a cycle (the message names its nodes), ``fixed_order`` does not finish it, or the
            method or an option of it is unknown.
    """
    return _schedule(*_as_tensor(G_any), method, **kwargs)


def _as_tensor(G: GRAFX | GRAFXTensor) -> tuple[GRAFXTensor, Sequence[int]]:
    """Return the graph as tensors, and the original ids."""
    if isinstance(G, GRAFXTensor):
        return G, range(G.num_nodes)
    if not isinstance(G, GRAFX):
        raise GraphError(f"A schedule is for a GRAFX or a GRAFXTensor, not a {type(G).__name__}.")
    return convert_to_tensor(G), sorted(G.nodes)


def _schedule(G_t: GRAFXTensor, ids: Sequence[int], method: str, **kwargs) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(method, str) or method not in _METHODS:
        raise GraphError(f"Unknown method {method!r}: use one of {', '.join(_METHODS)}.")
    precedence = Precedence.of(G_t, ids)
    try:
        turns = list(_METHODS[method](precedence, **kwargs))
    except TypeError as error:
        raise GraphError(f"Method {method!r} does not take these options: {error}.") from None
    for boundary, position in ((IN, 0), (OUT, len(turns) + 1)):
        if nodes := [v for v, t in enumerate(precedence.types) if t == boundary]:
            turns.insert(position, (boundary, nodes))
    render_order = [0] * len(precedence.types)
    for index, (_, nodes) in enumerate(turns):
        for node in nodes:
            render_order[node] = index
    return torch.tensor([t for t, _ in turns], dtype=torch.long), torch.tensor(render_order, dtype=torch.long)


def reorder_for_fast_render(G_any: AnyGraph, method: str = "beam", **kwargs) -> AnyGraph:
    """Renumber nodes so that each step of a schedule is a run of consecutive ids.

    ``in`` nodes come first and ``out`` nodes last, each in their old order. Within the other steps, nodes follow the
    order of their inputs, so that reads are contiguous if possible.

    Args:
        G_any: The graph.
        method: See :func:`compute_render_order`.
        **kwargs: Options of the method.

    Returns:
        A new graph of the same kind with its schedule.

    Raises:
        GraphError: As in :func:`compute_render_order`.
    """
    G_t, ids = _as_tensor(G_any)
    type_sequence, render_order = _schedule(G_t, ids, method, **kwargs)
    names = [G_t.config.node_types[t] for t in type_sequence.tolist()]
    new_ids = _consecutive_ids(G_t, render_order)
    if isinstance(G_any, GRAFXTensor):
        new_ids, render_order = new_ids.to(G_t.node_types.device), render_order.to(G_t.node_types.device)
        G_t = permute_grafx_tensor(G_t, new_ids)
        G_t.rendering_orders = torch.empty_like(render_order).scatter_(0, new_ids, render_order)
        G_t.rendering_order_method, G_t.type_sequence = method, names
        return G_t
    return _renumber(G_any, new_ids, render_order, method, names)


def _renumber(G: GRAFX, new_ids: torch.Tensor, order: torch.Tensor, method: str, type_sequence: list[str]) -> GRAFX:
    mapping = dict(zip(sorted(G.nodes), new_ids.tolist(), strict=True))
    steps = sorted(zip(mapping.items(), order.tolist(), strict=True), key=lambda x: x[0][1])
    nodes = [(new, {**G.nodes[old], "rendering_order": step}) for (old, new), step in steps]
    renumbered = GRAFX.like(G, nodes, ((mapping[u], mapping[v], data) for u, v, data in G.edges(data=True)))
    renumbered.counter = len(mapping)
    renumbered.consecutive_ids = True
    renumbered.rendering_order_method = method
    renumbered.type_sequence = type_sequence
    return renumbered


def _consecutive_ids(G_t: GRAFXTensor, render_order: torch.Tensor) -> torch.Tensor:
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


def _one_by_one(precedence: Precedence) -> Iterator[Turn]:
    for node in precedence.topological():
        if precedence.types[node] not in (IN, OUT):
            yield precedence.types[node], [node]


def _greedy(precedence: Precedence) -> Iterator[Turn]:
    front = Front(precedence)
    while front.ready:
        yield front.run(max(front.ready, key=lambda t: (len(front.ready[t]), -t)))


def _fixed(precedence: Precedence, fixed_order: Iterable[int | str] = ()) -> Iterator[Turn]:
    front = Front(precedence)
    config = precedence.config
    for entry in fixed_order:
        node_type = config.node_type_to_index.get(entry) if isinstance(entry, str) else int(entry)
        if node_type is None or not 0 <= node_type < config.num_node_types:
            raise GraphError(f"fixed_order has {entry!r}, which is not a type of this graph: {config.node_types}.")
        if node_type in front.ready:
            yield front.run(node_type)
    if front.ready:
        left = {config.node_types[t]: len(nodes) for t, nodes in front.ready.items()}
        raise GraphError(f"fixed_order ends while nodes are still ready: {left}. Append these types.")


def _beam(precedence: Precedence, width: int | None = None, depth: int = 1) -> Iterator[Turn]:
    if (width is not None and width < 1) or depth < 1:
        raise GraphError(f"Beam search needs a width and a depth of at least 1, not {width} and {depth}.")
    types = beam.beam(precedence, [t for t, _ in _greedy(precedence)], width, depth)
    return map(Front(precedence).run, types)


def _optimal(precedence: Precedence, max_states: int | None = None) -> Iterator[Turn]:
    if max_states is not None and max_states < 1:
        raise GraphError(f"The search for the optimum needs max_states of at least 1, not {max_states}.")
    types, at_least = beam.optimal(precedence, [t for t, _ in _beam(precedence)], max_states)
    if at_least < len(types):
        boundary = len({IN, OUT} & set(precedence.types))
        warnings.warn(
            f"The optimum was not proven: found {len(types) + boundary} steps, and at least {at_least + boundary} are"
            f" needed. A larger max_states searches further.",
            stacklevel=4,
        )
    return map(Front(precedence).run, types)


_METHODS: dict[str, Callable[..., Iterator[Turn]]] = {
    "one-by-one": _one_by_one,
    "fixed": _fixed,
    "greedy": _greedy,
    "beam": _beam,
    "optimal": _optimal,
}
