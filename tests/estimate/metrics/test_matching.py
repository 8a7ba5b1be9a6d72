"""Matchings of nodes, and edits, against all that there are."""

import random
from itertools import permutations

import numpy as np
import pytest

from grafx.data import GRAFX
from grafx.estimate.metrics import edits, matching
from grafx.estimate.metrics.edits import edit_distance
from grafx.estimate.metrics.matching import best_matching


def distances_by_draw(G, H, seed=0):
    """A number for each node, whose differences are distances."""
    choose = random.Random(seed)
    numbers = [{node: choose.random() for node in graph} for graph in (G, H)]
    return lambda _, rows, columns: np.array([[abs(numbers[0][i] - numbers[1][j]) for j in columns] for i in rows])


def length(found, distances):
    return sum(distances("", [i], [j])[0, 0] for i, j in found.items())


def test_the_best_of_all_matchings(graphs):
    for seed in range(25):
        G, H = graphs.random(seed, 5), graphs.random(seed + 1000, 5)
        distances = distances_by_draw(G, H, seed)
        every = list(graphs.all_matchings(G, H))
        most = max(graphs.agreeing(G, H, one) for one in every)
        shortest = min(length(one, distances) for one in every if graphs.agreeing(G, H, one) == most)
        found = best_matching(G, H, distances)
        assert found.exact and found.edges == most == graphs.agreeing(G, H, found.nodes)
        assert length(found.nodes, distances) == pytest.approx(shortest, abs=1e-4)
        back = best_matching(H, G, lambda t, rows, columns, d=distances: d(t, columns, rows).T)
        assert back.edges == most


def test_a_bound_where_it_is_not_solved(monkeypatch, graphs):
    monkeypatch.setattr(matching, "MOST_VARIABLES", 0)
    inexact = 0
    for seed in range(25):
        G, H = graphs.random(seed, 5), graphs.random(seed + 1000, 5)
        found = best_matching(G, H, distances_by_draw(G, H, seed))
        most = max(graphs.agreeing(G, H, one) for one in graphs.all_matchings(G, H))
        assert found.edges == graphs.agreeing(G, H, found.nodes) <= most <= found.bound
        inexact += not found.exact
    assert inexact


def test_large_graphs_and_the_same_with_other_numbers(graphs):
    G, H = (graphs.random(seed, 600, ["a", "b", "c", "d", "e"]) for seed in (4, 8))
    assert min(len(G), len(H)) >= 200
    zero = lambda _, rows, columns: np.zeros((len(rows), len(columns)))  # noqa: E731
    same = best_matching(G, graphs.renumbered(G, 1), zero)
    assert same.exact and same.edges == G.number_of_edges()
    found = best_matching(G, H, zero)
    assert 0 < found.edges <= found.bound and not found.exact


def fewest_edits(G, H):
    """By trying all: nodes of any types may stand for each other, or for none."""
    cables = [{(s, d): [] for s, d in graph.edges()} for graph in (G, H)]
    for graph, own in zip((G, H), cables, strict=True):
        for s, d, data in graph.edges(data=True):
            own[s, d].append((data["outlet"], data["inlet"]))
    best = None
    for chosen in set(permutations([*H.nodes, *[None] * len(G)], len(G))):
        stands = dict(zip(G.nodes, chosen, strict=True))
        removed = sum(other is None for other in chosen)
        changed = sum(
            other is not None and G.nodes[one]["node_type"] != H.nodes[other]["node_type"]
            for one, other in stands.items()
        )
        cost = removed + changed + len(H) - (len(G) - removed)
        left = dict(cables[1])
        for (s, d), plugs in cables[0].items():
            others = left.pop((stands[s], stands[d]), [])
            cost += max(len(plugs), len(others)) - len({*plugs} & {*others})
        cost += sum(map(len, left.values()))
        best = cost if best is None else min(best, cost)
    return best


def test_the_fewest_of_all_edits(graphs):
    nothing = {}
    for seed in range(14):
        G, H = graphs.random(seed, 3), graphs.random(seed + 500, 3)
        if max(len(G), len(H)) <= 5:
            fewest = fewest_edits(G, H)
            assert edit_distance(G, H, nothing) == edit_distance(H, G, nothing) == (fewest, True)


def test_edits_of_every_kind():
    def graph(*cables, types="abc"):
        G = GRAFX()
        for node_type in types:
            G.add(node_type)
        for source, dest, *plugs in cables:
            G.connect(source, dest, *plugs)
        return G

    before = graph((0, 1), (1, 2))
    for after, number in [
        (before, 0),
        (graph((0, 1), (1, 2), types="abd"), 1),
        (graph((0, 1), (1, 2), types="abcd"), 1),
        (graph((0, 1)), 1),
        (graph((0, 1), (1, 2, "main", "side")), 1),
        (graph((0, 1), (1, 2), (1, 2, "main", "side")), 1),
        (graph((0, 1), types="ab"), 2),
        (GRAFX(), 5),
    ]:
        assert edit_distance(before, after, {}) == edit_distance(after, before, {}) == (number, True)


def test_a_budget_of_edits(monkeypatch, graphs):
    G, H = graphs.random(11, 9), graphs.random(511, 9)
    fewest, _ = edit_distance(G, H, {})
    monkeypatch.setattr(edits, "EFFORT", 0)
    found, known = edit_distance(G, H, {})
    assert found >= fewest and not known
    assert edit_distance(G, G, {node: node for node in G}) == (0, True)
