"""One numbering for all graphs that are the same."""

import networkx as nx
import pytest

from grafx.data import GRAFX, GraphError, NodeConfigs
from grafx.estimate.tokens import canonical_key, canonical_order

CONFIG = NodeConfigs(
    {"a": {}, "b": {}, "split": {"outlets": ["low", "high"]}, "key": {"inlets": ["main", "sidechain"]}}
)


def read(G, inputs=None, settings=None):
    """What a graph is in its canonical order: types, cables, settings."""
    order = canonical_order(G, inputs, settings)
    place = {node: i for i, node in enumerate(order)}
    cables = sorted((place[s], place[d], c["outlet"], c["inlet"]) for s, d, c in G.edges(data=True))
    return [G.nodes[i]["node_type"] for i in order], cables, settings and [settings[i] for i in order]


def two_layers(cables):
    """``a`` nodes that feed ``b`` nodes, so that no node is told from another of its layer by what is near it."""
    G = GRAFX(config=CONFIG)
    source, out = G.add("in"), G.add("out")
    layers = [[G.add(kind) for _ in range(1 + max(max(cable) for cable in cables))] for kind in "ab"]
    for one, other in zip(*layers, strict=True):
        G.connect(source, one)
        G.connect(other, out)
    for i, j in cables:
        G.connect(layers[0][i], layers[1][j])
    return G


def ring(length, start=0):
    return [(start + i, start + (i + step) % length) for i in range(length) for step in (0, 1)]


def some_graphs(graphs, rng, count):
    return [graphs.graph(graphs.config(rng), rng) for _ in range(count)]


def test_keys_do_not_depend_on_numbers(graphs, rng):
    for G in some_graphs(graphs, rng, 100):
        H = graphs.renumbered(G, rng)
        assert canonical_key(H) == canonical_key(G)
        assert read(H) == read(G)


def test_keys_tell_apart_what_is_not_isomorphic(graphs, rng):
    small = [graphs.graph(CONFIG, rng, most=4) for _ in range(60)]
    keys = [canonical_key(G) for G in small]
    same = 0
    for i, G in enumerate(small):
        for j in range(i):
            assert (keys[i] == keys[j]) == graphs.is_isomorphic(G, small[j])
            same += keys[i] == keys[j]
    assert same  # both cases occur


def test_graphs_that_refinement_cannot_tell_apart(graphs, rng):
    one, two = two_layers(ring(6)), two_layers(ring(3) + ring(3, start=3))
    assert not graphs.is_isomorphic(one, two)
    assert canonical_key(one) != canonical_key(two)
    for G in (one, two):
        assert {canonical_key(graphs.renumbered(G, rng)) for _ in range(10)} == {canonical_key(G)}


def test_regular_graphs(graphs, rng):
    """Nodes of each layer feed and hear as many others, in all kinds of ways."""
    found = {}
    while len(found) < 6:
        cables = {(i, j) for row in (rng.sample(range(6), 6) for _ in range(3)) for i, j in enumerate(row)}
        G = two_layers(sorted(cables))
        key = canonical_key(G)
        assert canonical_key(graphs.renumbered(G, rng)) == key
        for other, H in found.items():
            assert (other == key) == graphs.is_isomorphic(G, H)
        found[key] = G


def test_order_follows_the_signal(graphs, rng):
    for G in some_graphs(graphs, rng, 30):
        place = {node: i for i, node in enumerate(canonical_order(G))}
        assert sorted(place) == sorted(G)
        assert all(place[s] < place[d] for s, d in G.edges())


def test_branches_are_passed_one_after_the_other():
    G = GRAFX(config=CONFIG)
    source, one, two, three, mix, out = map(G.add, ["in", "a", "b", "a", "mix", "out"])
    for cable in [(source, one), (one, two), (source, three), (two, mix), (three, mix), (mix, out)]:
        G.connect(*cable)
    types = [G.nodes[i]["node_type"] for i in canonical_order(G)]
    assert types in (["in", "a", "b", "a", "mix", "out"], ["in", "a", "a", "b", "mix", "out"])


@pytest.mark.parametrize("kinds", ["a", "ab", "aba"])
@pytest.mark.parametrize("values", [1, 2, 1000])
def test_equal_branches_do_not_explode(graphs, rng, kinds, values):
    G, _ = graphs.branches(20, kinds, CONFIG)
    nx.set_node_attributes(G, {i: rng.randrange(values) for i in G}, "value")
    H = graphs.renumbered(G, rng)
    settings = [dict(graph.nodes(data="value")) for graph in (G, H)]
    assert canonical_key(G) == canonical_key(H)
    assert read(G, settings=settings[0]) == read(H, settings=settings[1])


