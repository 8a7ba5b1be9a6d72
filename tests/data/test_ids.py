"""New ids follow the largest one, whoever made the others: the order of ids is that of stems."""

import copy
import pickle
import random

import networkx as nx
import pytest
import torch
from grafx.processors import StereoGain

from grafx.data import (
    GRAFX,
    GraphError,
    NodeConfigs,
    batch_grafx,
    convert_to_graph,
    convert_to_tensor,
    from_pyg,
    load_grafx,
    read_graphml,
    save_grafx,
    to_pyg,
    unbatch_grafx,
    write_graphml,
)
from grafx.render import Renderer, reorder_for_fast_render

CONFIG = NodeConfigs(["eq"])
NODE = {"node_type": "in", "parameters": None, "name": None}
UP = {i: i + 50 for i in range(4)}


def build():
    G = GRAFX(config=CONFIG)
    out = G.add("out")
    for _ in range(2):
        G.connect(G.add("in"), out)
    G.connect(G.add("eq"), out)
    G.connect(1, 3)
    return G


def edited(edit):
    """Of an edit in place."""

    def make():
        G = build()
        edit(G)
        return G

    return make


def above(G, by=50):
    return nx.relabel_nodes(G, {i: i + by for i in G})


def through_files(save, load):
    def make(tmp_path):
        save(above(build()), tmp_path / "file")
        return load(tmp_path / "file")

    return make


ROUTES = {
    "nothing": build,
    "relabelled": lambda: above(build()),
    "relabelled twice": lambda: above(above(build()), -20),
    "one relabelled": lambda: nx.relabel_nodes(build(), {0: 50}),
    "relabelled in place": edited(lambda G: nx.relabel_nodes(G, UP, copy=False)),
    "one relabelled in place": edited(lambda G: nx.relabel_nodes(G, {1: 50}, copy=False)),
    "relabelled below zero": lambda: above(build(), -50),
    "integers": lambda: nx.convert_node_labels_to_integers(build(), first_label=50),
    "integers by degree": lambda: nx.convert_node_labels_to_integers(above(build()), ordering="decreasing degree"),
    "numpy integers": lambda: nx.relabel_nodes(build(), {i: torch.tensor(i + 50).numpy()[()] for i in range(4)}),
    "add_node": edited(lambda G: G.add_node(50, **NODE)),
    "add_node and one below": edited(lambda G: (G.add_node(50, **NODE), G.add_node(10, **NODE))),
    "add_nodes_from": edited(lambda G: G.add_nodes_from([50, 10], **NODE)),
    "add_edge": edited(lambda G: G.add_edge(50, 51, outlet="main", inlet="main")),
    "add_edges_from": edited(lambda G: G.add_edges_from([(50, 10)])),
    "remove_node": edited(lambda G: G.remove_node(3)),
    "remove_nodes_from": edited(lambda G: (G.add_node(50, **NODE), G.remove_nodes_from([2, 3]))),
    "last removed and put back": edited(lambda G: (G.remove_node(3), G.add_node(50, **NODE), G.add_node(3, **NODE))),
    "counter set back": edited(lambda G: (G.add_node(50, **NODE), setattr(G, "counter", 0))),
    "cleared and filled": edited(lambda G: (G.clear(), G.add_node(50, **NODE))),
    "updated": edited(lambda G: G.update(above(build()))),
    "merged": edited(lambda G: (G.add_node(50, **NODE), G.merge(above(build())))),
    "inserted": edited(lambda G: (G.add_node(50, **NODE), G.insert("eq", 1, 0))),
    "compose": lambda: nx.compose(above(build()), build()),
    "composed below": lambda: nx.compose(build(), above(build())),
    "union": lambda: nx.union(above(build()), build()),
    "union_all": lambda: nx.union_all([above(build()), above(build(), 20), build()]),
    "disjoint_union": lambda: nx.disjoint_union(above(build()), build()),
    "intersection": lambda: nx.intersection(above(build()), above(build())),
    "contracted": lambda: nx.contracted_nodes(above(build()), 51, 52),
    "contracted in place": edited(lambda G: (G.add_node(50, **NODE), nx.contracted_nodes(G, 50, 1, copy=False))),
    "subgraph": lambda: above(build()).subgraph([50, 53]).copy(),
    "edge_subgraph": lambda: above(build()).edge_subgraph([(51, 53, 0)]).copy(),
    "reverse": lambda: above(build()).reverse(),
    "to_directed": lambda: above(build()).to_directed(),
    "copy": lambda: above(build()).copy(),
    "copy.copy": lambda: copy.copy(above(build())),
    "deepcopy": lambda: copy.deepcopy(above(build())),
    "pickle": lambda: pickle.loads(pickle.dumps(above(build()))),
    "pickled in the middle": lambda: pickle.loads(pickle.dumps(edited(lambda G: G.add_node(50, **NODE))())),
    "batch": lambda: batch_grafx([build(), above(build()), above(build(), -3)]),
    "unbatch": lambda: unbatch_grafx(batch_grafx([above(build()), build()]))[0],
    "tensor": lambda: convert_to_graph(convert_to_tensor(above(build()))),
    "pyg": lambda: convert_to_graph(from_pyg(to_pyg(above(build())), CONFIG)),
    "scheduled": lambda: reorder_for_fast_render(above(build())),
    "rendered": lambda: Renderer(above(build()), {"eq": StereoGain()}).graph(),
    "files": through_files(save_grafx, lambda path: load_grafx(path)[0]),
    "GraphML": through_files(write_graphml, read_graphml),
}


