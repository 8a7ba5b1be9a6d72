"""How many edits make one graph of another."""

from collections import Counter
from typing import Any, cast

import networkx as nx
import numpy as np
from networkx import optimize_edit_paths
from scipy.optimize import linear_sum_assignment

from ...data import GRAFX
from .order import in_order, outline

EFFORT = 20_000_000
"""Budget of the search, in steps times the squared size of the problem: a second or so."""


class _Budget:
    """An upper bound of costs, under which a search ends after a number of comparisons, not of seconds."""

    __array_ufunc__ = None  # so that numpy leaves a comparison to it

    def __init__(self, bound: float, steps: int) -> None:
        self.bound, self.steps = bound, steps

    def __lt__(self, cost: float) -> bool:
        """Whether a path of this cost is given up."""
        self.steps -= 1
        return self.steps < 0 or bool(self.bound < cost)

    @property
    def spent(self) -> bool:
        return self.steps < 0


def edit_distance(G: GRAFX, H: GRAFX, matched: dict[int, int]) -> tuple[int, bool]:
    """Count the fewest edits that turn a graph into another.

    An edit adds or removes a node or a cable, changes the type of a node, or the outlet and inlet of a cable; each
    costs 1. Inputs, outputs and sums are nodes as all others. Parameters and names do not count.

    Args:
        G, H: The graphs.
        matched: Nodes of the one to nodes of the other, from which a first path of edits comes.

    Returns:
        The number, and whether it is the least; otherwise the search spent its budget, and it is the least it found.

    References:
        Abu-Aisheh, Raveaux, Ramel and Martineau, "An exact graph edit distance algorithm for solving pattern
        recognition problems", ICPRAM 2015, as in networkx.
    """
    if outline(H) < outline(G):  # so that it is the same either way, also where the budget is spent
        return edit_distance(H, G, {j: i for i, j in matched.items()})
    one, other = _simple(G), _simple(H)
    distance = _cost(one, other, _completed(one, other, matched))
    if distance == _fewest(one, other):
        return distance, True
    size = sum(graph.number_of_nodes() + graph.number_of_edges() for graph in (one, other))
    budget = _Budget(distance - 1, EFFORT // size**2)
    paths = optimize_edit_paths(
        one,
        other,
        node_subst_cost=lambda a, b: int(a["label"] != b["label"]),
        edge_subst_cost=lambda a, b: _changes(a["plugs"], b["plugs"]),
        edge_del_cost=lambda a: a["plugs"].total(),
        edge_ins_cost=lambda b: b["plugs"].total(),
        upper_bound=cast(Any, budget),  # it counts what it is asked
    )
    found = min([distance, *(round(cost) for _, _, cost in paths)])
    return found, not budget.spent


def _simple(G: GRAFX) -> nx.DiGraph:
    """The types of nodes, and the cables between two of them as one edge."""
    simple = nx.DiGraph()
    nodes = in_order(G)
    simple.add_nodes_from((node, {"label": G.nodes[node]["node_type"]}) for node in nodes)
    for i, j, outlet, inlet in outline(G)[1]:
        source, dest = nodes[i], nodes[j]
        if not simple.has_edge(source, dest):
            simple.add_edge(source, dest, plugs=Counter())
        simple.edges[source, dest]["plugs"][outlet, inlet] += 1
    return simple


def _changes(plugs: Counter, others: Counter) -> int:
    """How many cables are changed, added or removed, where two nodes are joined by several."""
    return max(plugs.total(), others.total()) - (plugs & others).total()


def _fewest(one: nx.DiGraph, other: nx.DiGraph) -> int:
    """A bound from types and from numbers of cables alone."""
    labels, others = (Counter(label for _, label in graph.nodes(data="label")) for graph in (one, other))
    cables = [sum(plugs.total() for _, _, plugs in graph.edges(data="plugs")) for graph in (one, other)]
    return _changes(labels, others) + abs(cables[0] - cables[1])


def _completed(one: nx.DiGraph, other: nx.DiGraph, matched: dict[int, int]) -> dict[int, int]:
    """A matching where nodes that have no partner of their type get one of another, by what their cables suggest."""
    left = [node for node in one if node not in matched]
    free = [node for node in other if node not in {*matched.values()}]
    if not left or not free:
        return matched
    alike = np.array([[_common(one, other, matched, i, j) for j in free] for i in left])
    rows, columns = linear_sum_assignment(alike, maximize=True)
    return matched | {left[i]: free[j] for i, j in zip(rows, columns, strict=True)}


def _common(one: nx.DiGraph, other: nx.DiGraph, matched: dict[int, int], i: int, j: int) -> int:
    """How many neighbours of two nodes stand for each other."""
    after = {matched.get(node) for node in one.successors(i)} & set(other.successors(j))
    before = {matched.get(node) for node in one.predecessors(i)} & set(other.predecessors(j))
    return len(after) + len(before)


def _cost(one: nx.DiGraph, other: nx.DiGraph, matched: dict[int, int]) -> int:
    """How many edits a matching amounts to."""
    alike = sum(one.nodes[i]["label"] == other.nodes[j]["label"] for i, j in matched.items())
    nodes = len(one) + len(other) - len(matched) - alike
    left = {(s, d): plugs for s, d, plugs in other.edges(data="plugs")}
    cables = 0
    for source, dest, plugs in one.edges(data="plugs"):
        ends = matched.get(source), matched.get(dest)
        cables += _changes(plugs, left.pop(ends, Counter()))
    return nodes + cables + sum(plugs.total() for plugs in left.values())
