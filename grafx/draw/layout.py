"""Layered layout of a graph: positions of nodes and routes of edges.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures" (1981). Layers and coordinates are the linear programs of Gansner, Koutsofios, North and Vo, "A technique
for drawing directed graphs" (1993). An edge that spans several layers owns a *waypoint* in each layer it passes;
waypoints keep their distance from nodes, and edges bend only between layers, so no edge runs through a node.

Lengths are in points. Positions are first (along the flow, across the flow) and are converted to (x, y) at the end.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, isfinite, nan, sqrt
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from scipy.optimize import linprog
from scipy.sparse import block_array, coo_array, eye_array

from ..data.cables import EdgeId
from ..errors import GraphError
from .alignment import aligned_positions
from .crossings import ordered

Point = tuple[float, float]
Port = tuple[str, str]  # ("in", inlet) or ("out", outlet)
Spacing = float | tuple[float, float]
Pairs = set[tuple[Hashable, Hashable]]

LAYER_GAP = 16.0  # between the rooms of two layers
NODE_GAP = 12.0  # between two nodes of a layer
WAYPOINT_GAP = 8.0  # between two edges, and between an edge and a node
PART_GAP = 24.0  # between disconnected parts
SLANT = 0.16  # of the widest step across the flow, added to the gap it is made in, up to MAX_SLANT
MAX_SLANT = 40.0
CHAIN_WEIGHT = 16.0  # how much the only edge between two centred ports wants to be straight, a usual edge being 1
LONG_WEIGHT = 8.0  # the inner part of a long edge
LONE_END_WEIGHT, END_WEIGHT = 6.0, 2.0  # its ends, at a centred port without other edges, and at any other
BACKWARD_WEIGHT = 0.02  # the share of that for an edge against the flow, or one that only holds nodes together
HOLDS = "_holds"  # attribute of such an edge
CENTER_WEIGHT = 3.0  # how much a node where edges meet or part wants to stand in their middle
MANY_CROSSINGS = 10  # for which other layers are tried
WORTHWHILE = 0.9, 5  # inputs leave the first layer if this share of crossings is left at most, and so many fewer
MOST_PAIRS = 20_000  # of nodes that edges join, for the linear program along the flow
MOST_EXACT = 4000  # nodes, waypoints and links of a part, for the linear program across the flow
MOST_WAYPOINTS = 300_000  # of a whole drawing, which takes some twenty seconds
USUAL_SPACING = 0.8  # where a spacing is given as two lengths


@dataclass(frozen=True)
class Block:
    """The space of a node, in points.

    Attributes:
        length: Extent of the node along the flow.
        width: Extent of the node across the flow.
        lead: Free room before the node, along the flow.
        tail: Free room after the node, along the flow.
        near: Free space next to the node, where positions across the flow are smaller.
        far: Free space next to the node, where positions across the flow are larger.
        entry: Distances across the flow from the node's centre to the ports on the side that the flow enters.
        exit: The same on the side that it leaves.
    """

    length: float
    width: float
    lead: float = 0.0
    tail: float = 0.0
    near: float = 0.0
    far: float = 0.0
    entry: Mapping[Port, float] = field(default_factory=dict)
    exit: Mapping[Port, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Positions and routes, in points, y upwards.

    Attributes:
        positions: Node to the centre (x, y).
        routes: Edge ``(source, dest, key)`` to its points, from the source's outlet to the destination's inlet. Two
            points that differ across the flow are joined by a curve, others by a line.
    """

    positions: dict[Hashable, Point]
    routes: dict[EdgeId, list[Point]]


