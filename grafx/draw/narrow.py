"""Layouts for a width: disconnected parts stand side by side, and where this is not enough, nodes move along the flow.

From left to right, long chains are folded into rows, like the lines of a text. From top to bottom, fewer chains stand
beside each other, and others begin beneath them.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from itertools import pairwise
from math import ceil, inf
from typing import NamedTuple

import networkx as nx

from .layout import (
    LAYER_GAP,
    NODE_GAP,
    PART_GAP,
    USUAL_SPACING,
    WAYPOINT_GAP,
    Banks,
    Block,
    Layout,
    Pairs,
    Point,
    Spacing,
    find_backward_edges,
    find_chains,
    merge,
    place_loners,
    place_parts,
    scales,
    turned,
    without_needless_points,
)
from .page import find_bounds

READABLE = 0.6  # a drawing that must shrink below this folds its chains
LEAST_LANE = 4.0  # points, between an edge that goes back to the start of the next row and what is beside it
MOST_ROWS = 64
SHARES = 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2  # of a room, that nodes beside each other take; edges take the rest

Blocks = Mapping[Hashable, Block]


class _Fold(NamedTuple):
    """A chain in rows, which takes the space of one block; its layout is from the block's corner."""

    nodes: list[Hashable]
    layout: Layout
    block: Block


def packed_layout(
    G: nx.MultiDiGraph, blocks: Blocks, vertical: bool = False, node_spacing: Spacing = 1.0, *, room: float
) -> Layout:
    """Place nodes in layers along the flow, and disconnected parts side by side where they have room.

    Args:
        G: The graph.
        blocks: The space of each node.
        vertical: Signals flow from top to bottom, otherwise from left to right.
        node_spacing: As of :func:`~grafx.draw.layered_layout`.
        room: How wide the drawing should be.
    """
    return _packed(G, blocks, vertical, scales(node_spacing, USUAL_SPACING), room)


def narrowed_layout(
    G: nx.MultiDiGraph, blocks: Blocks, vertical: bool = False, node_spacing: Spacing = 1.0, *, room: float
) -> Layout:
    """The layout that differs least from the usual one and can be read in a room, or else the narrowest found.

    Arguments are those of :func:`packed_layout`.
    """
    best, narrowest = Layout({}, {}), inf
    for layout in (_banked if vertical else _folded)(G, blocks, scales(node_spacing, USUAL_SPACING), room):
        left, _, right, _ = find_bounds(layout, blocks, vertical)
        if right - left < narrowest:
            best, narrowest = layout, right - left
        if (right - left) * READABLE <= room:
            break
    return best


def _packed(
    G: nx.MultiDiGraph,
    blocks: Blocks,
    vertical: bool,
    spacing: tuple[float, float],
    room: float,
    banks: Banks | None = None,
) -> Layout:
    return turned(_in_shelves(G, blocks, spacing, find_backward_edges(G), room, vertical, banks), vertical)


# --- Parts in shelves ---------------------------------------------------------------------------------------


def _in_shelves(
    G: nx.MultiDiGraph,
    blocks: Blocks,
    spacing: tuple[float, float],
    backward: Pairs,
    room: float,
    vertical: bool = False,
    banks: Banks | None = None,
) -> Layout:
    """Place parts in rows of a page, each as high as the highest of its parts, and nodes without edges below them."""
    parts, loners = place_parts(G, blocks, spacing, backward, banks)
    whole = Layout({}, {})
    across, down = (spacing[1], spacing[0]) if vertical else (spacing[0], spacing[1])
    x = y = height = 0.0
    for layout, length, width in parts:
        size = (width, length) if vertical else (length, width)
        if x > 0 and x + size[0] > room:
            x, y, height = 0.0, y + height + PART_GAP * down, 0.0
        merge(whole, layout, (y, x) if vertical else (x, y))
        x, height = x + size[0] + PART_GAP * across, max(height, size[1])
    if loners:

        def count(pitch: float, width: float) -> int:
            return ceil(len(loners) / max(1, int(room / width))) if vertical else int(room / pitch)

        y += (height + PART_GAP * down) if parts else 0.0
        merge(whole, place_loners(G, loners, blocks, spacing, count).layout, (y, 0.0) if vertical else (0.0, y))
    return whole


# --- Chains beneath each other ------------------------------------------------------------------------------


def _banked(G: nx.MultiDiGraph, blocks: Blocks, spacing: tuple[float, float], room: float) -> Iterator[Layout]:
    """Layouts from top to bottom with ever fewer nodes beside each other."""
    for share in SHARES:
        layers = _banks(G, blocks, spacing, share * room / READABLE)
        yield _packed(G, blocks, True, spacing, room, Banks(layers, room / READABLE - WAYPOINT_GAP))


