"""Search for short schedules: a beam search, and a search that proves the optimum.

A schedule is a sequence of types; the state of a partial schedule is the set of finished nodes. Layer by layer, each
type with ready nodes extends each partial schedule. Of those with the same state one is kept, and those that cannot
become shorter than a known schedule are dropped.

The number of remaining steps has a lower bound: a step runs one type and nodes on a path run one after another, so each
type needs as many steps as its largest number of nodes on any path among the remaining nodes. With many long paths
ahead, the bound is far too low. Partial schedules are therefore ranked by the bound plus the binary logarithm of their
work, in which a path of n steps counts 2ⁿ.
"""

import random
from typing import NamedTuple

from .precedence import IN, OUT, Precedence

NARROW, WIDE = 8, 256
MAX_STATES = 500_000
EFFORT = 500_000
"""Approximate number of nodes that the beam of a large graph may follow."""
LONGEST_WEIGHED = 1000

Counts = tuple[int, ...]
"""A number for each type."""


class _Merged(NamedTuple):
    """A graph in which nodes that become ready together under any schedule are merged: equal types, equal predecessors.

    Types are positions in ``node_types``.
    """

    node_types: list[int]
    types: list[int]
    num_sources: list[int]
    dests: list[list[int]]
    most: list[Counts]
    """For each node, the largest number of nodes of each type on any path from it on."""
    shares: list[int]
    """For each node, its work, divided by the number of its sources."""
    gains: list[int]
    """For each node, the work that becomes ready when it runs."""
    labels: list[int]
    """Random numbers; the exclusive or of some identifies the set of their nodes."""


class _Ready(NamedTuple):
    """Ready nodes of one type, as a linked list shared by partial schedules. The other fields refer to all of them."""

    node: int
    others: "_Ready | None"
    most: Counts
    gain: int
    label: int


class _Beginning(NamedTuple):
    finished: int
    """Label of the set of finished nodes."""
    ready: dict[int, _Ready]
    waiting: dict[int, int]
    """Number of unfinished sources, for successors of finished nodes."""
    steps_to_go: int
    """A lower bound."""
    work: int
    """Sum over the successors of finished nodes of two to the power of the steps ahead."""
    path: tuple | None
    """``(path so far, last type)``."""


class _Step(NamedTuple):
    """A possible next step of a partial schedule, and the resulting state."""

    steps_to_go: int
    work: int
    finished: int
    node_type: int
    beginning: _Beginning