def test_full_layers_do_not_explode(graphs, rng):
    G = two_layers([(i, j) for i in range(30) for j in range(30)])
    assert canonical_key(graphs.renumbered(G, rng)) == canonical_key(G)
    less = G.copy()
    less.remove_edge(2, 32)
    assert canonical_key(graphs.renumbered(less, rng)) == canonical_key(less) != canonical_key(G)


FULL = [(i, j) for i in range(3) for j in range(3)]


@pytest.mark.parametrize("cables", [FULL, ring(6), ring(3) + ring(3, start=3), ring(4) + ring(2, start=4)])
def test_settings_order_what_the_structure_does_not(graphs, rng, cables):
    G = two_layers(cables)
    for values in (1, 2, 3, 100):
        nx.set_node_attributes(G, {i: rng.randrange(values) for i in G}, "value")
        first = read(G, settings=dict(G.nodes(data="value")))
        assert first[:2] == read(G)[:2]
        for _ in range(5):
            H = graphs.renumbered(G, rng)
            assert read(H, settings=dict(H.nodes(data="value"))) == first


def test_settings_of_random_graphs(graphs, rng):
    for G in some_graphs(graphs, rng, 60):
        nx.set_node_attributes(G, {i: (rng.randrange(2),) for i in G}, "value")
        H = graphs.renumbered(G, rng)
        first = read(G, settings=dict(G.nodes(data="value")))
        assert read(H, settings=dict(H.nodes(data="value"))) == first
        assert first[:2] == read(G)[:2]


def test_settings_and_names_do_not_belong_to_the_structure():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", {"node_type": "a", "name": "one", "parameters": {"gain": 1.0}}, "out"])
    H = GRAFX()
    H.add_serial_chain(["in", "a", "out"])
    assert canonical_key(G) == canonical_key(H)


def test_inputs_are_alike_unless_they_are_named():
    def console(*names):
        G = GRAFX(config=CONFIG)
        out = G.add("out")
        for name, kind in zip(names, "ab", strict=True):
            first, last = G.add_serial_chain([{"node_type": "in", "name": name}, kind])
            G.connect(last, out)
            assert first == last - 1
        return G

    plain, named, crossed = console(None, None), console("voice", "drums"), console("drums", "voice")
    assert len({canonical_key(G) for G in (plain, named, crossed)}) == 3
    assert len({canonical_key(G, inputs=()) for G in (plain, named, crossed)}) == 1
    assert canonical_key(named, inputs=["voice"]) == canonical_key(console("voice", "bass"), inputs=["voice"])


def test_plugs_belong_to_the_structure():
    def split(outlet, inlet):
        G = GRAFX(config=CONFIG)
        _, last = G.add_serial_chain(["in", "key", "out"])
        band = G.add("split")
        G.connect(0, band, inlet="main")
        G.connect(band, last - 1, outlet=outlet, inlet=inlet)
        return canonical_key(G)

    plugs = [(outlet, inlet) for outlet in ("low", "high") for inlet in ("main", "sidechain")]
    assert len({split(*plug) for plug in plugs}) == 4


def test_cables_that_are_there_twice_count_twice(graphs, rng):
    """No valid graph has them, but raw calls of networkx may make them."""
    one, two = (two_layers([(0, 0), (0, 1), (1, 0), (1, 1)]) for _ in range(2))
    for G, ends in ((one, (3, 2)), (two, (2, 3))):
        for source, dest in zip((2, 3), (4 + end - 2 for end in ends), strict=True):
            G.add_edge(source, dest, outlet="main", inlet="main")
    assert canonical_key(one) == canonical_key(two)
    G = two_layers([(0, 0), (0, 1), (1, 0), (1, 1)])
    for source in (2, 3):
        G.add_edge(source, 4, outlet="main", inlet="main")
    assert canonical_key(graphs.renumbered(G, rng)) == canonical_key(G) != canonical_key(one)


def test_cycles_have_a_key_and_no_order(graphs, rng):
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", "mix", "a", "b", "out"])
    G.connect(3, 1)
    assert canonical_key(graphs.renumbered(G, rng)) == canonical_key(G)
    with pytest.raises(GraphError, match="a graph with a cycle"):
        canonical_order(G)


def test_empty_graph():
    assert canonical_order(GRAFX()) == []
    assert canonical_key(GRAFX()) != canonical_key(two_layers([(0, 0)]))


def test_what_is_missing_is_named():
    G = nx.MultiDiGraph()
    G.add_node("x")
    with pytest.raises(GraphError, match="Node 'x' has no node_type"):
        canonical_key(G)
    G.nodes["x"]["node_type"] = "a"
    G.add_node("y", node_type="a")
    G.add_edge("x", "y", outlet="main")
    with pytest.raises(GraphError, match="'x' -> 'y' lacks an outlet or an inlet"):
        canonical_key(G)