@pytest.mark.parametrize("route", ROUTES)
def test_new_ids_follow_the_largest(route, tmp_path):
    if route == "pyg":
        pytest.importorskip("torch_geometric")
    make = ROUTES[route]
    G = make(tmp_path) if make.__code__.co_argcount else make()
    for _ in range(2):
        before, counter = set(G), G.counter
        added = G.add("in")
        assert type(added) is int and added == counter and added > max(before)
    stems = [i for i, data in sorted(G.nodes(data=True)) if data.get("node_type") == "in"]
    assert stems[-1] == added
    G.add_node(200, **NODE)
    assert G.copy().add("in") == G.add("in") == 201


def test_ids_follow_any_edits_of_networkx():
    rng = random.Random(0)
    for _ in range(200):
        G, expected = GRAFX(), 0
        for _ in range(rng.randint(1, 20)):
            ids = list(G)
            edit = rng.choice(["add", "add", "raw", "remove", "raw remove", "relabel", "in place", "copy"])
            if edit == "add":
                expected = max([expected, *(i + 1 for i in G)])
                assert G.add("in") == expected
                expected += 1
            elif edit == "raw":
                G.add_node(rng.randint(-3, 30))
            elif edit == "copy":
                G = copy.deepcopy(G) if rng.random() < 0.5 else G.copy()
            elif ids and edit == "remove":
                G.remove(rng.choice(ids))
            elif ids and edit == "raw remove":
                G.remove_nodes_from(rng.sample(ids, rng.randint(1, len(ids))))
            elif ids:
                G = nx.relabel_nodes(G, {rng.choice(ids): rng.randint(40, 60)}, copy=edit == "relabel")
            assert G.counter == max([expected, *(i + 1 for i in G)])


def test_graphs_with_ids_below_zero_are_batched_side_by_side():
    parts = [build(), above(build(), -2), above(build(), -9)]
    union = batch_grafx(parts)
    assert len(union) == 12 and union.number_of_edges() == 12
    for part, back in zip(parts, unbatch_grafx(union), strict=True):
        assert nx.utils.graphs_equal(nx.convert_node_labels_to_integers(part, ordering="sorted"), back)


@pytest.mark.parametrize("odd", ["a", 2.5, float("nan"), ("a", 1), None])
def test_ids_that_are_no_integers_count_for_nothing_and_are_refused_by_name(odd, tmp_path):
    G = build()
    G.add_node((odd, 0) if odd is None else odd, **NODE)
    assert G.add("in") == 4
    for use in (
        convert_to_tensor,
        reorder_for_fast_render,
        lambda G: batch_grafx([G]),
        lambda G: save_grafx(G, tmp_path),
        lambda G: write_graphml(G, tmp_path / "graph.graphml"),
        to_pyg,
    ):
        with pytest.raises(GraphError, match="is not an integer"):
            use(G)


def test_ids_below_zero_render_and_are_refused_by_files(tmp_path):
    G = above(build(), -2)
    x = torch.arange(2.0)[:, None, None].expand(2, 1, 3)
    G.remove(1)
    assert Renderer(G, {})(x).tolist() == [[[1.0] * 3]]
    for save in (save_grafx, write_graphml):
        with pytest.raises(GraphError, match="-2"):
            save(G, tmp_path / "graph.graphml")