def beam(precedence: Precedence, known: list[int], width: int | None, depth: int) -> list[int]:
    """Return the types of a schedule that is shorter than the known one, or the known one.

    Args:
        precedence: The nodes.
        known: The types of any schedule.
        width: Width of the beam; ``None`` for 256, or fewer in graphs of hundreds of nodes.
        depth: Number of steps between selections.
    """
    merged = _merge(precedence)
    if width is None:
        width = max(1, min(WIDE, EFFORT // _size(merged)))
    # The result of a narrow beam at little cost lets a wide one drop most of its states.
    known = _search(merged, known, min(NARROW, width), depth)[0]
    return _search(merged, known, width, depth)[0]


def optimal(precedence: Precedence, known: list[int], max_states: int | None) -> tuple[list[int], int]:
    """Return the types of the shortest schedule found, and a lower bound of the steps of every schedule.

    Beams become wider until one drops nothing that could be shorter, which is the proof, or until ``max_states`` states
    have been visited; ``None`` for 500000, or fewer in graphs of thousands of nodes.
    """
    merged, best, at_least, width = _merge(precedence), known, 0, NARROW
    if max_states is None:
        max_states = min(MAX_STATES, MAX_STATES * 10_000 // _size(merged))
    while at_least < len(best) and max_states > 0:
        best, proven, seen = _search(merged, best, width, 1, max_states)
        at_least = max(at_least, proven)
        max_states -= seen
        width *= 8
    return best, min(at_least, len(best))


def _size(merged: _Merged) -> int:
    """Size of a graph, to which the time per state is proportional in large graphs."""
    return max(1, len(merged.types) * len(merged.node_types))


def _search(
    merged: _Merged, known: list[int], width: int, depth: int, max_states: int | None = None
) -> tuple[list[int], int, int]:
    """Return a shorter schedule or the known one, a lower bound of the steps, and the number of visited states."""
    layer = [_first(merged)]
    at_least, seen = len(known), 0
    if layer[0].steps_to_go >= len(known):
        return known, at_least, seen
    length = 0
    while layer:
        length += 1
        steps: dict[int, _Step] = {}
        for beginning in layer:
            for step in _steps(beginning):
                seen += 1
                if length + step.steps_to_go < len(known):
                    steps.setdefault(step.finished, step)
        if not steps:
            return known, at_least, seen
        ranked = sorted(steps.values(), key=_rank)
        if ranked[0].steps_to_go == 0:
            return _types(merged, ranked[0]), min(at_least, length), seen
        kept = width if length % depth == 0 else len(ranked)
        if max_states is not None and seen >= max_states:
            kept = 0
        at_least = min([at_least, *(length + step.steps_to_go for step in ranked[kept:])])
        layer = [_take(merged, step) for step in ranked[:kept]]
    return known, at_least, seen


def _first(merged: _Merged) -> _Beginning:
    ready: dict[int, _Ready] = {}
    for node, count in enumerate(merged.num_sources):
        if count == 0:
            _make_ready(merged, ready, node)
    most = [nodes.most for nodes in ready.values()]
    work = sum(merged.shares[node] for node, count in enumerate(merged.num_sources) if count == 0)
    return _Beginning(0, ready, {}, sum(map(max, zip(*most, strict=True))), work, None)


def _steps(beginning: _Beginning) -> list[_Step]:
    """List all steps that are worth considering."""
    steps = []
    for node_type, nodes in beginning.ready.items():
        ahead = nodes.most[node_type]
        ahead_of_others = max([r.most[node_type] for t, r in beginning.ready.items() if t != node_type], default=0)
        # Running the nodes shortens no path of other types, and those of this type only if they are the longest.
        steps_to_go = beginning.steps_to_go - (ahead > ahead_of_others)
        step = _Step(steps_to_go, beginning.work + nodes.gain, beginning.finished ^ nodes.label, node_type, beginning)
        if ahead == 1 and ahead_of_others == 0:
            # All remaining nodes of the type are ready. It must run once in any case, so it can run now.
            return [step]
        steps.append(step)
    return steps


def _take(merged: _Merged, step: _Step) -> _Beginning:
    """Run all ready nodes of the type."""
    beginning = step.beginning
    ready, waiting = dict(beginning.ready), beginning.waiting
    running: _Ready | None = ready.pop(step.node_type)
    while running is not None:
        for dest in merged.dests[running.node]:
            if merged.num_sources[dest] > 1:
                if waiting is beginning.waiting:
                    waiting = dict(waiting)
                left = waiting.pop(dest, merged.num_sources[dest]) - 1
                if left:
                    waiting[dest] = left
                    continue
            _make_ready(merged, ready, dest)
        running = running.others
    return _Beginning(step.finished, ready, waiting, step.steps_to_go, step.work, (beginning.path, step.node_type))


def _rank(step: _Step) -> tuple[int, int]:
    """Rank of a step; lower is more promising."""
    return step.steps_to_go + step.work.bit_length(), step.work


def _make_ready(merged: _Merged, ready: dict[int, _Ready], node: int) -> None:
    node_type, most, gain, label = merged.types[node], merged.most[node], merged.gains[node], merged.labels[node]
    others = ready.get(node_type)
    if others is not None:
        most, gain, label = tuple(map(max, others.most, most)), others.gain + gain, others.label ^ label
    ready[node_type] = _Ready(node, others, most, gain, label)


def _types(merged: _Merged, last: _Step) -> list[int]:
    types, path = [], (last.beginning.path, last.node_type)
    while path is not None:
        path, node_type = path
        types.append(merged.node_types[node_type])
    return types[::-1]


def _merge(precedence: Precedence) -> _Merged:
    node_types = sorted(set(precedence.types) - {IN, OUT})
    position = {node_type: i for i, node_type in enumerate(node_types)}
    merged_nodes: dict[tuple, int] = {}
    merged_into: dict[int, int] = {}
    for node in precedence.topological():
        if (node_type := precedence.types[node]) in position:
            sources = {merged_into[source] for source in precedence.sources[node] if source in merged_into}
            key = position[node_type], *sorted(sources)
            merged_into[node] = merged_nodes.setdefault(key, len(merged_nodes))
    types = [node_type for node_type, *_ in merged_nodes]
    num_sources = [len(key) - 1 for key in merged_nodes]
    dests: list[list[int]] = [[] for _ in types]
    for node, (_, *sources) in enumerate(merged_nodes):
        for source in sources:
            dests[source].append(node)
    most = _most_on_a_path(types, dests, len(node_types))
    # Integers, so that additions and later subtractions cancel exactly.
    shares = [
        (1 << min(sum(counts), LONGEST_WEIGHED) + 10) // max(1, count)
        for counts, count in zip(most, num_sources, strict=True)
    ]
    generator = random.Random(0)
    return _Merged(
        node_types=node_types,
        types=types,
        num_sources=num_sources,
        dests=dests,
        most=most,
        shares=shares,
        gains=[
            sum(shares[dest] for dest in node_dests) - share * max(1, count)
            for share, count, node_dests in zip(shares, num_sources, dests, strict=True)
        ],
        labels=[generator.getrandbits(128) for _ in types],
    )


def _most_on_a_path(types: list[int], dests: list[list[int]], num_types: int) -> list[Counts]:
    most: list[Counts] = [()] * len(types)
    for node in reversed(range(len(types))):
        counts = [0] * num_types
        for dest in dests[node]:
            counts = list(map(max, counts, most[dest]))
        counts[types[node]] += 1
        most[node] = tuple(counts)
    return most
