"""Feedbacks, sidechains and sends."""

import networkx as nx
import pytest

from grafx.data import GRAFX, NodeConfigs
from grafx.draw import draw_grafx
from grafx.draw.kinds import LEGEND_NAMES, edge_kinds

CONFIG = NodeConfigs(
    {
        "compressor": {"inlets": ["main", "sidechain"]},
        "modulator": {"inlets": ["main", "carrier"]},
        "merger": {"inlets": ["left", "right"]},
        "send": {},
        "strip": {"outlets": ["main", "send"]},
        "eq": {},
    }
)


def kinds(types, edges, config=CONFIG):
    G = GRAFX(config=config)
    for node_type in types:
        G.add(node_type)
    for source, dest, *plugs in edges:
        G.add_edge(source, dest, **dict(zip(("outlet", "inlet"), plugs or ("main", "main"), strict=True)))
    return {edge[:2]: kind for edge, kind in edge_kinds(G).items()}


@pytest.mark.parametrize("config", [CONFIG, None])
def test_sidechains_arrive_at_other_inlets_than_main(config):
    edges = [(0, 2), (1, 2, "main", "sidechain")]
    assert kinds(["in", "in", "compressor"], edges, config) == {(1, 2): "sidechain"}
    edges = [(0, 2), (1, 2, "main", "carrier")]
    assert kinds(["in", "in", "modulator"], edges, config) == {(1, 2): "sidechain"}
    edges = [(0, 2, "main", "left"), (1, 2, "main", "right")]
    assert kinds(["in", "in", "merger"], edges, config) == {}


def test_sends_are_nodes_or_outlets():
    assert kinds(["eq", "send", "mix"], [(0, 1), (1, 2), (0, 2)]) == {(0, 1): "send", (1, 2): "send"}
    edges = [(0, 1), (1, 2, "main", "main"), (1, 3, "send", "main")]
    assert kinds(["eq", "strip", "eq", "mix"], edges) == {(1, 3): "send"}


def test_a_feedback_is_one_whatever_else_it_is():
    edges = [(0, 1), (1, 2), (2, 1, "main", "sidechain")]
    assert kinds(["in", "compressor", "eq"], edges) == {(2, 1): "feedback"}


def test_kinds_have_dashes_of_their_own_and_stand_in_the_legend():
    G = GRAFX(config=CONFIG)
    for node_type in ("in", "in", "compressor", "send", "mix", "eq", "out"):
        G.add(node_type)
    for edge in ((0, 2), (2, 3), (3, 4), (4, 5), (5, 6)):
        G.connect(*edge)
    G.connect(1, 2, inlet="sidechain")
    G.add_edge(5, 4, outlet="main", inlet="main")
    _, ax = draw_grafx(G)
    dashes = {
        patch.get_gid(): patch.get_linestyle() for patch in ax.patches if (patch.get_gid() or "").startswith("edge")
    }
    drawn = [dashes[f"edge-{u}-{v}-0"] for u, v in ((0, 2), (1, 2), (2, 3), (5, 4))]
    assert len({str(style) for style in drawn}) == 4 and drawn[0] in ("-", "solid")
    texts = [text.get_text() for text in ax.texts]
    assert all(name in texts for name in LEGEND_NAMES.values())
    plain = nx.MultiDiGraph()
    plain.add_node(0, node_type="in")
    assert not set(LEGEND_NAMES.values()) & {text.get_text() for text in draw_grafx(plain)[1].texts}
