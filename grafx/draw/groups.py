"""Groups of nodes: chains by their owners, and the buses that these are mixed into, with boxes around them."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.path import Path

from ..text import printable
from .blocks import measure
from .boxes import draw_area, write
from .kinds import SIDECHAIN, edge_kinds
from .layout import HOLDS, Block, Layout, Point, find_chains
from .shapes import box, rounded
from .style import background, blend, inks

LONGEST_NAME, LONGEST_LABEL = 500, 24
PAD, RADIUS = 7.5, 6.0  # points, from what is in a box to its outline, and of its corners
CLEAR = 3.0  # between a part of an outline and other nodes, unless there is no other way
NAME_FONT = 7.0
HELD = 4  # sources of a group: edges from them are to outweigh what else an input feeds
NAME_ROOM = 5.0  # above an outline that its name stands on
TINT = 0.07  # of the ink, in a box and once more in each that is in it

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right and top."""


def owners(G: nx.MultiDiGraph, bare: bool = False) -> dict[Hashable, str]:
    """The owner of each node's chain; that of an input or a sum is its own name.

    Args:
        G: The graph.
        bare: Whether inputs and sums without a chain count, too.
    """
    owned = {n: _name(owner) for n, owner in G.nodes(data="owner") if isinstance(owner, str) and owner}
    known = set(owned.values())
    named = {n: _name(name) for n, name in G.nodes(data="name") if isinstance(name, str) and name}
    heads = {n: name for n, name in named.items() if G.nodes[n]["node_type"] in ("in", "mix")}
    return {**{n: name for n, name in heads.items() if bare or name in known}, **owned}


def parents(G: nx.MultiDiGraph, groups: Mapping[Hashable, str]) -> dict[str, str | None]:
    """The subgroup that each group is mixed into, if there is one: that of the sum that it feeds.

    Neither what all end in is a subgroup, nor a return, of which some source also reaches by itself what it feeds.
    Sidechains do not count.
    """
    flow = nx.DiGraph()
    flow.add_nodes_from(dict.fromkeys(groups.values()))
    kinds = edge_kinds(G)
    cables = [edge[:2] for edge in G.edges(keys=True) if kinds.get(edge) != SIDECHAIN]
    flow.add_edges_from((groups[u], groups[v]) for u, v in cables if {u, v} <= groups.keys() and u != v)
    flow.remove_edges_from(list(nx.selfloop_edges(flow)))
    names = list(flow)
    if not nx.is_directed_acyclic_graph(flow):
        return dict.fromkeys(names)
    ends = {name for name in names if not flow.succ[name]}
    for name in reversed(list(nx.topological_sort(flow))):
        sources = list(flow.pred[name])
        if any(set(flow.succ[name]) & set(flow.succ[source]) for source in sources):
            flow.remove_edges_from([(source, name) for source in sources])
    found = {name: following[0] for name in names if len(following := list(flow.succ[name])) == 1}
    mixed = {(groups.get(u), groups.get(v)) for u, v in cables if G.nodes[v]["node_type"] == "mix"}
    found = {pair[0]: pair[1] for pair in found.items() if pair[1] not in ends and pair in mixed}
    return {name: found.get(name) for name in names}


Grouping = tuple[str, set[Hashable]]
"""A name and nodes."""


def buses(G: nx.MultiDiGraph) -> list[Grouping]:
    """The nodes of each subgroup, with those of all that is mixed into it."""
    groups = owners(G, bare=True)
    parent_of = parents(G, groups)
    members: dict[str, set[Hashable]] = {name: set() for name in dict.fromkeys(parent_of.values()) if name}
    for node, name in groups.items():
        above: str | None = name
        while above is not None:
            if above in members:
                members[above].add(node)
            above = parent_of[above]
    return list(members.items())


class GroupBox(NamedTuple):
    """A box to draw: its name, how many boxes are around it, and its parts, which follow one another along the flow.

    No nodes of others are in it: where they stand between its own, a group has several boxes. ``corner`` is where its
    name begins, on the outline; those that have no room for the name have none.
    """

    name: str
    depth: int
    parts: list[Rectangle]
    corner: Point | None

    def outline(self, vertical: bool) -> Path:
        """Around all parts."""
        near, far = [], []
        for left, bottom, right, top in self.parts:
            near += [(left, top), (left, bottom)] if vertical else [(left, top), (right, top)]
            far += [(right, top), (right, bottom)] if vertical else [(left, bottom), (right, bottom)]
        corners = [*near, *reversed(far)]
        bends = [
            here
            for before, here, after in zip(
                (corners[-1], *corners[:-1]), corners, (*corners[1:], corners[0]), strict=True
            )
            if here != before and not (before[0] == here[0] == after[0] or before[1] == here[1] == after[1])
        ]
        return rounded(bends, RADIUS)

    def space(self) -> Rectangle:
        """What it takes, with its name."""
        written = [] if self.corner is None else [_name_room(self.name, self.corner)]
        lefts, bottoms, rights, tops = zip(*self.parts, *written, strict=True)
        return min(lefts), min(bottoms), max(rights), max(tops)


