"""Few crossings: counted, compared with the best order there is, and the same each time."""

from itertools import combinations, pairwise, permutations, product

import networkx as nx
import numpy as np
import pytest

from grafx.draw import crossings, draw_grafx, layout
from grafx.draw.crossings import ordered


def make_layers(sizes, share, seed, ports=(0.0,)):
    """Random links between neighbouring layers of some sizes."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum([0, *sizes])
    layers = [list(range(a, b)) for a, b in pairwise(starts)]
    links = [
        (i, j, float(rng.choice(ports)), float(rng.choice(ports)))
        for before, after in pairwise(layers)
        for i, j in product(before, after)
        if rng.random() < share
    ]
    return layers, links


def count_plainly(layers, links):
    place = {i: k for layer in layers for k, i in enumerate(layer)}
    layer_of = {i: number for number, layer in enumerate(layers) for i in layer}
    ends = [(layer_of[a], place[a] + p, place[b] + q) for a, b, p, q in links]
    return sum(a[0] == b[0] and (a[1] - b[1]) * (a[2] - b[2]) < 0 for a, b in combinations(ends, 2))


@pytest.mark.parametrize("ports", [(0.0,), (-0.3, 0.0, 0.4)])
@pytest.mark.parametrize("seed", range(4))
def test_crossings_are_counted_as_pair_by_pair(seed, ports):
    layers, links = make_layers([5, 8, 6], 0.4, seed, ports)
    found, count = ordered(layers, links)
    assert count == count_plainly(found, links) <= count_plainly(layers, links)
    assert [sorted(layer) for layer in found] == layers


@pytest.mark.parametrize("seed", range(6))
def test_small_layers_have_the_best_order_there_is(seed):
    layers, links = make_layers([4, 4, 4], 0.5, seed)
    best = min(count_plainly(orders, links) for orders in product(*(map(list, permutations(x)) for x in layers)))
    assert ordered(layers, links)[1] == best


@pytest.mark.parametrize("effort", [0.0, crossings.MOST_EFFORT])
def test_sifting_never_ends_with_more_than_the_sweeps_found(monkeypatch, effort):
    layers, links = make_layers([12, 15, 9, 14], 0.25, 0)
    before, after = crossings._neighbours(layers, links)
    swept, count = crossings._swept(layers, before, after)
    monkeypatch.setattr(crossings, "MOST_EFFORT", effort)
    found, fewer = ordered(layers, links)
    assert fewer == count_plainly(found, links)
    assert fewer < count if effort else (found, fewer) == (swept, count)


def test_the_same_links_have_the_same_order():
    layers, links = make_layers([12, 15, 9, 14], 0.3, 1)
    state = np.random.get_state()[1].copy()
    assert ordered(layers, links) == ordered(layers, links)
    assert np.array_equal(np.random.get_state()[1], state)


def test_items_without_links_and_empty_layers_stay():
    assert ordered([[0], [1], [2]], []) == ([[0], [1], [2]], 0)
    found, count = ordered([[0, 1, 2], [3, 4, 5]], [(0, 4, 0.0, 0.0), (2, 3, 0.0, 0.0)])
    assert count == 0 and sorted(found[0]) == [0, 1, 2] and sorted(found[1]) == [3, 4, 5]


def cross_drawn(a, b, across=1):
    along = 1 - across
    low, high = max(a[0, along], b[0, along]), min(a[-1, along], b[-1, along])
    if low >= high:
        return 0
    grid = np.linspace(low, high, 2000)[1:-1]
    gap = np.interp(grid, a[:, along], a[:, across]) - np.interp(grid, b[:, along], b[:, across])
    signs = np.sign(gap[np.abs(gap) > 1e-6])
    return int(np.sum(signs[1:] != signs[:-1]))


def test_what_is_counted_is_what_is_drawn(graphs, read_drawing, monkeypatch):
    counted = []
    reduce = layout._reduce_crossings
    monkeypatch.setattr(layout, "_reduce_crossings", lambda part: counted.append(reduce(part)) or counted[-1])
    G = graphs.dag(40, 1, 30)
    drawn = read_drawing(*draw_grafx(G))
    assert sum(cross_drawn(a, b) for a, b in combinations(drawn.curves.values(), 2)) == counted[-1] > 0


def test_inputs_stand_before_what_they_feed_where_this_saves_many_crossings(graphs, read_drawing):
    """Forty sources of a long chain, each of which would cross all later nodes."""
    rng = np.random.default_rng(0)
    chain = [(i, i + 1) for i in range(15)]
    late = [(16 + i, int(j)) for i, j in enumerate(rng.permutation(14)[:12] + 1)]
    skips = [(i, i + 4) for i in range(0, 11)]
    G = graphs.make(["in", *["eq"] * 14, "out", *["in"] * 12], [*chain, *late, *skips])
    drawn = read_drawing(*draw_grafx(G))
    found = sum(cross_drawn(a, b) for a, b in combinations(drawn.curves.values(), 2))
    first = [drawn.center(n)[0] for n in G if G.nodes[n]["node_type"] == "in"]
    assert np.ptp(first) > 0
    nx.set_node_attributes(G, "eq", "node_type")
    free = read_drawing(*draw_grafx(G))
    assert found <= 1.1 * sum(cross_drawn(a, b) for a, b in combinations(free.curves.values(), 2))


def test_inputs_of_consoles_stay_in_the_first_layer(graphs, read_drawing):
    G = graphs.console(12, 3, 0.5)
    drawn = read_drawing(*draw_grafx(G))
    assert np.ptp([drawn.boxes[n].x1 for n in G if G.nodes[n]["node_type"] == "in"]) < 1e-6
