"""What each node of a graph does to the sound: how much the output changes without it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import networkx as nx
import torch
import torch.nn as nn
from torch import Tensor

from ..data import GRAFX
from ..data.configs import BUILT_IN_TYPES
from .rendering import render_graphs

SILENT = 1e-10
"""Mean square below which an output is silent, −100 dB."""
LIMIT_DB = 200.0


class Heard(NamedTuple):
    """A rendered graph.

    Attributes:
        output: ``(C, L)``.
        changes: Node to the level in dB of the change of the output without it, relative to the output. Nodes that
            cannot be removed, such as those that split a sound, are not there.
    """

    output: Tensor
    changes: dict[int, float]

    @property
    def silent(self) -> bool:
        return bool(self.output.square().mean() < SILENT)


def hear(graphs: Sequence[GRAFX], sources: Sequence[Tensor], processors: Mapping[str, nn.Module]) -> list[Heard]:
    """Render graphs, and each of them without each of its nodes, in one call.

    What comes before a removed node is computed once for all.

    Args:
        graphs: Graphs with one ``out`` node.
        sources: The dry sounds ``(K, C, L)`` of each.
        processors: Node type to processor.
    """
    unions = [_with_removals(G) for G in graphs]
    outputs = render_graphs([union for union, _ in unions], sources, processors)
    heard = []
    for rows, (_, removed) in zip(outputs, unions, strict=True):
        output, *others = rows if removed else [rows]
        power = output.square().mean()
        changes = {}
        for node, other in zip(removed, others, strict=True):
            ratio = (other - output).square().mean() / power.clamp(min=SILENT)
            changes[node] = min(max(10 * torch.log10(ratio.clamp(min=1e-30)).item(), -LIMIT_DB), LIMIT_DB)
        heard.append(Heard(output, changes))
    return heard


def _with_removals(G: GRAFX) -> tuple[GRAFX, list[int]]:
    """Add copies of all that comes after a node, for each node, and tell of which nodes there are such copies."""
    union = G.copy()
    removed = [node for node in sorted(G.nodes) if _is_removable(G, node)]
    for node in removed:
        copies = {other: union.add(G.nodes[other]["node_type"]) for other in sorted(nx.descendants(G, node))}
        for other, copied in copies.items():
            union.nodes[copied].update(G.nodes[other])
        edges = []
        for source, dest, plugs in G.in_edges(copies, data=True):
            if source != node:
                edges.append((copies.get(source, source), copies[dest], plugs["outlet"], plugs["inlet"]))
            else:
                edges += [(s, copies[dest], outlet, plugs["inlet"]) for s, outlet in _fed_by(G, node)]
        _connect(union, edges)
    return union, removed


def _connect(union: GRAFX, edges: Sequence[tuple[int, int, str, str]]) -> None:
    """Connect, through a sum where a sound comes to an inlet twice."""
    known = set()
    for source, dest, outlet, inlet in edges:
        if (source, dest, outlet, inlet) in known:
            between = union.add("mix")
            union.add_edge(source, between, outlet=outlet, inlet="main")
            source, outlet = between, "main"
        known.add((source, dest, outlet, inlet))
        union.add_edge(source, dest, outlet=outlet, inlet=inlet)


def _fed_by(G: GRAFX, node: int) -> list[tuple[int, str]]:
    """What comes to the first inlet of a node."""
    inlets = G.config[G.nodes[node]["node_type"]]["inlets"]
    return [(s, data["outlet"]) for s, _, data in G.in_edges(node, data=True) if inlets and data["inlet"] == inlets[0]]


def _is_removable(G: GRAFX, node: int) -> bool:
    """Whether all that a node feeds can do without it."""
    node_type = G.nodes[node]["node_type"]
    if node_type in BUILT_IN_TYPES or len(G.config[node_type]["outlets"]) != 1:
        return False
    if _fed_by(G, node):
        return True
    for _, dest, data in G.out_edges(node, data=True):
        first = G.config[G.nodes[dest]["node_type"]]["inlets"][0]
        if data["inlet"] == first and len(_fed_by(G, dest)) == 1:
            return False
    return True
