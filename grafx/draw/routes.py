"""Edges between nodes that somebody else has placed."""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import networkx as nx

from ..errors import GraphError
from .layout import Block, Layout, Point, Port

TURN = 14.0  # points: how far an edge reaches to get round


class _End(NamedTuple):
    """Where an edge ends: a node, its centre, and a port."""

    block: Block
    center: Point
    port: Port


def with_direct_routes(
    G: nx.MultiDiGraph, blocks: Mapping[Hashable, Block], positions: Mapping[Hashable, Point], vertical: bool
) -> Layout:
    """Positions with edges that take the direct way, from side to side.

    Raises:
        GraphError: A node has no position.
    """
    missing = [n for n in G if n not in positions]
    if missing:
        raise GraphError(f"compute_node_position_fn gave no position for node {missing[0]}.")
    positions = {n: (float(positions[n][0]), float(positions[n][1])) for n in G}
    routes = {}
    for u, v, key, data in G.edges(keys=True, data=True):
        source = _End(blocks[u], positions[u], ("out", data.get("outlet", "main")))
        dest = _End(blocks[v], positions[v], ("in", data.get("inlet", "main")))
        routes[u, v, key] = _direct_route(source, dest, vertical)
    return Layout(positions, routes)


def _direct_route(source: _End, dest: _End, vertical: bool) -> list[Point]:
    """Join two nodes by the sides that face each other, or around the later ends of two that stand side by side."""
    step = source.center[1] - dest.center[1] if vertical else dest.center[0] - source.center[0]
    beside = abs(step) < (source.block.length + dest.block.length) / 2
    sides = (1, 1) if beside else (1, -1) if step > 0 else (-1, 1)
    first, last = (_port_place(end, side, vertical) for end, side in zip((source, dest), sides, strict=True))
    if not beside:
        return [first, last]
    reach = TURN + max((-e.center[1] if vertical else e.center[0]) + e.block.length / 2 for e in (source, dest))
    across = (first[0] + last[0]) / 2 if vertical else (first[1] + last[1]) / 2
    return [first, (across, -reach) if vertical else (reach, across), last]


def _port_place(end: _End, side: int, vertical: bool) -> Point:
    """Where an edge meets a node: at the place of its port, on one side or the other."""
    (x, y), block = end.center, end.block
    along, across = side * block.length / 2, {**block.entry, **block.exit}.get(end.port, 0.0)
    return (x + across, y - along) if vertical else (x + along, y - across)
