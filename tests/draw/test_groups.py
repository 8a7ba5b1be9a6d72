"""Boxes around groups."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from grafx.draw import draw_grafx
from grafx.draw.groups import buses
from grafx.search import build_console

both_directions = pytest.mark.parametrize("vertical", [False, True])


def outlines(ax):
    named = {patch.get_gid(): patch.get_path() for patch in ax.patches if patch.get_gid()}
    return {name.removeprefix("group-"): path for name, path in named.items() if name.startswith("group-")}


def points_of(box):
    return [(x, y) for x in np.linspace(box.x0, box.x1, 5) for y in np.linspace(box.y0, box.y1, 5)]


def console(chain=("eq", "compressor"), **options):
    return build_console(
        ["kick", "snare", "bass", "guitar", "voice"],
        {"drums": ["kick", "snare"], "band": ["bass", "guitar"]},
        chain,
        **options,
    )


def owned(G, *names):
    return {
        n for n, d in G.nodes(data=True) if d.get("owner") in names or (d["name"] in names and d["node_type"] != "out")
    }


@pytest.mark.parametrize("chain", [("eq", "compressor"), ()])
def test_buses_have_what_is_mixed_into_them(chain):
    G = console(chain, returns={"room": ["reverb"]})
    found = dict(buses(G))
    assert found == {"drums": owned(G, "drums", "kick", "snare"), "band": owned(G, "band", "bass", "guitar")}


def test_groups_in_groups():
    G = nx.MultiDiGraph()
    for node, (node_type, name) in enumerate(
        [
            ("in", "kick"),
            ("in", "bass"),
            ("mix", "drums"),
            ("mix", "rhythm"),
            ("in", "voice"),
            ("mix", "master"),
            ("out", ""),
        ]
    ):
        G.add_node(node, node_type=node_type, name=name)
    G.add_edges_from([(0, 2), (2, 3), (1, 3), (3, 5), (4, 5), (5, 6)])
    assert dict(buses(G)) == {"drums": {0, 2}, "rhythm": {0, 1, 2, 3}}
    boxes = outlines(draw_grafx(G, groups=True)[1])
    assert boxes["rhythm"].contains_points(boxes["drums"].vertices).all()


@both_directions
@pytest.mark.parametrize("options", [{}, {"width": 3.3, "theme": "print"}, {"node_above": "name", "theme": "dark"}])
def test_boxes_hold_their_nodes_and_no_others(read_drawing, vertical, options):
    G = console(returns={"room": ["reverb"]}, sidechains={"bass": "kick"})
    fig, ax = draw_grafx(G, vertical, groups=True, **options)
    drawn, boxes = read_drawing(fig, ax), outlines(ax)
    assert set(boxes) == {"drums", "band"}
    for name, members in buses(G):
        for node, box in drawn.boxes.items():
            inside = boxes[name].contains_points(points_of(box))
            assert inside.all() if node in members else not inside.any()
    for one, other in combinations(boxes.values(), 2):
        assert not one.intersects_path(other)
    labels = zip(ax.texts, drawn.text_boxes, strict=True)
    names = [box for text, box in labels if text.get_text() in boxes and text.get_zorder() == 3 and text._units == 7.0]
    assert len(names) == 2
    for name in names:
        assert not [node for node, box in drawn.boxes.items() if name.overlaps(box)]
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    for box in (path.get_extents() for path in boxes.values()):
        assert x0 < box.x0 and box.x1 < x1 and y0 < box.y0 and box.y1 < y1


def test_groups_among_others_have_several_boxes_that_cover_none(read_drawing):
    """Places in which the nodes of a group are not beside each other."""
    G = console(())
    order = ("kick", "bass", "snare", "guitar", "voice")
    places = {name: (0.0, -45.0 * row) for row, name in enumerate(order)}
    places |= {"drums": (60.0, -45.0), "band": (60.0, -110.0), "master": (120.0, -90.0), "mix": (180.0, -90.0)}
    positions = {node: places[data["name"]] for node, data in G.nodes(data=True)}
    fig, ax = draw_grafx(G, groups=True, compute_node_position_fn=lambda G, blocks, **options: positions)
    drawn = read_drawing(fig, ax)
    for name, members in buses(G):
        areas = [patch.get_path() for patch in ax.patches if patch.get_gid() == f"group-{name}"]
        assert len(areas) > 1
        for node, box in drawn.boxes.items():
            inside = sum(area.contains_points(points_of(box)).all() for area in areas)
            assert inside == (node in members)
    assert {"drums", "band"} <= {text.get_text() for text in ax.texts}


def test_chains_of_a_group_stand_beside_each_other(read_drawing):
    """Also where a sidechain leads from one group into another."""
    G = console(returns={"room": ["reverb"]}, sidechains={"bass": "kick"})
    for node in [node for node, data in G.nodes(data=True) if data["node_type"] == "eq"]:
        G.bypass(node)
    drawn = read_drawing(*draw_grafx(G, groups=True))
    inputs = {data["name"]: drawn.center(node) for node, data in G.nodes(data=True) if data["node_type"] == "in"}
    order = sorted(inputs, key=lambda name: inputs[name][1])
    assert abs(order.index("kick") - order.index("snare")) == abs(order.index("bass") - order.index("guitar")) == 1
    assert len({round(drawn.boxes[node].x0 + drawn.boxes[node].x1) for node in G if not list(G.pred[node])}) == 1


def test_without_groups_there_are_no_boxes(graphs):
    assert not outlines(draw_grafx(console())[1])
    assert not outlines(draw_grafx(graphs.dag(30), groups=True)[1])
    assert not outlines(draw_grafx(graphs.make([], []), groups=True)[1])
