"""Which node of one graph stands for which of another: the matching under which most cables agree."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp
from scipy.sparse import csr_array

from ...data import GRAFX
from .order import in_order, outline

MOST_VARIABLES = 1000
"""Size of a problem up to which it is solved exactly."""
MOST_BRANCHES = 20  # of the exact search
ROUNDS = 6  # of the other one
WEIGHTS = (1.0, 0.1, 0.001)  # of distances of nodes beside what their neighbours say


class Matching(NamedTuple):
    """A best matching, or the best that was found.

    Attributes:
        nodes: Node of the first graph to node of the second, of equal types.
        edges: How many cables agree under it: ends, outlet and inlet.
        bound: How many can agree at most under any.
    """

    nodes: dict[int, int]
    edges: int
    bound: int

    @property
    def exact(self) -> bool:
        return self.edges == self.bound


class _Graph(NamedTuple):
    """Nodes as numbers, cables as ``(source, dest, outlet, inlet)``."""

    ids: list[int]
    labels: list[Hashable]
    cables: list[tuple[int, int, str, str]]

    def kind(self, cable: tuple[int, int, str, str]) -> Hashable:
        source, dest, outlet, inlet = cable
        return self.labels[source], self.labels[dest], outlet, inlet


Distances = Callable[[str, Sequence[int], Sequence[int]], np.ndarray]
"""From a type and nodes of the two graphs, how far they are apart, ``(N, M)`` and from 0 to 1."""


def best_matching(G: GRAFX, H: GRAFX, distances: Distances) -> Matching:
    r"""Find the matching of nodes of equal types under which most cables agree.

    .. math:: \max_\varphi \sum_{(u, v, o, i) \in E_G} \left[ (\varphi(u), \varphi(v), o, i) \in E_H \right]

    Among those with as many cables, it is the one with the smallest sum of distances. Inputs and outputs are nodes as
    all others, but where both graphs have inputs of one name, these stand for each other. Every node has a partner as
    long as there are nodes of its type in both.

    The maximum is that of an integer linear program with a variable for each pair of nodes, and for each pair of
    cables, that could stand for each other. A large one is not solved: matchings are improved in turns, from how well
    the neighbours agree, and there is a bound.

    Args:
        G, H: The graphs.
        distances: Of nodes of one type.
    """
    if outline(H) < outline(G):  # so that it is the same either way, also where it is not solved
        back = best_matching(H, G, lambda label, rows, columns: distances(label, columns, rows).T)
        return back._replace(nodes={i: j for j, i in back.nodes.items()})
    names = _names(G) & _names(H)
    one, other = _plain(G, names), _plain(H, names)
    groups = [
        (rows, columns)
        for label in dict.fromkeys(one.labels)
        if (rows := _where(one, label)) and (columns := _where(other, label))
    ]
    apart = np.zeros((len(one.ids), len(other.ids)))
    for rows, columns in groups:
        node_type = G.nodes[one.ids[rows[0]]]["node_type"]
        apart[np.ix_(rows, columns)] = distances(node_type, [one.ids[i] for i in rows], [other.ids[j] for j in columns])
    chosen, bound = _solved(one, other, groups, apart)
    nodes = {one.ids[i]: other.ids[j] for i, j in sorted(chosen.items())}
    return Matching(nodes, _agreeing(one, other, chosen), bound)


def closest(
    nodes: dict[int, int], groups: Sequence[Sequence[int]], others: Sequence[Sequence[int]], distances: Distances
) -> dict[int, int]:
    """Match anew, by distance alone, the nodes of groups whose order is free in both graphs.

    Args:
        nodes: A matching.
        groups, others: Nodes of one type each, of the first and of the second graph, in which order is free.
        distances: As in :func:`best_matching`.
    """
    nodes = dict(nodes)
    for group in groups:
        for other in others:
            inside = [i for i in group if nodes.get(i) in other]
            rows = inside + [i for i in group if i not in nodes]
            columns = [nodes[i] for i in inside] + [j for j in other if j not in nodes.values()]
            if inside and max(len(rows), len(columns)) > 1:
                found = linear_sum_assignment(distances("", rows, columns))
                nodes = {i: j for i, j in nodes.items() if i not in inside}
                nodes |= {rows[i]: columns[j] for i, j in zip(*found, strict=True)}
    return nodes


def _names(G: GRAFX) -> set[str]:
    names = Counter(data.get("name") for _, data in G.nodes(data=True) if data["node_type"] == "in")
    return {name for name, count in names.items() if name and count == 1}


def _plain(G: GRAFX, names: set[str]) -> _Graph:
    ids = in_order(G)
    labels: list[Hashable] = []
    for node in ids:
        data = G.nodes[node]
        named = data["node_type"] == "in" and data.get("name") in names
        labels.append(("in", data["name"]) if named else data["node_type"])
    return _Graph(ids, labels, outline(G)[1])


def _where(graph: _Graph, label: Hashable) -> list[int]:
    return [index for index, own in enumerate(graph.labels) if own == label]


def _agreeing(one: _Graph, other: _Graph, chosen: dict[int, int]) -> int:
    cables = set(other.cables)
    return sum((chosen.get(s), chosen.get(d), outlet, inlet) in cables for s, d, outlet, inlet in one.cables)


def _solved(
    one: _Graph, other: _Graph, groups: list[tuple[list[int], list[int]]], apart: np.ndarray
) -> tuple[dict[int, int], int]:
    """A matching, and a bound of the number of agreeing cables."""
    bound = (Counter(map(one.kind, one.cables)) & Counter(map(other.kind, other.cables))).total()
    others = defaultdict(list)
    for index, cable in enumerate(other.cables):
        others[other.kind(cable)].append(index)
    nodes = [(i, j) for rows, columns in groups for i in rows for j in columns]
    cables = [(e, f) for e, cable in enumerate(one.cables) for f in others[one.kind(cable)]]
    chosen: dict[int, int] = {}
    if not nodes:
        return chosen, bound
    if len(nodes) + len(cables) <= MOST_VARIABLES:
        chosen, proven = _program(one, other, nodes, cables, apart)
        if _agreeing(one, other, chosen) == min(bound, proven):
            return chosen, min(bound, proven)
        bound = min(bound, proven)
    return max(chosen, _improved(one, other, groups, apart), key=lambda found: _agreeing(one, other, found)), bound


def _program(
    one: _Graph, other: _Graph, nodes: list[tuple[int, int]], cables: list[tuple[int, int]], apart: np.ndarray
) -> tuple[dict[int, int], int]:
    """The optimum of the integer linear program, or what was reached, and what bound is proven."""
    column = {pair: index for index, pair in enumerate(nodes)}
    most = min(len(one.ids), len(other.ids))
    reward = 0.25 / most  # for a pair of nodes, so that all of them together count less than one cable
    objective = [-reward * (2 - apart[pair]) for pair in nodes] + [-1.0] * len(cables)
    rows: dict[tuple, list[tuple[int, float]]] = defaultdict(list)
    for (i, j), index in column.items():
        rows["node", 0, i].append((index, 1.0))
        rows["node", 1, j].append((index, 1.0))
    for number, (e, f) in enumerate(cables, len(nodes)):
        for end in (0, 1):
            i, j = one.cables[e][:2][end], other.cables[f][:2][end]
            # A cable agrees with one at most of those at j, and only if i stands for j.
            ends: list[tuple] = [("cable", 0, e, end, j), ("cable", 1, f, end, i)]
            for row in ends:
                if row not in rows:
                    rows[row].append((column[i, j], -1.0))
                rows[row].append((number, 1.0))
    entries = [(r, c, value) for r, row in enumerate(rows.values()) for c, value in row]
    r, c, values = zip(*entries, strict=True)
    matrix = csr_array((values, (r, c)), shape=(len(rows), len(objective)))
    upper = np.array([1.0 if row[0] == "node" else 0.0 for row in rows])
    integral = np.array([1] * len(nodes) + [0] * len(cables))
    result = milp(
        objective,
        integrality=integral,
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, -np.inf, cast(Any, upper)),
        options={"node_limit": MOST_BRANCHES, "mip_rel_gap": 0.0},
    )
    chosen = {} if result.x is None else {i: j for (i, j), x in zip(nodes, result.x, strict=False) if x > 0.5}
    if result.status == 0:
        return chosen, _agreeing(one, other, chosen)
    dual = result.mip_dual_bound
    return chosen, len(one.cables) if dual is None or not np.isfinite(dual) else int(np.floor(1e-6 - dual))


def _improved(
    one: _Graph, other: _Graph, groups: list[tuple[list[int], list[int]]], apart: np.ndarray
) -> dict[int, int]:
    """The best of matchings that come from how alike nodes are, and their neighbours, and theirs."""

    def value(chosen: dict[int, int]) -> float:
        return _agreeing(one, other, chosen) - 0.5 / len(chosen) * sum(apart[pair] for pair in chosen.items())

    found = []
    for weight in WEIGHTS:
        own = 1 - weight * apart
        alike, starts = own, []
        for _ in range(ROUNDS):
            starts.append(_assigned(groups, alike))
            alike = own + _around(one, other, alike / alike.max())
        chosen = max(starts, key=value)
        while value(better := _with_each_group_anew(one, other, groups, apart, chosen)) > value(chosen) + 1e-9:
            chosen = better
        found.append(chosen)
    return max(found, key=value)


def _with_each_group_anew(
    one: _Graph, other: _Graph, groups: list[tuple[list[int], list[int]]], apart: np.ndarray, chosen: dict[int, int]
) -> dict[int, int]:
    """A matching where the nodes of one type after another are matched as suits the others best."""
    for group in groups:
        now = np.zeros_like(apart)
        now[[*chosen], [*chosen.values()]] = 1
        alike = _around(one, other, now) - 0.5 / len(chosen) * apart
        rows = set(group[0])
        chosen = {i: j for i, j in chosen.items() if i not in rows} | _assigned([group], alike)
    return chosen


def _assigned(groups: list[tuple[list[int], list[int]]], alike: np.ndarray) -> dict[int, int]:
    chosen = {}
    for rows, columns in groups:
        found = linear_sum_assignment(alike[np.ix_(rows, columns)], maximize=True)
        chosen |= {rows[i]: columns[j] for i, j in zip(*found, strict=True)}
    return chosen


def _around(one: _Graph, other: _Graph, alike: np.ndarray) -> np.ndarray:
    """How alike the neighbours of two nodes are: the sum over cables of one of the best of its kind at the other."""
    around = np.zeros_like(alike)
    ends, others = _ends_by_kind(one), _ends_by_kind(other)
    for kind in ends.keys() & others.keys():
        for here, there in ((0, 1), (1, 0)):
            between = alike[np.ix_(ends[kind][there], others[kind][there])]  # of the far ends
            best = np.zeros((len(between), len(other.ids)))
            np.maximum.at(best, cast(Any, (slice(None), others[kind][here])), between)
            np.add.at(around, ends[kind][here], best)
    return around


def _ends_by_kind(graph: _Graph) -> dict[Hashable, np.ndarray]:
    """Sources and destinations of the cables of each kind, ``(2, N)``."""
    found = defaultdict(list)
    for cable in graph.cables:
        found[graph.kind(cable)].append(cable[:2])
    return {kind: np.array(ends).T for kind, ends in found.items()}
