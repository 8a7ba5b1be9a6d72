"""Drawings for narrow pages: folded chains, and parts side by side."""

from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest

from grafx.draw import draw_grafx
from grafx.draw.narrow import READABLE

SIDECHAIN = "main", "sidechain"


def series(graphs, count):
    types = (["eq", "compressor", "noisegate", "gain", "delay", "reverb"] * count)[:count]
    return graphs.make(["in", *types, "out"], pairwise(range(count + 2)))


def branches(graphs):
    """Two long chains beside each other, with a side chain in one of them, a feedback, a loop and parallel edges."""
    types = ["in", *["eq", "compressor", "gain"] * 6, "in", *["reverb"] * 12, "mix", "out", "crossover", "delay"]
    chains = [*pairwise(range(19)), *pairwise(range(19, 32)), (18, 32), (31, 32), (32, 33), (32, 34), (35, 32)]
    more = [(3, 23, *SIDECHAIN), (15, 13), (7, 7), (34, 35, "low", "main"), (34, 35, "high", "main")]
    return graphs.make(types, [*chains, *more])


def overlap(a, b, slack=0.01):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack


def check(fig, ax, G, read_drawing):
    """No node and no text lies over another, no edge runs through a node or a text, and edges end at their nodes."""
    drawn = read_drawing(fig, ax)
    assert set(drawn.boxes) == set(G) and set(drawn.curves) == set(G.edges(keys=True))
    for a, b in combinations(drawn.boxes.values(), 2):
        assert not overlap(a, b)
    for a, b in combinations(drawn.text_boxes, 2):
        assert not overlap(a, b, 0.5)
    for (u, v, key), curve in drawn.curves.items():
        x, y = curve.T
        for n, box in drawn.boxes.items():
            if n not in (u, v):
                inside = (x > box.x0 + 0.1) & (x < box.x1 - 0.1) & (y > box.y0 + 0.1) & (y < box.y1 - 0.1)
                assert not inside.any(), (u, v, n)
        for n, end in ((u, curve[0]), (v, curve[-1])):
            box = drawn.boxes[n]
            assert box.x0 - 7 < end[0] < box.x1 + 7 and box.y0 - 7 < end[1] < box.y1 + 7, (u, v, key)
    return drawn


def smallest(fig, ax):
    fig.draw_without_rendering()
    return min(text.get_fontsize() for text in ax.texts)


@pytest.mark.parametrize("count", [7, 40, 100])
@pytest.mark.parametrize("above", [None, "node_id"])
def test_long_chains_are_folded_like_lines_of_a_text(graphs, read_drawing, count, above):
    G = series(graphs, count)
    fig, ax = draw_grafx(G, width=3.3, node_above=above, legend=False)
    assert fig.get_size_inches()[0] == pytest.approx(3.3)
    assert smallest(fig, ax) >= 7.5 * READABLE - 1e-6
    drawn = check(fig, ax, G, read_drawing)
    rows = [drawn.center(n)[1] for n in G]
    steps = np.diff(rows)
    assert np.all((np.abs(steps) < 1e-6) | (steps < -5))  # along a row, or on to the next
    assert (np.abs(steps) > 5).any() == (count > 7)
    for row in set(np.round(rows, 3)):
        places = [drawn.center(n)[0] for n in G if round(drawn.center(n)[1], 3) == row]
        assert places == sorted(places)


@pytest.mark.parametrize(("stems", "groups", "keep"), [(8, 2, 1.0), (5, 1, 1.0), (12, 3, 0.7)])
def test_consoles_of_long_chains_can_be_read_in_a_column(graphs, read_drawing, stems, groups, keep):
    G = graphs.console(stems, groups, keep)
    fig, ax = draw_grafx(G, width=3.3, legend="below")
    assert smallest(fig, ax) >= 7.5 * 0.75 * READABLE
    check(fig, ax, G, read_drawing)