def together(place: Callable[..., Any], groups: Sequence[Grouping]) -> Callable[..., Layout]:
    """A layout in which chains of a group stand beside each other, as if each group had sources of all its inputs.

    Edges from the same source rather do not cross those from others, so no others stand between.
    """

    def placed(G: nx.MultiDiGraph, blocks: Mapping[Hashable, Block], **options: Any) -> Layout:
        H = nx.MultiDiGraph(**{key: value for key, value in G.graph.items() if key == "config"})
        H.add_nodes_from(G.nodes(data=True))
        for tail, head, key, data in G.edges(keys=True, data=True):
            H.add_edge(tail, head, key, **data)
        sources: dict[Hashable, Block] = {}
        held = {"outlet": "main", "inlet": "main", HOLDS: True}
        for node in [node for node in G if G.in_degree(node) == 0]:
            below: list[Hashable] = [node]
            around = sorted((len(members), number) for number, (_, members) in enumerate(groups) if node in members)
            for of in [number for _, number in around] or [(node,)]:
                above: list[Hashable] = [_Source(of, number) for number in range(HELD)]
                known = above[0] in sources
                sources |= dict.fromkeys(
                    above, Block(0.0, 0.0, entry={("in", "main"): 0.0}, exit={("out", "main"): 0.0})
                )
                H.add_nodes_from(above, node_type="in")
                H.add_edges_from((source, end, held) for source in above for end in below)
                below = above
                if known:
                    break
        led = {n: replace(blocks[n], entry={("in", "main"): 0.0}) for n in G if G.in_degree(n) == 0}
        layout = place(H, {**blocks, **led, **sources}, **options)
        positions = {node: at for node, at in layout.positions.items() if node not in sources}
        return Layout(positions, {e: route for e, route in layout.routes.items() if e[0] not in sources})

    return placed


class _Source(NamedTuple):
    """One of those where all of a group seems to come from."""

    of: Hashable
    number: int


def with_rooms(
    blocks: Mapping[Hashable, Block], layout: Layout, members: Iterable[Collection[Hashable]], vertical: bool
) -> dict[Hashable, Block]:
    """Blocks with room for outlines, at the nodes that have no other of their group beside them."""
    wider = dict(blocks)
    for group in members:
        for node in group:
            (low, high), middle = _extent(layout, blocks, node, vertical)
            others = [_extent(layout, blocks, other, vertical) for other in group if other != node]
            beside = [at for (start, end), at in others if start < high and low < end]
            near = 0.0 if any(at < middle for at in beside) else PAD + NAME_ROOM
            far = 0.0 if any(at > middle for at in beside) else PAD
            block = wider[node]
            wider[node] = replace(block, near=block.near + near, far=block.far + far)
    return wider


def group_boxes(
    G: nx.MultiDiGraph,
    groups: Sequence[Grouping],
    layout: Layout,
    blocks: Mapping[Hashable, Block],
    vertical: bool,
) -> list[GroupBox]:
    """Boxes around groups, the outer ones first; ``blocks`` are those without rooms for them."""
    taken = {node: _rectangle(layout.positions[node], blocks[node], vertical) for node in G} if groups else {}
    chains = find_chains(G) if groups else {}
    boxes = []
    for name, members in groups:
        around = _depth(groups, members)
        inner = max((_depth(groups, other) - around for _, other in groups if other < members), default=0)
        pad = PAD + inner * (PAD + NAME_ROOM)

        far = set().union(*(nodes for _, nodes in groups if not nodes & members))

        def parts(nodes: set[Hashable], pad: float = pad, far: set[Hashable] = far) -> list[Rectangle]:
            routes = [route for edge, route in layout.routes.items() if {edge[0], edge[1]} <= nodes]
            others = [
                (rectangle, 2 * PAD if node in far else CLEAR) for node, rectangle in taken.items() if node not in nodes
            ]
            return _parts([taken[node] for node in nodes], routes, others, pad, vertical)

        pieces = _pieces(members, chains, parts)
        largest = max(pieces, key=len)
        for piece in pieces:
            found = parts(piece)
            places = [(left + 6, y) for side in (3, 1) for left, y in ((part[0], part[side]) for part in found)]
            free = [at for at in places if not any(_meet(_name_room(name, at), other) for other in taken.values())]
            wide = max(part[2] for part in found) - min(part[0] for part in found)
            has_room = piece is largest or (free and wide > measure(_label(name), NAME_FONT) + 12)
            boxes.append(GroupBox(name, around, found, [*free, *places][0] if has_room else None))
    return sorted(boxes, key=lambda box: box.depth)


def draw_group(ax: Axes, group: GroupBox, vertical: bool) -> None:
    """Draw a box with its name, behind all else."""
    ink = inks(ax)
    fill = blend(background(ax), ink.edge, TINT * (1 + group.depth))
    line = blend(background(ax), ink.edge, 0.6)
    draw_area(ax, group.outline(vertical), fill, line, 0.7, 0.2 + 0.01 * group.depth, f"group-{group.name}")
    if group.corner is not None:
        left, bottom, right, top = _name_room(group.name, group.corner)
        middle = (left + right) / 2, group.corner[1]
        draw_area(ax, box(middle, (right - left, top - bottom), "sharp"), fill, fill, 0.0, 0.5)
        write(ax, left + 2, middle[1], _label(group.name), NAME_FONT, ink.text, "left", "center")