def layered_layout(
    G: nx.MultiDiGraph, blocks: Mapping[Hashable, Block], vertical: bool = False, node_spacing: Spacing = 1.0
) -> Layout:
    """Place nodes in layers along the flow and route the edges around them.

    Nodes of type ``in`` without predecessors are in the first layer, unless far fewer edges cross where each stands
    right before what it feeds. Chains are straight wherever nothing crosses them. Disconnected parts are placed next to
    each other, across the flow; nodes without edges come last, in rows. Edges that close a cycle run against the flow.

    Args:
        G: The graph.
        blocks: The space of each node.
        vertical: Signals flow from top to bottom, otherwise from left to right.
        node_spacing: Scales the gaps between nodes; or a pair, along and across the flow, with the default 0.8.

    Returns:
        The positions of all nodes and the routes of all edges.

    Raises:
        GraphError: The edges of a huge graph are so long that routing them would take minutes.
    """
    spacing = scales(node_spacing, USUAL_SPACING)
    parts, loners = place_parts(G, blocks, spacing, find_backward_edges(G))
    if loners:
        longest = max((part.length for part in parts), default=0.0)

        def count(pitch: float, _: float) -> int:
            return max(int(longest / pitch), round(sqrt(2 * len(loners))))

        parts.append(place_loners(G, loners, blocks, spacing, count))
    return turned(stacked(parts, spacing), vertical)


class Banks(NamedTuple):
    """Layers of all nodes, such that edges with the flow lead to later ones, and how wide the drawing should be."""

    layers: Mapping[Hashable, int]
    width: float


class PlacedPart(NamedTuple):
    """A part of a drawing: its layout along and across the flow, and how far it reaches from (0, 0)."""

    layout: Layout
    length: float
    width: float


def place_parts(
    G: nx.MultiDiGraph,
    blocks: Mapping[Hashable, Block],
    spacing: tuple[float, float],
    backward: Pairs,
    banks: Banks | None = None,
) -> tuple[list[PlacedPart], list[Hashable]]:
    """Lay out each connected part by itself.

    Args:
        G: The graph.
        blocks: The space of each node.
        spacing: Scales of the gaps along and across the flow.
        backward: What :func:`find_backward_edges` found.
        banks: Layers to take and a width to stay within, rather than layers with short edges and straight edges.

    Returns:
        The parts, and the nodes that are connected to no other.
    """
    layers = find_layers(G, backward) if banks is None else banks.layers
    _check_size(G, layers)
    parts: list[PlacedPart] = []
    loners: list[Hashable] = []
    place = {n: i for i, n in enumerate(G)}
    for part in nx.weakly_connected_components(G):
        if len(part) == 1:
            loners.extend(part)
            continue
        nodes = sorted(part, key=place.__getitem__)
        parts.append(_place_part(_take_part(G, nodes), blocks, layers, backward, spacing, banks))
    return parts, loners


def stacked(parts: Iterable[PlacedPart], spacing: tuple[float, float]) -> Layout:
    """Place parts beneath each other, across the flow."""
    whole, top = Layout({}, {}), 0.0
    for layout, _, width in parts:
        merge(whole, layout, (0.0, top))
        top += width + PART_GAP * spacing[1]
    return whole


def _check_size(G: nx.MultiDiGraph, layers: Mapping[Hashable, int]) -> None:
    waypoints = sum(max(abs(layers[u] - layers[v]) - 1, 0) for u, v in G.edges())
    if waypoints > MOST_WAYPOINTS:
        raise GraphError(
            f"The graph is too large to be laid out: the edges between its {len(G)} nodes pass {waypoints} layers, more"
            f" than {MOST_WAYPOINTS}. Draw a part of it, such as G.subgraph(list(G)[:1000]); or, as a picture, give its"
            " nodes a position and use compute_node_position_fn=held_positions."
        )


def held_positions(
    G: nx.MultiDiGraph,
    blocks: Mapping[Hashable, Block],  # noqa: ARG001 – every layout is called alike
    vertical: bool = False,
    node_spacing: Spacing = 1.0,
) -> dict[Hashable, Point]:
    """Place nodes at their attributes ``position``.

    Args:
        G: The graph. Each node has ``position``, the (x, y) of its centre in points, y upwards.
        blocks: Ignored.
        vertical: Ignored.
        node_spacing: Scales the positions; a pair scales along and across the flow, as in :func:`layered_layout`.

    Returns:
        The positions of all nodes; edges run directly between them.

    Raises:
        GraphError: A node has no position, or one that is not two finite numbers.
    """
    positions = {}
    along, across = scales(node_spacing, USUAL_SPACING)
    stretch = (across, along) if vertical else (along, across)
    for node, position in G.nodes(data="position"):
        try:
            x, y = map(float, position)
        except (TypeError, ValueError):
            x = y = nan
        if not isfinite(x + y):
            raise GraphError(
                f"Node {node} has the position {position!r}, but should have two numbers:"
                f" G.nodes[{node!r}]['position'] = (x, y), in points."
            )
        positions[node] = (stretch[0] * x, stretch[1] * y)
    return positions


