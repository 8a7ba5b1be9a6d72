"""Properties of a good drawing, measured on what is really drawn."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from grafx.draw import Block, draw_grafx, layered_layout, layout
from grafx.draw.alignment import aligned_positions
from grafx.draw.layout import find_backward_edges, find_chains, find_layers
from grafx.errors import GraphError

both_directions = pytest.mark.parametrize("vertical", [False, True])


def overlap(a, b, tolerance=0.0):
    return (
        min(a.x1, b.x1) - max(a.x0, b.x0) > tolerance
        and min(a.y1, b.y1) - max(a.y0, b.y0) > tolerance
    )  # fmt: skip


def runs_through(curve, box, tolerance=0.5):
    x, y = curve.T
    inside = (x > box.x0 + tolerance) & (x < box.x1 - tolerance) & (y > box.y0 + tolerance) & (y < box.y1 - tolerance)
    return inside.any()


def check_clear(drawn, G):
    assert set(drawn.boxes) == set(G)
    assert set(drawn.curves) == set(G.edges(keys=True))
    for a, b in combinations(drawn.boxes, 2):
        assert not overlap(drawn.boxes[a], drawn.boxes[b]), (a, b)
    for edge, curve in drawn.curves.items():
        assert not [n for n, box in drawn.boxes.items() if runs_through(curve, box)], edge


@both_directions
@pytest.mark.parametrize(
    "num_nodes, span, seed", [(5, 3, 0), (12, 4, 1), (30, 30, 2), (60, 6, 3), (120, 12, 4), (300, 25, 5)]
)
def test_edges_run_around_nodes_and_along_the_flow(graphs, read_drawing, num_nodes, span, seed, vertical):
    G = graphs.dag(num_nodes, seed, span)
    drawn = read_drawing(*draw_grafx(G, vertical=vertical))
    check_clear(drawn, G)
    axis, sign = (1, -1) if vertical else (0, 1)
    for u, v, key in G.edges(keys=True):
        assert sign * (drawn.center(v) - drawn.center(u))[axis] > 0
        steps = sign * np.diff(drawn.curves[u, v, key][:, axis])
        assert steps.min() > -1e-9


@both_directions
def test_edges_end_at_their_nodes(graphs, read_drawing, vertical):
    G = graphs.dag(40)
    drawn = read_drawing(*draw_grafx(G, vertical=vertical))
    for (u, v, _), curve in drawn.curves.items():
        start, end = drawn.boxes[u], drawn.boxes[v]
        side = (start.y0, end.y1) if vertical else (start.x1, end.x0)
        axis = 1 if vertical else 0
        assert curve[0, axis] == pytest.approx(side[0])
        assert abs(curve[-1, axis] - side[1]) == pytest.approx(6)  # the arrowhead covers the rest
        assert curve[0, 1 - axis] == pytest.approx(drawn.center(u)[1 - axis])
        assert curve[-1, 1 - axis] == pytest.approx(drawn.center(v)[1 - axis])


@both_directions
@pytest.mark.parametrize("stems, groups, keep", [(4, 1, 1.0), (16, 4, 1.0), (16, 4, 0.5), (5, 1, 0.3)])
def test_stems_are_straight_and_in_order(graphs, read_drawing, stems, groups, keep, vertical):
    G = graphs.console(stems, groups, keep)
    drawn = read_drawing(*draw_grafx(G, vertical=vertical))
    check_clear(drawn, G)
    across = 0 if vertical else 1
    for chain in set(find_chains(G).values()):
        rows = [drawn.center(n)[across] for n, c in find_chains(G).items() if c == chain]
        assert np.ptp(rows) < 1e-6
    rows = [drawn.center(n)[across] for n, t in G.nodes(data="node_type") if t == "in"]
    assert np.all(np.diff(rows) > 0) if vertical else np.all(np.diff(rows) < 0)
    for u, v in combinations(G.edges(keys=True), 2):
        if u[1] != v[1]:
            assert not _cross(drawn.curves[u], drawn.curves[v], across)


def _cross(a, b, across):
    along = 1 - across
    low = max(a[:, along].min(), b[:, along].min())
    high = min(a[:, along].max(), b[:, along].max())
    if low >= high:
        return False
    grid = np.linspace(low, high, 50)
    rows = [np.interp(grid, *c[np.argsort(c[:, along], kind="stable")].T[[along, across]]) for c in (a, b)]
    gap = rows[0] - rows[1]
    return gap.min() < -1 and gap.max() > 1


def test_needless_crossings_are_removed(graphs, read_drawing):
    """Stems that were entered in turns for two groups."""
    stems = [(i, 6 + i % 2) for i in range(6)]
    G = graphs.make([*["in"] * 6, "mix", "mix", "mix", "out"], [*stems, (6, 8), (7, 8), (8, 9)])
    drawn = read_drawing(*draw_grafx(G))
    for a, b in combinations(drawn.curves, 2):
        if a[1] != b[1]:
            assert not _cross(drawn.curves[a], drawn.curves[b], 1)


@both_directions
def test_a_side_chain_does_not_bend_the_main_one(graphs, read_drawing, vertical):
    chains = [(0, 1), (1, 2), (3, 4), (4, 5), (2, 6), (5, 6), (6, 7)]
    types = ["in", "eq", "compressor", "in", "eq", "compressor", "mix", "out"]
    G = graphs.make(types, [*chains, (1, 5, "main", "sidechain")])
    drawn = read_drawing(*draw_grafx(G, vertical=vertical))
    check_clear(drawn, G)
    across = 0 if vertical else 1
    assert np.ptp([drawn.center(n)[across] for n in (3, 4, 5)]) < 1e-6


@pytest.mark.parametrize("stems, groups", [(4, 1), (16, 4), (6, 2), (6, 3)])
def test_a_mix_stands_in_the_middle_of_its_stems(graphs, read_drawing, stems, groups):
    G = graphs.console(stems, groups)
    drawn = read_drawing(*draw_grafx(G))
    for mix in (n for n, t in G.nodes(data="node_type") if t == "mix"):
        rows = [drawn.center(n)[1] for n in G.pred[mix]]
        assert drawn.center(mix)[1] == pytest.approx(np.mean(rows), abs=1e-3)


def test_layers_have_the_least_total_length(graphs):
    """A parallel branch of another length does not stretch a chain."""
    G = graphs.make(["in", *["eq"] * 4, "mix"], [(0, 1), (1, 2), (2, 3), (3, 5), (0, 4), (4, 5)])
    assert find_layers(G) == {0: 0, 1: 1, 2: 2, 3: 3, 5: 4, 4: 1}
    late = graphs.make(["in", "eq", "eq", "mix", "noise"], [(0, 1), (1, 2), (2, 3), (4, 3)])
    assert find_layers(late)[4] == 2  # a source that is no input stands right before what it feeds


def test_layers_of_random_graphs_agree_with_exhaustive_search(graphs):
    from itertools import product

    for seed in range(4):
        G = graphs.dag(6, seed, span=3)
        nx.set_node_attributes(G, "eq", "node_type")
        pairs = set(G.edges())

        def length(layers, pairs=pairs):
            return sum(layers[v] - layers[u] for u, v in pairs)

        allowed = (c for c in product(range(6), repeat=6) if all(c[v] > c[u] for u, v in pairs))
        assert length(find_layers(G)) == min(map(length, allowed))


def test_chains_end_where_edges_meet_or_part(graphs):
    G = graphs.make(
        ["in", "eq", "gain", "delay", "reverb", "mix", "out"], [(0, 1), (1, 2), (1, 3), (3, 4), (2, 5), (4, 5), (5, 6)]
    )
    assert find_chains(G) == {0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 6: 3}
    ring = graphs.make(["eq"] * 3, [(0, 1), (1, 2), (2, 0)])
    assert set(find_chains(ring)) == {0, 1, 2}


@both_directions
def test_cycles_are_drawn_against_the_flow(graphs, read_drawing, vertical):
    G = graphs.make(["in", "mix", "delay", "eq", "out"], [(0, 1), (1, 2), (2, 3), (3, 4), (3, 1), (2, 1), (2, 2)])
    assert find_backward_edges(G) == {(3, 1), (2, 1)}
    drawn = read_drawing(*draw_grafx(G, vertical=vertical))
    check_clear(drawn, G)
    axis, across, sign = (1, 0, -1) if vertical else (0, 1, 1)
    assert np.ptp([drawn.center(n)[across] for n in G]) < 1e-6
    (x, y), limits = drawn.curves[2, 2, 0].T, (drawn.axes.get_xlim(), drawn.axes.get_ylim())
    assert limits[0][0] < x.min() and limits[1][1] > y.max()
    for edge in [(3, 1, 0), (2, 1, 0)]:
        curve = drawn.curves[edge]
        assert sign * (curve[-1] - curve[0])[axis] < 0


@pytest.mark.slow
def test_a_graph_of_cycles_only(graphs, read_drawing):
    G = graphs.make(["eq"] * 4, [(0, 1), (1, 0), (2, 3), (3, 2)])
    check_clear(read_drawing(*draw_grafx(G)), G)


@both_directions
def test_parts_lie_beneath_each_other_and_loners_in_rows(graphs, read_drawing, vertical):
    G = nx.disjoint_union_all([graphs.console(3), graphs.console(2), graphs.make(["eq"] * 30, [])])
    drawn = read_drawing(*draw_grafx(G, vertical=vertical))
    check_clear(drawn, G)
    across = 0 if vertical else 1
    parts = [sorted(p) for p in nx.weakly_connected_components(G) if len(p) > 1]
    rows = [[(1 if vertical else -1) * drawn.center(n)[across] for n in p] for p in parts]
    assert max(rows[0]) < min(rows[1])
    loners = [drawn.center(n) for n in G if G.degree(n) == 0]
    assert min((1 if vertical else -1) * p[across] for p in loners) > max(rows[1])
    assert len({round(p[across]) for p in loners}) < 6


def test_parallel_edges_have_ports_of_their_own(graphs, read_drawing):
    G = graphs.make(["crossover", "compressor"], [(0, 1, "low", "main"), (0, 1, "high", "sidechain")])
    drawn = read_drawing(*draw_grafx(G))
    low, high = drawn.curves[0, 1, 0], drawn.curves[0, 1, 1]
    assert abs(low[0, 1] - high[0, 1]) >= 8
    assert abs(low[-1, 1] - high[-1, 1]) >= 8


def test_the_same_graph_is_drawn_the_same(graphs):
    one, two = (draw_grafx(graphs.dag(80))[0]._repr_svg_() for _ in range(2))
    assert one == two


def test_spacing_scales_the_gaps(graphs):
    G = graphs.make(["in", "eq", "out"], [(0, 1), (1, 2)])
    port = {("in", "main"): 0.0}, {("out", "main"): 0.0}
    blocks = {n: Block(20, 20, entry=port[0], exit=port[1]) for n in G}
    near, far = (layered_layout(G, blocks, node_spacing=s).positions[1][0] for s in (1.0, 2.0))
    assert far - near == pytest.approx(near - 30)


@pytest.mark.parametrize("num_nodes, span, seed", [(30, 30, 2), (120, 12, 4), (300, 25, 5)])
def test_parts_that_are_too_large_for_a_linear_program_are_clear_too(
    graphs, read_drawing, monkeypatch, num_nodes, span, seed
):
    monkeypatch.setattr(layout, "MOST_EXACT", 0)
    monkeypatch.setattr(layout, "_find_across", None)
    G = graphs.dag(num_nodes, seed, span)
    check_clear(read_drawing(*draw_grafx(G)), G)


@pytest.mark.parametrize("stems, groups, keep", [(16, 4, 1.0), (40, 5, 0.5)])
def test_rows_of_a_console_are_as_straight_as_the_best(graphs, stems, groups, keep):
    G = graphs.console(stems, groups, keep)
    port = {("in", "main"): 0.0}, {("out", "main"): 0.0}
    blocks = {n: Block(20, 20, entry=port[0], exit=port[1]) for n in G}
    layers = layout.find_layers(G)
    part = layout._split_edges(G, list(G), blocks, layers, set())
    layout._reduce_crossings(part)
    gaps = list(layout._find_gaps(part, 1.0))
    found = aligned_positions(part.layers, part.links, gaps, layout.END_WEIGHT)
    assert all(found[j] - found[i] >= distance - 1e-9 for i, j, distance in gaps)

    def bent(across):
        return sum(w * abs(across[a] + p - across[b] - q) for a, b, p, q, w in part.links)

    assert bent(found) <= 1.1 * bent(layout._find_across(part, 1.0))


def test_huge_graphs_have_each_node_in_the_first_layer_it_may_be_in(graphs, read_drawing, monkeypatch):
    monkeypatch.setattr(layout, "MOST_PAIRS", 0)
    G = graphs.dag(40)
    expected = {n: k for k, generation in enumerate(nx.topological_generations(G)) for n in generation}
    assert find_layers(G) == expected
    check_clear(read_drawing(*draw_grafx(G)), G)


def test_chains_are_straight_also_at_ports_beside_the_middle(graphs, read_drawing):
    cables = [(0, 1), (1, 2, "low", "main"), (2, 3, "main", "sidechain"), (3, 4)]
    G = graphs.make(["in", "crossover", "eq", "compressor", "out"], cables)
    drawn = read_drawing(*draw_grafx(G))
    check_clear(drawn, G)
    assert all(np.ptp(curve[:, 1]) < 1e-6 for curve in drawn.curves.values())


def test_a_graph_whose_edges_pass_too_many_layers_is_refused_before_it_is_laid_out(graphs, monkeypatch):
    monkeypatch.setattr(layout, "MOST_WAYPOINTS", 3)
    monkeypatch.setattr(layout, "_place_part", None)
    G = graphs.make(["in", *["eq"] * 5], [*((i, i + 1) for i in range(5)), (0, 5)])
    with pytest.raises(GraphError, match=r"6 nodes pass 4 layers.*subgraph.*held_positions"):
        draw_grafx(G)