def _banks(G: nx.MultiDiGraph, blocks: Blocks, spacing: tuple[float, float], room: float) -> dict[Hashable, int]:
    """Layers in which nodes take a limited room: each chain begins where there is some for all of it."""
    backward = find_backward_edges(G)
    flow = nx.DiGraph((v, u) if (u, v) in backward else (u, v) for u, v in G.edges() if u != v)
    chains, number_of = list(_runs(G, backward)), {}
    for number, chain in enumerate(chains):
        number_of.update(dict.fromkeys(chain, number))
    feeds = nx.DiGraph((number_of[u], number_of[v]) for u, v in flow.edges() if number_of[u] != number_of[v])
    feeds.add_nodes_from(range(len(chains)))
    taken: dict[int, float] = defaultdict(float)
    layers: dict[Hashable, int] = {}
    for number in nx.lexicographical_topological_sort(feeds):
        chain = chains[number]
        widths = [b.near + b.width + b.far + NODE_GAP * spacing[1] for b in map(blocks.__getitem__, chain)]
        start = max((layers[n] + 1 for n in flow.pred.get(chain[0], ())), default=0)
        while any(taken[start + k] and taken[start + k] + width > room for k, width in enumerate(widths)):
            start += 1
        for k, (n, width) in enumerate(zip(chain, widths, strict=True)):
            layers[n] = start + k
            taken[start + k] += width
    return layers


# --- Folded chains ------------------------------------------------------------------------------------------