def scales(given: Spacing, usual: float) -> tuple[float, float]:
    """Return a factor for each of two directions, from one factor for both or from two lengths relative to ``usual``.

    Raises:
        GraphError: The value is neither a number nor a pair.
    """
    try:
        either: Any = given
        if np.ndim(either) == 0:
            return float(either), float(either)
        return float(either[0]) / usual, float(either[1]) / usual
    except (IndexError, KeyError, TypeError, ValueError):
        raise GraphError(f"A size or a spacing is a number, or two of them, not {given!r}.") from None


def find_backward_edges(G: nx.MultiDiGraph) -> Pairs:
    """Find pairs (source, dest) whose edges close a cycle in a depth-first search, excluding self-loops."""
    starts = [n for n in G if G.in_degree(n) == 0]
    state, backward = {}, set()
    for start in [*starts, *G]:
        if start in state:
            continue
        state[start] = "open"
        path = [(start, iter(G.succ[start]))]
        while path:
            node, successors = path[-1]
            for following in successors:
                if following not in state:
                    state[following] = "open"
                    path.append((following, iter(G.succ[following])))
                    break
                if state[following] == "open" and following != node:
                    backward.add((node, following))
            else:
                state[node] = "closed"
                path.pop()
    return backward


def find_layers(
    G: nx.MultiDiGraph, backward: Pairs | None = None, inputs_first: bool = True, last: int | None = None
) -> dict[Hashable, int]:
    """Find the layer of each node, such that edges lead to later layers with the least total length.

    In a graph with a huge number of edges, nodes are in the first layer that they may be in, whatever the length.

    Args:
        G: The graph.
        backward: What :func:`find_backward_edges` found, if it is known.
        inputs_first: Put nodes of type ``in`` without predecessors into the first layer.
        last: The last layer there may be, towards which ties are resolved; by default, they are towards the first.
    """
    nodes = list(G)
    index = {n: i for i, n in enumerate(nodes)}
    pairs = _forward_pairs(G, find_backward_edges(G) if backward is None else backward)
    if not pairs:
        return dict.fromkeys(nodes, 0)
    tails, heads = ([index[p[side]] for p in pairs] for side in (0, 1))
    if len(pairs) > MOST_PAIRS:
        return _find_first_layers(nodes, pairs)
    rows = np.arange(len(pairs))
    steps = coo_array(
        (np.repeat([1.0, -1.0], len(pairs)), (np.tile(rows, 2), tails + heads)),
        shape=(len(pairs), len(nodes)),
    ).tocsr()
    first = {n for n in nodes if inputs_first and G.nodes[n]["node_type"] == "in" and G.in_degree(n) == 0}
    upper = [0 if n in first else last for n in nodes]
    solution = linprog(
        -steps.sum(axis=0) + (0.5 if last is None else -0.5) / len(nodes),
        A_ub=steps,
        b_ub=-np.ones(len(pairs)),
        bounds=[(0, u) for u in upper],
    )
    return {n: round(x) for n, x in zip(nodes, solution.x, strict=True)}


