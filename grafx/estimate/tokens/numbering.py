"""The numbering of a graph that all graphs have in common that are the same but for their numbering.

Nodes are told apart by colours, again and again by the colours around them, until this tells nothing new (colour
refinement). Where nodes are left that look alike, they are numbered piece by piece, a piece being what cables hold
together among them: many equal branches cost no more than one each. In a piece each of those that are alike is tried as
the first, and the numbering with the least list of cables counts; symmetries on the way spare most of these trials.

Source: B. D. McKay and A. Piperno, "Practical graph isomorphism, II", Journal of Symbolic Computation 60 (2014).
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

Colours = list[int]
"""The colour of each node; 0, 1, … without a gap."""

Neighbours = list[list[tuple[int, int]]]
"""For each node, the plugs and the other end of the cables on one side of it."""

Trace = Any
"""What colours were told by; equal for all numberings of a graph."""


def number(sides: Sequence[Neighbours], colours: Colours, marks: Sequence[int] | None = None) -> list[int]:
    """Return the place of each node in the canonical numbering.

    Args:
        sides: The cables into nodes, and those out of them.
        colours: What nodes are; the numbering follows it.
        marks: What else tells nodes apart, where cables do not.
    """
    colours, _ = refine(sides, colours)
    if _is_discrete(colours):
        return colours
    pieces = sorted(_form(sides, colours, marks, piece) for piece in _pieces(sides, colours))
    places = {node: (rank, i) for rank, piece in enumerate(pieces) for i, node in enumerate(piece.nodes)}
    order = sorted(range(len(colours)), key=lambda node: (colours[node], places.get(node)))
    labels = [0] * len(colours)
    for label, node in enumerate(order):
        labels[node] = label
    return labels


def refine(sides: Sequence[Neighbours], colours: Colours) -> tuple[Colours, Trace]:
    """Tell apart what has other surroundings; the order of the colours stays."""
    count, (ins, outs), nodes = 0, sides, range(len(colours))
    step = max(colours, default=0) + len(colours) + 1  # more than any colour
    while True:
        signatures = [
            (
                colours[node],
                tuple(sorted([plug * step + colours[other] for plug, other in ins[node]])),
                tuple(sorted([plug * step + colours[other] for plug, other in outs[node]])),
            )
            for node in nodes
        ]
        ranks = ranked(signatures)
        if len(ranks) == count:
            return colours, sorted(signatures)
        count = len(ranks)
        colours = [ranks[signature] for signature in signatures]


def ranked(values: Iterable[Any]) -> dict[Any, int]:
    """The rank of each value among those that differ."""
    return {value: rank for rank, value in enumerate(sorted(set(values)))}


class _Piece(NamedTuple):
    """A part of a graph in its canonical numbering. They are sorted; those that differ in nodes alone are equal.

    Attributes:
        form: What is equal for pieces that are alike.
        marks: The marks of the nodes.
        nodes: The nodes.
    """

    form: tuple[list[int], list[Trace]]
    marks: list[int]
    nodes: list[int]


def _pieces(sides: Sequence[Neighbours], colours: Colours) -> Iterator[list[int]]:
    """The nodes that are not alone in their colour, in parts whose cables to each other tell nothing.

    Those are the cables that lead from a node to all of a colour alike.
    """
    sizes = _sizes(colours)
    left = {node for node, own in enumerate(colours) if sizes[own] > 1}
    while left:
        todo, piece = [left.pop()], []
        while todo:
            piece.append(todo.pop())
            near = {other for side in sides for other in _some(side[piece[-1]], colours, sizes)} & left
            left -= near
            todo += near
        yield sorted(piece)


def _some(cables: list[tuple[int, int]], colours: Colours, sizes: list[int]) -> Iterator[int]:
    """The other ends of the cables that do not lead to all of a colour, once each."""
    counts, often = Counter((plug, colours[other]) for plug, other in cables), len({*cables}) < len(cables)
    return (other for plug, other in cables if often or counts[plug, colours[other]] < sizes[colours[other]])


def _form(sides: Sequence[Neighbours], colours: Colours, marks: Sequence[int] | None, piece: list[int]) -> _Piece:
    local = {node: i for i, node in enumerate(piece)}
    inner = [[[(plug, local[i]) for plug, i in side[node] if i in local] for node in piece] for side in sides]
    ranks = ranked(colours[node] for node in piece)
    first, trace = refine(inner, [ranks[colours[node]] for node in piece])
    best = _Search(inner, [0] * len(piece)).best(first, trace)
    own = [0] * len(piece) if marks is None else [marks[node] for node in piece]
    if best.path and len(set(own)) > 1:
        best = _Search(inner, own, best.traces).best(first, trace)
    nodes = [node for _, node in sorted(zip(best.colours, piece, strict=True))]
    return _Piece((sorted(colours[node] for node in piece), best.traces), [own[local[node]] for node in nodes], nodes)


class _Leaf(NamedTuple):
    """A numbering that was found.

    Attributes:
        traces: What was seen on the way to it.
        marks: The marks in its order.
        path: The nodes that were chosen on the way.
        colours: The place of each node.
    """

    traces: list[Trace]
    marks: list[int]
    path: list[int]
    colours: Colours


class _Search:
    """The search for the numbering with the least traces, or for that with the least marks among those.

    Args:
        sides: The cables.
        marks: A number for each node.
        traces: The least traces, where they are known. Nodes are tried first then whose marks, or the marks around
            them, are least.
    """

    def __init__(self, sides: Sequence[Neighbours], marks: Sequence[int], traces: list[Trace] | None = None) -> None:
        self._sides, self._marks, self._traces = sides, marks, traces
        self._best: _Leaf | None = None
        self._found = 0
        self._symmetries: list[list[int]] = []

    def best(self, colours: Colours, trace: Trace) -> _Leaf:
        """Search from the colours that are refined already."""
        self._visit(colours, [], [trace])
        assert self._best is not None
        return self._best

    def _visit(self, colours: Colours, path: list[int], traces: list[Trace]) -> int:
        """Search below some choices. Returns with how many of them to go on: fewer, where a symmetry was found."""
        if _is_discrete(colours):
            return self._arrive(_Leaf(traces, _ordered(self._marks, colours), path, colours))
        depth, found = len(path), self._found
        for group in self._groups(colours):
            tried: list[int] = []
            for node in group:
                if tried and self._is_like(node, tried, path):
                    continue
                tried.append(node)
                split = [2 * own + (own == colours[node] and other != node) for other, own in enumerate(colours)]
                refined, trace = refine(self._sides, split)
                if not self._is_worse([*traces, trace]):
                    back = self._visit(refined, [*path, node], [*traces, trace])
                    if back < depth:
                        return back
            if self._found > found:
                break
        return depth

    def _groups(self, colours: Colours) -> Iterator[list[int]]:
        """The first nodes that are alike, those with the least marks first."""
        sizes = _sizes(colours)
        cell = next(own for own, size in enumerate(sizes) if size > 1)
        nodes = [node for node, own in enumerate(colours) if own == cell]
        if self._traces is None:
            yield nodes
            return
        pairs = list(zip(colours, self._marks, strict=True))
        ranks = ranked(pairs)
        marked, _ = refine(self._sides, [ranks[pair] for pair in pairs])
        for mark in sorted({marked[node] for node in nodes}):
            yield [node for node in nodes if marked[node] == mark]

    def _is_worse(self, traces: list[Trace]) -> bool:
        if self._traces is not None:
            return traces[-1] != self._traces[len(traces) - 1]
        return self._best is not None and traces > self._best.traces[: len(traces)]

    def _arrive(self, leaf: _Leaf) -> int:
        self._found += 1
        best = self._best
        if best is None or leaf[:2] < best[:2]:
            self._best = leaf
        elif leaf[:2] == best[:2]:
            node_at = _ordered(range(len(leaf.colours)), leaf.colours)
            self._symmetries.append([node_at[label] for label in best.colours])
            return next(i for i, (one, other) in enumerate(zip(leaf.path, best.path, strict=True)) if one != other)
        return len(leaf.path)

    def _is_like(self, node: int, tried: list[int], path: list[int]) -> bool:
        """Whether symmetries that keep the choices so far lead from one that was tried to this node."""
        kept = [s for s in self._symmetries if all(s[chosen] == chosen for chosen in path)]
        reached, todo = set(tried), list(tried)
        while todo:
            here = todo.pop()
            near = {s[here] for s in kept} - reached
            reached |= near
            todo += near
        return node in reached


def _ordered(values: Sequence[int], colours: Colours) -> list[int]:
    """Values of nodes in the order of their colours, which all differ."""
    ordered = [0] * len(colours)
    for own, value in zip(colours, values, strict=True):
        ordered[own] = value
    return ordered


def _sizes(colours: Colours) -> list[int]:
    sizes = [0] * len(colours)
    for own in colours:
        sizes[own] += 1
    return sizes


def _is_discrete(colours: Sequence[Hashable]) -> bool:
    return len(set(colours)) == len(colours)