def _pieces(
    members: set[Hashable], chains: Mapping[Hashable, int], parts: Callable[[set[Hashable]], list[Rectangle]]
) -> list[set[Hashable]]:
    """Few sets of nodes that can be in a box without others: all together, or chains as far as they can."""
    if parts(members):
        return [members]
    by_chain: dict[int, set[Hashable]] = {}
    for node in chains:
        if node in members:
            by_chain.setdefault(chains[node], set()).add(node)
    pieces: list[set[Hashable]] = []
    for chain in by_chain.values():
        for new in [chain] if parts(chain) else [{node} for node in chain]:
            other = next((piece for piece in pieces if parts(piece | new)), None)
            if other is None:
                pieces.append(new)
            else:
                other |= new
    return pieces


def _parts(
    own: Sequence[Rectangle],
    routes: Sequence[Sequence[Point]],
    others: Sequence[tuple[Rectangle, float]],
    pad: float,
    vertical: bool,
) -> list[Rectangle]:
    """Few rectangles along the flow that hold the nodes and edges of a group and no other nodes, if there are any.

    Others are given with how far the outline is to be from them, where it can.
    """
    turned = [_turned(rectangle) if vertical else rectangle for rectangle in own]
    foreign = [_turned(rectangle) if vertical else rectangle for rectangle, _ in others]
    around = [_grown(rectangle, away) for rectangle, (_, away) in zip(foreign, others, strict=True)]
    lines = [[(-y, x) if vertical else (x, y) for x, y in route] for route in routes]
    merged: list[list[float]] = []
    for left, _, right, _ in sorted(turned):
        if merged and left <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], right)
        else:
            merged.append([left, right])
    starts = [merged[0][0] - pad, *((a[1] + b[0]) / 2 for a, b in pairwise(merged)), merged[-1][1] + pad]
    parts: list[Rectangle] = []
    for start, end in pairwise(starts):
        inside = [r for r in turned if r[0] < end and start < r[2]]
        heights = [y for line in lines for y in _heights(line, start, end)]
        low = min([*(r[1] - pad for r in inside), *(y - pad for y in heights)])
        high = max([*(r[3] + pad for r in inside), *(y + pad for y in heights)])
        part = start, low, end, high
        if len(own) > 1 and any(_meet(part, other) for other in foreign):
            return []
        both = _union(parts[-1], part) if parts else part
        if parts and not any(_meet(both, other) for other in around):
            parts[-1] = both
        else:
            parts.append(part)
    return [_turned_back(part) for part in parts] if vertical else parts


def _heights(line: Sequence[Point], start: float, end: float) -> list[float]:
    """Where a line runs across the flow between two places along it."""
    found = []
    for (x, y), (to_x, to_y) in pairwise(line):
        if min(x, to_x) < end and start < max(x, to_x):
            shares = [min(max((place - x) / ((to_x - x) or 1.0), 0.0), 1.0) for place in (start, end)]
            found += [y, to_y] if x == to_x else [y + share * (to_y - y) for share in shares]
    return found


def _turned(rectangle: Rectangle) -> Rectangle:
    left, bottom, right, top = rectangle
    return -top, left, -bottom, right


def _turned_back(rectangle: Rectangle) -> Rectangle:
    left, bottom, right, top = rectangle
    return bottom, -right, top, -left


def _grown(rectangle: Rectangle, by: float) -> Rectangle:
    left, bottom, right, top = rectangle
    return left - by, bottom - by, right + by, top + by


def _union(one: Rectangle, other: Rectangle) -> Rectangle:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _depth(groups: Sequence[Grouping], members: set[Hashable]) -> int:
    return sum(members < other for _, other in groups)


def _extent(layout: Layout, blocks: Mapping[Hashable, Block], node: Hashable, vertical: bool) -> tuple[Point, float]:
    """From where to where a node reaches along the flow, and where it is across it, from near to far."""
    (x, y), block = layout.positions[node], blocks[node]
    along, across = (-y, x) if vertical else (x, -y)
    return (along - block.length / 2 - block.lead, along + block.length / 2 + block.tail), across


def _rectangle(center: Point, block: Block, vertical: bool) -> Rectangle:
    """What a node takes, with the text above it."""
    (x, y), half, side = center, block.length / 2, block.width / 2
    if vertical:
        return x - side - block.near, y - half, x + side + block.far, y + half
    return x - half, y - side - block.far, x + half, y + side + block.near


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _name_room(name: str, corner: Point) -> Rectangle:
    x, y = corner
    return x, y - NAME_FONT / 2, x + measure(_label(name), NAME_FONT) + 4, y + NAME_FONT / 2


def _label(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"


def _name(name: str) -> str:
    text = printable(name[: LONGEST_NAME + 1])
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