def _find_first_layers(nodes: list, pairs: list[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    flow = nx.DiGraph()
    flow.add_nodes_from(nodes)
    flow.add_edges_from(pairs)
    return {n: number for number, layer in enumerate(nx.topological_generations(flow)) for n in layer}


def find_chains(G: nx.MultiDiGraph) -> dict[Hashable, int]:
    """Number the chains: nodes in a row, each the only successor of the one before it."""
    chains = {}
    count = 0
    heads = [n for n in G if _chain_predecessor(G, n) is None]
    for head in [*heads, *G]:  # the second pass finds chains that are closed loops
        node = head
        if node in chains:
            continue
        while node is not None and node not in chains:
            chains[node] = count
            following = next(iter(G.succ[node]), None)
            node = following if following is not None and _chain_predecessor(G, following) == node else None
        count += 1
    return chains


def _chain_predecessor(G: nx.MultiDiGraph, node: Hashable) -> Hashable | None:
    predecessors = list(G.pred[node])
    is_chain = len(predecessors) == 1 and len(G.succ[predecessors[0]]) == 1 and predecessors[0] != node
    return predecessors[0] if is_chain else None


def _forward_pairs(G: nx.MultiDiGraph, backward: set) -> list[tuple[Hashable, Hashable]]:
    return [(v, u) if (u, v) in backward else (u, v) for u, v in dict.fromkeys(G.edges()) if u != v]


def _take_part(G: nx.MultiDiGraph, nodes: list) -> nx.MultiDiGraph:
    part = nx.MultiDiGraph()
    part.add_nodes_from((n, G.nodes[n]) for n in nodes)
    edges: Any = G.edges(part, keys=True, data=True)
    part.add_edges_from(edges)
    return part


def merge(whole: Layout, part: Layout, shift: Point) -> None:
    """Take a layout, moved along and across the flow, into another."""

    def moved(point: Point) -> Point:
        return point[0] + shift[0], point[1] + shift[1]

    whole.positions.update({n: moved(p) for n, p in part.positions.items()})
    whole.routes.update({e: [moved(p) for p in route] for e, route in part.routes.items()})


def turned(layout: Layout, vertical: bool) -> Layout:
    """Positions (along, across) as (x, y)."""

    def turn(point: Point) -> Point:
        along, across = point
        return (across, -along) if vertical else (along, -across)

    return Layout(
        {n: turn(p) for n, p in layout.positions.items()},
        {e: [turn(p) for p in route] for e, route in layout.routes.items()},
    )


def place_loners(
    G: nx.MultiDiGraph,
    loners: list,
    blocks: Mapping[Hashable, Block],
    spacing: tuple[float, float],
    count: Callable[[float, float], int],
) -> PlacedPart:
    """Place nodes without edges in rows.

    Args:
        G: The graph.
        loners: The nodes.
        blocks: The space of each node.
        spacing: Scales of the gaps along and across the flow.
        count: How many there are in a row along the flow, given their distances along and across it.
    """
    placed = Layout({}, {})
    pitch = max(blocks[n].lead + blocks[n].length + blocks[n].tail for n in loners) + NODE_GAP * spacing[0]
    width = max(blocks[n].near + blocks[n].width + blocks[n].far for n in loners) + NODE_GAP * spacing[1]
    columns = max(count(pitch, width), 1)
    for i, n in enumerate(loners):
        b = blocks[n]
        along = (i % columns) * pitch + b.lead + b.length / 2
        across = (i // columns) * width + b.near + b.width / 2
        placed.positions[n] = (along, across)
        route_self_edges(G, n, b, placed)
    rows = -(-len(loners) // columns)
    return PlacedPart(placed, min(len(loners), columns) * pitch, rows * width)


def route_self_edges(G: nx.MultiDiGraph, node: Hashable, block: Block, placed: Layout) -> None:
    """Route the edges from a node to itself, beside it."""
    along, across = placed.positions[node]
    side = across - block.width / 2
    for key in G.succ[node].get(node, ()):
        placed.routes[node, node, key] = [(along + block.length / 4, side), (along - block.length / 4, side)]


# -----------------------------------------------------------------------------------------------------------
# One connected part. Nodes and waypoints are integers here, and a link joins two of them in neighbouring layers.


@dataclass
class _Layered:
    blocks: list[Block | None]  # None for a waypoint
    layers: list[list[int]]  # each in its order across the flow
    links: list[tuple[int, int, float, float, float]]  # tail, head, their ports' offsets, weight
    paths: dict[EdgeId, list[int]]  # what each edge passes, in the direction of the layers

    def node(self, index: int) -> Block:
        block = self.blocks[index]
        assert block is not None, "edges begin and end at nodes"
        return block


def _place_part(G, blocks, layers, backward, spacing, banks) -> PlacedPart:
    nodes = list(G)
    part = _ordered_part(G, nodes, blocks, layers, backward, banks is None)
    if len(part.links) == len(part.layers) - 1 == len(part.blocks) - 1:
        across = _find_row(part)
    elif len(part.blocks) + len(part.links) <= MOST_EXACT:
        across = _find_across(part, spacing[1], banks.width if banks else inf)
    else:
        across = aligned_positions(part.layers, part.links, _find_gaps(part, spacing[1]), END_WEIGHT)
    starts, centres, ends = _find_along(part, across, spacing[0])

    layer_of = {i: number for number, layer in enumerate(part.layers) for i in layer}
    placed = Layout({n: (centres[layer_of[i]], across[i]) for i, n in enumerate(nodes)}, {})
    for (u, v, key), path in part.paths.items():
        data = G.edges[u, v, key]
        ports = ("out", data.get("outlet", "main")), ("in", data.get("inlet", "main"))
        tail, head = path[0], path[-1]
        is_back = (u, v) in backward
        offset_tail, offset_head = (
            part.node(tail).exit[ports[is_back]],
            part.node(head).entry[ports[not is_back]],
        )
        route = [(centres[layer_of[tail]] + part.node(tail).length / 2, across[tail] + offset_tail)]
        route.append((ends[layer_of[tail]], route[0][1]))
        for i in path[1:-1]:
            route += [(starts[layer_of[i]], across[i]), (ends[layer_of[i]], across[i])]
        route.append((starts[layer_of[head]], across[head] + offset_head))
        route.append((centres[layer_of[head]] - part.node(head).length / 2, route[-1][1]))
        placed.routes[u, v, key] = without_needless_points(route)[:: -1 if is_back else 1]
    for n in nodes:
        route_self_edges(G, n, blocks[n], placed)
    tops = [across[i] - _near(b) for i, b in enumerate(part.blocks)]
    bottoms = [across[i] + _far(b) for i, b in enumerate(part.blocks)]
    whole = Layout({}, {})
    merge(whole, placed, (-starts[0], -min(tops)))
    return PlacedPart(whole, ends[-1] - starts[0], max(bottoms) - min(tops))


def _ordered_part(G, nodes, blocks, layers, backward, is_free) -> _Layered:
    """Order a part; where layers are free and many edges cross, try other layers, and inputs next to what they feed."""
    part = _split_edges(G, nodes, blocks, layers, backward)
    fewest = _reduce_crossings(part)
    if not is_free or fewest < MANY_CROSSINGS or len(part.blocks) + len(part.links) > MOST_EXACT:
        return part
    tried = [{n: layers[n] for n in nodes}]
    for first, late in ((True, True), (False, False), (False, True)):
        if first or not late:
            bar = fewest if first else min(WORTHWHILE[0] * fewest, fewest - WORTHWHILE[1])
        others = find_layers(G, backward, first, max(tried[-1].values()) if late else None)
        if others in tried:
            continue
        tried.append(others)
        other = _split_edges(G, nodes, blocks, others, backward)
        crossings = _reduce_crossings(other)
        if crossings < bar:
            part, bar, fewest = other, crossings, crossings
    return part


def without_needless_points(route: list[Point]) -> list[Point]:
    """A route without the points that lie on a line along the flow."""
    kept = [route[0]]
    for before, point, after in zip(route, route[1:], route[2:], strict=False):
        if not abs(before[1] - point[1]) + abs(after[1] - point[1]) < 1e-6:
            kept.append(point)
    return [*kept, route[-1]]


def _near(block: Block | None) -> float:
    return block.width / 2 + block.near if block else 0.0


def _far(block: Block | None) -> float:
    return block.width / 2 + block.far if block else 0.0


def _split_edges(G, nodes, blocks, layers, backward) -> _Layered:
    index = {n: i for i, n in enumerate(nodes)}
    part = _Layered([blocks[n] for n in nodes], [], [], {})
    layer_of = [layers[n] for n in nodes]
    for u, v, key, data in G.edges(keys=True, data=True):
        if u == v:
            continue
        out_port, in_port = ("out", data.get("outlet", "main")), ("in", data.get("inlet", "main"))
        tail, head = (index[v], index[u]) if (u, v) in backward else (index[u], index[v])
        if (u, v) in backward:
            out_port, in_port = in_port, out_port
        path = [tail]
        for layer in range(layer_of[tail] + 1, layer_of[head]):
            path.append(len(layer_of))
            layer_of.append(layer)
            part.blocks.append(None)
        path.append(head)
        part.paths[u, v, key] = path
        for a, b in pairwise(path):
            port_a = part.node(a).exit[out_port] if a == tail else 0.0
            port_b = part.node(b).entry[in_port] if b == head else 0.0
            is_light = (u, v) in backward or data.get(HOLDS, False)
            part.links.append((a, b, port_a, port_b, BACKWARD_WEIGHT if is_light else 1.0))
    _weigh_links(part, len(nodes))
    part.layers = _order_by_search(layer_of, part.links)
    return part


def _weigh_links(part: _Layered, num_nodes: int) -> None:
    forward = [link for link in part.links if link[-1] == 1.0]
    leaving = Counter((a, port) for a, _, port, _, _ in forward)
    arriving = Counter((b, port) for _, b, _, port, _ in forward)

    def weight(a: int, b: int, port_a: float, port_b: float) -> float:
        is_lone = leaving[a, port_a] == arriving[b, port_b] == 1 and port_a == port_b == 0.0
        if a < num_nodes and b < num_nodes:
            return CHAIN_WEIGHT if is_lone else 1.0
        if a >= num_nodes and b >= num_nodes:
            return LONG_WEIGHT
        return LONE_END_WEIGHT if is_lone else END_WEIGHT

    part.links[:] = [(a, b, port_a, port_b, w * weight(a, b, port_a, port_b)) for a, b, port_a, port_b, w in part.links]


def _order_by_search(layer_of: list[int], links: list) -> list[list[int]]:
    following = [[] for _ in layer_of]
    is_start = [True] * len(layer_of)
    for a, b, offset, _, _ in links:
        following[a].append((offset, b))
        is_start[b] = False
    layers = [[] for _ in range(max(layer_of) + 1)]
    seen = set()
    for start in np.flatnonzero(is_start).tolist():
        stack = [start]
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            layers[layer_of[i]].append(i)
            stack.extend(b for _, b in sorted(following[i], reverse=True))
    return layers


# --- Order within the layers --------------------------------------------------------------------------------


def _reduce_crossings(part: _Layered) -> int:
    """Order the layers, and return how many links cross."""
    scale = [2.2 * max(_near(b), _far(b), 1.0) for b in part.blocks]  # ports of a node stay within its place
    links = [(a, b, port_a / scale[a], port_b / scale[b]) for a, b, port_a, port_b, _ in part.links]
    part.layers[:], crossings = ordered(part.layers, links)
    return crossings


# --- Coordinates --------------------------------------------------------------------------------------------


def _find_across(part: _Layered, spacing: float, room: float = inf) -> list[float]:
    r"""Positions across the flow that bend the links least and keep everything apart.

    .. math:: \min_x \sum_k w_k |(A x - p)_k|
        \quad\text{such that}\quad x_j - x_i \ge s_{ij}
        \text{ for neighbours } i, j \text{ of one layer}

    The rows of A are the links and the centres from :func:`_find_middles`. Of all solutions, one with small positions
    is taken; none is larger than a room, if all layers fit there.
    """
    bends = [([(a, 1.0), (b, -1.0)], port_b - port_a, w) for a, b, port_a, port_b, w in part.links]
    bends += _find_middles(part)
    gaps = list(_find_gaps(part, spacing))
    count = len(part.blocks)
    size = sum(len(terms) for terms, _, _ in bends)
    bend_rows = np.repeat(np.arange(len(bends)), [len(terms) for terms, _, _ in bends])
    entries = np.array([t for terms, _, _ in bends for t in terms]).reshape(size, 2)
    A = coo_array((entries[:, 1], (bend_rows, entries[:, 0].astype(int))), shape=(len(bends), count))
    gap_rows = np.tile(np.arange(len(gaps)), 2)
    gap_columns = [i for i, _, _ in gaps] + [j for _, j, _ in gaps]
    S = coo_array((np.repeat([1.0, -1.0], len(gaps)), (gap_rows, gap_columns)), shape=(len(gaps), count))
    slack = eye_array(len(bends))
    targets = np.array([p for _, p, _ in bends])
    distances = np.array([s for *_, s in gaps])
    weights = np.array([w for *_, w in bends])
    solution = linprog(
        np.concatenate([np.full(count, 0.5 / count), weights]),
        A_ub=block_array([[A, -slack], [-A, -slack], [S, None]], format="csr"),
        b_ub=np.concatenate([targets, -targets, -distances]),
        bounds=[(0, max(room, _widest(part, spacing)))] * count + [(0, None)] * len(bends),
    )
    return solution.x[:count].tolist()


def _widest(part: _Layered, spacing: float) -> float:
    """How far apart the ends of a layer are at least."""
    start = {layer[0]: 0.0 for layer in part.layers}
    for i, j, distance in _find_gaps(part, spacing):
        start[j] = start.pop(i) + distance
    return max(start.values())


def _find_row(part: _Layered) -> list[float]:
    """Positions across the flow of a single chain, whose links are straight."""
    across = [0.0] * len(part.blocks)
    for a, b, port_a, port_b, _ in sorted(part.links, key=_layers_of_tails(part)):
        across[b] = across[a] + port_a - port_b
    return across


def _layers_of_tails(part: _Layered) -> Callable[[tuple], int]:
    layer_of = {i: number for number, layer in enumerate(part.layers) for i in layer}
    return lambda link: layer_of[link[0]]


def _find_middles(part: _Layered) -> list[tuple[list[tuple[int, float]], float, float]]:
    """Find ports shared by several links, which should be at the median of their other ends."""
    place = {i: k for layer in part.layers for k, i in enumerate(layer)}
    shared = defaultdict(list)
    for a, b, port_a, port_b, _ in part.links:
        shared[a, port_a, "exit"].append((place[b], port_b, b))
        shared[b, port_b, "entry"].append((place[a], port_a, a))
    middles = []
    for (i, port, _), ends in shared.items():
        if len(ends) > 1:
            ends.sort()
            (_, low_port, low), (_, high_port, high) = ends[(len(ends) - 1) // 2], ends[len(ends) // 2]
            offset = (low_port + high_port) / 2 - port
            middles.append(([(i, 1.0), (low, -0.5), (high, -0.5)], offset, CENTER_WEIGHT))
    return middles


def _find_gaps(part: _Layered, spacing: float) -> Iterator[tuple[int, int, float]]:
    for layer in part.layers:
        for i, j in pairwise(layer):
            a, b = part.blocks[i], part.blocks[j]
            yield i, j, _far(a) + (NODE_GAP if a and b else WAYPOINT_GAP) * spacing + _near(b)


def _find_along(part: _Layered, across: list[float], spacing: float) -> tuple[list, list, list]:
    """Compute start, centre line and end of each layer. Gaps grow with the steps of their edges."""
    reach = [0.0] * len(part.layers)
    layer_of = {i: number for number, layer in enumerate(part.layers) for i in layer}
    for a, b, port_a, port_b, _ in part.links:
        step = abs(across[a] + port_a - across[b] - port_b)
        reach[layer_of[a]] = max(reach[layer_of[a]], step)
    starts, centres, ends = [], [], []
    position = 0.0
    for number, layer in enumerate(part.layers):
        shapes = [block for i in layer if (block := part.blocks[i])]
        starts.append(position)
        centres.append(position + max(b.lead + b.length / 2 for b in shapes))
        ends.append(centres[-1] + max(b.tail + b.length / 2 for b in shapes))
        position = ends[-1] + LAYER_GAP * spacing + min(SLANT * reach[number], MAX_SLANT) * min(spacing, 1.0)
    return starts, centres, ends
