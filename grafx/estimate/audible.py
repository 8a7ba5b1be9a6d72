"""What each node of a graph does to the sound: how much the output changes without it."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import networkx as nx
import torch
import torch.nn as nn
from torch import Tensor

from ..choices import AUDIBLE_DB as AUDIBLE_DB
from ..data import GRAFX
from ..data.configs import BUILT_IN_TYPES
from ..errors import GraphError
from .rendering import render_graphs

SILENT = 1e-10
"""Mean square below which an output is silent, −100 dB."""
AT_ONCE = 2**26
"""Samples of all signals in a call, 256 MB, which more memory does not make faster."""
LIMIT_DB = 200.0
TINY = 1e-30


class Hearing(NamedTuple):
    """A rendered graph.

    Attributes:
        output: ``(C, L)``.
        changes: Node to the level in dB of the change of the output without it, relative to the output; all processors
            are there.
    """

    output: Tensor
    changes: dict[int, float]

    def lost(self, audible_db: float) -> list[int]:
        """Nodes without which the output changes by less than a level."""
        return [node for node, change in self.changes.items() if change < audible_db]

    @property
    def silent(self) -> bool:
        return _power(self.output) < SILENT


def hear(graphs: Sequence[GRAFX], sources: Sequence[Tensor], processors: Mapping[str, nn.Module]) -> list[Hearing]:
    """Render graphs, and each of them without each of its processors, in one call, or a few where these are large.

    A removed node is bypassed: what comes to its first inlet is on its first outlet, and its other outlets are silent.
    What does not depend on it is computed once for all.

    Args:
        graphs: Graphs with one ``out`` node.
        sources: The dry sounds ``(K, C, L)`` of each.
        processors: Node type to processor.
    """
    unions = [_with_removals(G) for G in graphs]
    heard: list[Hearing] = []
    for part in _parts([len(union) * rows[:1].numel() for (union, _), rows in zip(unions, sources, strict=True)]):
        outputs = render_graphs([union for union, _ in unions[part]], sources[part], processors)
        heard += map(_compared, outputs, (removed for _, removed in unions[part]))
    return heard


def _parts(sizes: Sequence[int]) -> Iterator[slice]:
    """Consecutive items that are together not larger than what is rendered at once, or single."""
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and total + size > AT_ONCE:
            yield slice(start, index)
            start, total = index, 0
        total += size
    if sizes:
        yield slice(start, len(sizes))


def _compared(rows: Tensor, removed: Mapping[int, bool]) -> Hearing:
    """Compare the first of some outputs with the others, which there are for those nodes that leave one."""
    output, *others = rows if rows.ndim == 3 else rows[None]
    power = _power(output) + TINY
    without = iter(others)
    changes = {}
    for node, leaves_output in removed.items():
        ratio = (_power(next(without) - output) + TINY) / power if leaves_output else 1.0
        changes[node] = min(max(10 * math.log10(ratio), -LIMIT_DB), LIMIT_DB)
    return Hearing(output.clone(), changes)  # apart from the others, which can be forgotten


def _power(signal: Tensor) -> float:
    return torch.linalg.vector_norm(signal).square().item() / signal.numel()


def _with_removals(G: GRAFX) -> tuple[GRAFX, dict[int, bool]]:
    """Add what comes after a node once more without it, for each processor, and tell where an output is left."""
    try:
        union, order = G.copy(), list(nx.topological_sort(G))
    except nx.NetworkXUnfeasible:
        raise GraphError(next(iter(G.validate()), "The graph has a cycle.")) from None
    nodes = [node for node in sorted(G.nodes) if G.nodes[node]["node_type"] not in BUILT_IN_TYPES]
    new_ids = itertools.count(union.counter)  # not by GRAFX.add, which looks for a free one each time
    removed = {node: _add_removal(union, new_ids, G, node, order) for node in nodes}
    union.counter = next(new_ids)
    return union, removed


def _add_removal(union: GRAFX, new_ids: Iterator[int], G: GRAFX, node: int, order: Sequence[int]) -> bool:
    """Add copies of what comes after a node, fed by what it is fed with; return whether the output still has a source.

    Copies get no signal where their first inlet has none, and are left out.
    """
    after = nx.descendants(G, node)
    copies: dict[int, int | None] = {}
    for other in (n for n in order if n in after):
        cables = []
        for source, _, plugs in G.in_edges(other, data=True):
            if source == node:
                first = _first(G, node, "outlets") == plugs["outlet"]
                cables += [(s, outlet, plugs["inlet"]) for s, outlet in _fed_by(G, node) if first]
            elif (live := copies.get(source, source)) is not None:
                cables.append((live, plugs["outlet"], plugs["inlet"]))
        first_inlet = _first(G, other, "inlets")
        if any(inlet == first_inlet for *_, inlet in cables):
            copies[other] = copied = next(new_ids)
            union.add_node(copied, **G.nodes[other])
            _connect(union, new_ids, copied, cables)
        else:
            copies[other] = None
    return any(copies[other] is not None for other in after if G.nodes[other]["node_type"] == "out")


def _connect(union: GRAFX, new_ids: Iterator[int], dest: int, cables: Sequence[tuple[int, str, str]]) -> None:
    """Connect sources to a node, through a sum where the same comes to an inlet twice."""
    known = set()
    for source, outlet, inlet in cables:
        if (source, outlet, inlet) in known:
            between = next(new_ids)
            union.add_node(between, node_type="mix")
            union.add_edge(source, between, outlet=outlet, inlet="main")
            source, outlet = between, "main"
        known.add((source, outlet, inlet))
        union.add_edge(source, dest, outlet=outlet, inlet=inlet)


def _fed_by(G: GRAFX, node: int) -> list[tuple[int, str]]:
    """What comes to the first inlet of a node."""
    first = _first(G, node, "inlets")
    return [(s, data["outlet"]) for s, _, data in G.in_edges(node, data=True) if data["inlet"] == first]


def _first(G: GRAFX, node: int, side: str) -> str | None:
    return next(iter(G.config[G.nodes[node]["node_type"]][side]), None)