@pytest.mark.parametrize("width", [2.0, 3.3, 5.0])
def test_what_meets_a_folded_chain_stays_clear_of_it(graphs, read_drawing, width):
    G = branches(graphs)
    fig, ax = draw_grafx(G, width=width, legend=False)
    check(fig, ax, G, read_drawing)


def test_edges_of_a_folded_chain_bend_only_in_lanes_between_rows(graphs, read_drawing):
    G = series(graphs, 40)
    drawn = read_drawing(*draw_grafx(G, width=3.3, legend=False))
    for (u, v, _), curve in drawn.curves.items():
        same_row = abs(drawn.center(u)[1] - drawn.center(v)[1]) < 1e-6
        assert (np.ptp(curve[:, 1]) < 1e-6) == same_row
        if not same_row:
            middle = (drawn.boxes[u].y0 + drawn.boxes[v].y1) / 2
            assert drawn.boxes[v].y1 < middle < drawn.boxes[u].y0
            assert np.sum(np.abs(curve[:, 1] - middle) < 1) > 10


def test_what_can_be_read_is_not_folded(graphs, read_drawing):
    G = series(graphs, 8)
    drawn = read_drawing(*draw_grafx(G, width=3.3))
    assert np.ptp([drawn.center(n)[1] for n in G]) < 1e-6
    long = series(graphs, 40)
    for options in ({}, {"width": 30}, {"width": 3.3, "vertical": True}):
        drawn = read_drawing(*draw_grafx(long, **options))
        axis = 0 if options.get("vertical") else 1
        assert np.ptp([drawn.center(n)[axis] for n in long]) < 1e-6


@pytest.mark.parametrize(("stems", "groups", "keep"), [(40, 1, 0.4), (24, 4, 1.0)])
def test_many_chains_that_flow_downwards_begin_beneath_each_other(graphs, read_drawing, stems, groups, keep):
    G = graphs.console(stems, groups, keep)
    fig, ax = draw_grafx(G, width=3.3, vertical=True, legend=False)
    drawn = check(fig, ax, G, read_drawing)
    assert smallest(fig, ax) >= 8.5 * READABLE * 0.99
    assert len({round(drawn.center(n)[1], 3) for n in G if G.nodes[n]["node_type"] == "in"}) > 1
    assert all(drawn.center(u)[1] > drawn.center(v)[1] for u, v in G.edges())


def test_cycles_and_side_chains_begin_beneath_each_other_too(graphs, read_drawing):
    G = branches(graphs)
    fig, ax = draw_grafx(G, width=0.8, vertical=True, legend=False)
    check(fig, ax, G, read_drawing)


@pytest.mark.parametrize("vertical", [False, True])
def test_parts_stand_side_by_side_where_they_have_room(graphs, read_drawing, vertical):
    G = nx.disjoint_union_all([*[graphs.make(["in", "eq", "out"], [(0, 1), (1, 2)])] * 9, graphs.make(["eq"] * 20, [])])
    fig, ax = draw_grafx(G, width=4.5, vertical=vertical, legend=False)
    drawn = check(fig, ax, G, read_drawing)
    starts = [drawn.center(3 * k) for k in range(9)]
    assert len({round(x, 3) for x, _ in starts}) > 1 and len({round(y, 3) for _, y in starts}) > 1
    loners = [drawn.center(n) for n in G if G.degree(n) == 0]
    assert 2 <= len({round(y, 3) for _, y in loners}) <= 4
    left, right = ax.get_xlim()
    assert all(left < box.x0 and box.x1 < right for box in drawn.boxes.values())
    assert smallest(fig, ax) > 8.4


def test_a_folded_drawing_shrinks_as_a_whole(graphs, read_drawing):
    G = series(graphs, 40)
    fig, ax = draw_grafx(G, width=3.3, legend=False)
    before = smallest(fig, ax)
    fig.set_size_inches(fig.get_size_inches() / 3)
    assert smallest(fig, ax) == pytest.approx(before / 3)
    check(fig, ax, G, read_drawing)
    assert draw_grafx(G, width=3.3)[0]._repr_svg_() == draw_grafx(G, width=3.3)[0]._repr_svg_()