def _folded(G: nx.MultiDiGraph, blocks: Blocks, spacing: tuple[float, float], room: float) -> Iterator[Layout]:
    """Layouts from left to right in which chains have ever more rows."""
    backward = find_backward_edges(G)
    longest = min(max((len(run) for run in _runs(G, backward)), default=1), MOST_ROWS)
    rows = 1
    while True:
        folds = _folds(G, blocks, backward, spacing, rows)
        H = _with_folds(G, folds)
        spaces = {n: folds[n].block if n in folds else blocks[n] for n in H}
        yield turned(_unfolded(blocks, _in_shelves(H, spaces, spacing, backward, room), folds), False)
        if rows >= longest:
            return
        rows = min(longest, rows + max(1, rows // 3))


def _runs(G: nx.MultiDiGraph, backward: Pairs) -> Iterator[list[Hashable]]:
    """Chains that may be folded: nodes in a row, joined by one edge each, that no edge against the flow touches."""
    chains: dict[int, list[Hashable]] = {}
    for node, number in find_chains(G).items():
        chains.setdefault(number, []).append(node)
    touched = {node for pair in backward for node in pair}
    for chain in chains.values():
        run = chain[:1]
        for before, node in pairwise(chain):
            if touched.isdisjoint((before, node)) and G.number_of_edges(before, node) == 1:
                run.append(node)
                continue
            yield run
            run = [node]
        yield run


def _folds(
    G: nx.MultiDiGraph, blocks: Blocks, backward: Pairs, spacing: tuple[float, float], rows: int
) -> dict[Hashable, _Fold]:
    """First node of each chain that is longer than a row to the folded chain."""
    gap = LAYER_GAP * spacing[0]
    runs = [run for run in _runs(G, backward) if len(run) > 1]
    lengths = [sum(b.lead + b.length + b.tail + gap for b in map(blocks.__getitem__, run)) for run in runs]
    most = max(lengths, default=0.0) / rows
    folds = {}
    for run, length in zip(runs, lengths, strict=True):
        count = max(1, int(len(run) * most / length + 1e-9))
        if count < len(run):
            count = -(-len(run) // -(-len(run) // count))  # as many in each row
            lines = [run[k : k + count] for k in range(0, len(run), count)]
            folds[run[0]] = _fold(G, lines, blocks, spacing)
    return folds


def _fold(G: nx.MultiDiGraph, lines: list[list[Hashable]], blocks: Blocks, spacing: tuple[float, float]) -> _Fold:
    """Lay out a chain in rows; its nodes stand in columns."""
    lane = max(WAYPOINT_GAP * spacing[0], LEAST_LANE)
    placed = Layout({}, {})
    centres, end = _columns(lines, blocks, spacing, lane)
    channels: list[float] = []  # between the rows
    top = 0.0
    for number, line in enumerate(lines):
        offsets = _offsets(G, line, blocks)
        top += max(blocks[n].width / 2 + blocks[n].near - offset for n, offset in zip(line, offsets, strict=True))
        for n, x, offset in zip(line, centres, offsets, strict=False):
            placed.positions[n] = (x, top + offset)
        top += max(blocks[n].width / 2 + blocks[n].far + offset for n, offset in zip(line, offsets, strict=True))
        if number + 1 < len(lines):
            gap = max(WAYPOINT_GAP * spacing[1], LEAST_LANE)
            channels.append(top + gap)
            top += 2 * gap
    for line in lines:
        for a, b in pairwise(line):
            _route(G, a, b, blocks, placed)
    for line, following, channel in zip(lines, lines[1:], channels, strict=False):
        _route(G, line[-1], following[0], blocks, placed, ((end + lane / 2, channel), (lane / 2, channel)))
    first, last = lines[0][0], lines[-1][-1]
    middle = top / 2
    entry = {port: placed.positions[first][1] + offset - middle for port, offset in blocks[first].entry.items()}
    exit_ = {port: placed.positions[last][1] + offset - middle for port, offset in blocks[last].exit.items()}
    nodes = [n for line in lines for n in line]
    return _Fold(nodes, placed, Block(end + lane, top, near=lane / 2, far=lane / 2, entry=entry, exit=exit_))


def _columns(
    lines: list[list[Hashable]], blocks: Blocks, spacing: tuple[float, float], lane: float
) -> tuple[list[float], float]:
    """Where columns stand between the lanes, and where they end."""
    centres, end = [], lane
    for number in range(len(lines[0])):
        column = [blocks[line[number]] for line in lines if number < len(line)]
        start = end + (LAYER_GAP * spacing[0] if number else 0.0)
        centres.append(start + max(b.lead + b.length / 2 for b in column))
        end = centres[-1] + max(b.tail + b.length / 2 for b in column)
    return centres, end


def _offsets(G: nx.MultiDiGraph, line: list[Hashable], blocks: Blocks) -> list[float]:
    """Positions across the flow at which the edges of a row are straight."""
    offsets = [0.0]
    for a, b in pairwise(line):
        leaves, arrives = _ports(G, a, b, blocks)
        offsets.append(offsets[-1] + leaves - arrives)
    return offsets


def _ports(G: nx.MultiDiGraph, a: Hashable, b: Hashable, blocks: Blocks) -> tuple[float, float]:
    (data,) = G.get_edge_data(a, b).values()
    return blocks[a].exit["out", data.get("outlet", "main")], blocks[b].entry["in", data.get("inlet", "main")]


def _route(
    G: nx.MultiDiGraph, a: Hashable, b: Hashable, blocks: Blocks, placed: Layout, lanes: tuple[Point, ...] = ()
) -> None:
    """Route the edge between two nodes of a chain, straight or along the lanes between two rows."""
    (key,) = G.get_edge_data(a, b)
    leaves, arrives = _ports(G, a, b, blocks)
    start = placed.positions[a][0] + blocks[a].length / 2, placed.positions[a][1] + leaves
    end = placed.positions[b][0] - blocks[b].length / 2, placed.positions[b][1] + arrives
    turns = [(lanes[0][0], start[1]), *lanes, (lanes[-1][0], end[1])] if lanes else []
    placed.routes[a, b, key] = [start, *turns, end]


def _with_folds(G: nx.MultiDiGraph, folds: Mapping[Hashable, _Fold]) -> nx.MultiDiGraph:
    """The graph with the first node of each folded chain in its place."""
    if not folds:
        return G
    first = {n: fold.nodes[0] for fold in folds.values() for n in fold.nodes}
    H = nx.MultiDiGraph()
    H.add_nodes_from((n, data) for n, data in G.nodes(data=True) if first.get(n, n) == n)
    for u, v, key, data in G.edges(keys=True, data=True):
        if u == v or first.get(u, u) != first.get(v, v):
            H.add_edge(first.get(u, u), first.get(v, v), key, **data)
    return H


def _unfolded(blocks: Blocks, layout: Layout, folds: Mapping[Hashable, _Fold]) -> Layout:
    """Put the nodes of the chains in the place of their blocks, and lead the edges of these on to the nodes."""
    whole = Layout({n: p for n, p in layout.positions.items() if n not in folds}, {})
    for n, fold in folds.items():
        x, y = layout.positions[n]
        merge(whole, fold.layout, (x - fold.block.length / 2, y - fold.block.width / 2))
    last = {n: fold.nodes[-1] for n, fold in folds.items()}
    for (u, v, key), points in layout.routes.items():
        tail, route = last.get(u, u), list(points)
        if u in folds:
            route.insert(0, (whole.positions[tail][0] + blocks[tail].length / 2, route[0][1]))
        if v in folds:
            route.append((whole.positions[v][0] - blocks[v].length / 2, route[-1][1]))
        whole.routes[tail, v, key] = without_needless_points(route)
    return whole
