"""Drawing functions of GRAFX, in its units."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from grafx.data import GRAFX
from grafx.draw.bezier import Bezier
from grafx.draw.edge import add_edge_curve, draw_edge
from grafx.draw.graph import draw_grafx, postprocess_figure
from grafx.draw.node import draw_node, plot_points
from grafx.draw.position import compute_node_position, compute_rank, estimate_chain
from grafx.draw.style import NodeColorHandler


@pytest.fixture
def G():
    G = GRAFX()
    eq = G.add_serial_chain(["in", "eq", "comp"])[1]
    out, mix, second = G.add("out"), G.add("mix"), G.add("in")
    G.connect(eq, mix)
    G.connect(second, mix)
    G.connect(mix, out)
    return G


def test_positions_follow_ranks_and_chains(G):
    chains = estimate_chain(G)
    assert chains == [(0, 0, []), (0, 5, []), (1, 4, [0, 5])]
    assert dict(G.nodes(data="chain")) == {0: 0, 1: 0, 2: 0, 3: 4, 4: 4, 5: 5}
    order, nodes_of, same = compute_rank(G)
    assert same == chains and nodes_of == {0: {0: [0], 1: [1], 2: [2]}, 5: {0: [5]}, 4: {3: [4], 4: [3]}}
    ranks = dict(G.nodes(data="rank"))
    assert [ranks[node] for node in order] == sorted(ranks.values())
    assert [ranks[node] for node in compute_rank(G, reverse=True)[0]] == sorted(ranks.values(), reverse=True)
    assert compute_node_position(G, (2.0, 0.5)) is None
    places = {(data["x0"], data["y0"]) for _, data in G.nodes(data=True)}
    assert len(places) == 6 and {x for x, _ in places} == {0.0, 2.0, 4.0, 6.0, 8.0}
    assert all(y % 0.5 == 0 for _, y in places)


@pytest.mark.parametrize("vertical", [False, True])
def test_functions_of_grafx_draw_a_graph(G, vertical):
    functions = {
        "compute_node_position_fn": compute_node_position,
        "draw_node_fn": draw_node,
        "draw_edge_fn": draw_edge,
    }
    options = {"position_node_spacing": (0.8, 0.8), "node_size": (0.5, 0.5), "node_above": "node_id"}
    _, ax = draw_grafx(G, vertical, **functions, **options)
    names = [patch.get_gid() or "" for patch in ax.patches]
    assert sum(name.startswith("node-") for name in names) == 6 and sum(name.startswith("edge-") for name in names) == 5
    assert {"eq", "comp"} <= {text.get_text() for text in ax.texts}


def test_curves():
    points = [np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.array([2.0, 0.0])]
    np.testing.assert_allclose(Bezier.TwoPoints(0.25, points[0], points[1]), [0.25, 0.25])
    np.testing.assert_allclose(Bezier.Points(0.5, points), [[0.5, 0.5], [1.5, 0.5]])
    t = np.linspace(0, 1, 5)
    np.testing.assert_allclose(Bezier.Curve(t, points), np.stack([2 * t, 2 * t * (1 - t)], 1), atol=1e-15)
    fig, ax = plt.subplots()
    add_edge_curve(ax, (0.0, 0.0), (1.0, 2.0), eps=0.1)
    np.testing.assert_allclose(ax.lines[-1].get_xydata()[[0, -1]], [[0.1, 0], [0.9, 2]])
    plot_points(ax, (0, 0), 1, 2)
    assert {tuple(line.get_xydata()[0]) for line in ax.lines[-4:]} == {(0, 0), (0, 2), (1, 0), (1, 2)}
    ax.set(xlim=(0, 10), ylim=(5, 0))
    postprocess_figure(fig, ax)
    assert not ax.axison
    np.testing.assert_allclose(fig.get_size_inches(), [3.0, 1.5])
    plt.close(fig)


def test_colors_of_types():
    handler = NodeColorHandler({"eq": "red"}, ["in", "reverb"], ["white", "blue"])
    assert handler.get_facecolor("eq") == "red" and handler.get_facecolor("reverb") == "#0000ff"
    assert handler.get_colors("in") == {"facecolor": "#ffffff", "edgecolor": handler.get_edgecolor("in")}
    with pytest.raises(KeyError, match="delay"):
        handler.get_colors("delay")
