"""Graphs made by networkx are graphs, and never render as something else."""

import copy
import pickle

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grafx.data import GRAFX, GraphError, NodeConfigs, batch_grafx, convert_to_tensor, unbatch_grafx
from grafx.render import RenderError, prepare_render, render_grafx, reorder_for_fast_render

MAIN = {"outlet": "main", "inlet": "main"}
RENUMBER = "use networkx.convert_node_labels_to_integers"


@pytest.fixture
def config(toys):
    return toys.config


@pytest.fixture
def G(config):
    """in(0) -> gain(2) -> ring(3, named) -> out(4), and tone(1) =side=> ring"""
    G = GRAFX(config=config, invalid_op="warn")
    source, tone, gain = G.add("in"), G.add("tone"), G.add("gain", parameters={"gain": [1.0]})
    ring, out = G.add("ring", name="bell"), G.add("out")
    G.connect(source, gain)
    G.connect(gain, ring)
    G.connect(tone, ring, inlet="side")
    G.connect(ring, out)
    G.edges[ring, out, 0]["color"] = "red"
    return G


def assert_like(H, G):
    """The same nodes and edges, and what belongs to the whole graph."""
    assert type(H) is GRAFX
    assert dict(H.nodes(data=True)) == dict(G.nodes(data=True))
    assert sorted(H.edges(keys=True, data=True), key=str) == sorted(G.edges(keys=True, data=True), key=str)
    assert H.graph == G.graph
    assert (H.config, H.config_hash, H.invalid_op) == (G.config, G.config_hash, G.invalid_op)


def assert_sane(H, config):
    """A graph of its own that takes new nodes."""
    assert type(H) is GRAFX and H.config == config and H.config_hash == config.content_hash
    assert H.consecutive_ids == (H.graph["consecutive_ids"] and set(H.nodes) == set(range(len(H))))
    before = dict(H.nodes(data=True))
    assert H.counter not in H
    expected = H.counter
    assert H.add("gain") == expected and expected not in before
    H.remove(expected)
    assert dict(H.nodes(data=True)) == before
    H.add_node(H.counter)
    assert H.counter not in H


def render(G, toys):
    """The output of graphs that have one node of each type, whatever their ids are."""
    ordered = reorder_for_fast_render(G)
    processors = toys.make()
    parameters = toys.parameters(processors, ordered)
    x = torch.linspace(-1, 1, 7, dtype=torch.float64).repeat(sum(t == "in" for t in types_of(G)), 1, 1)
    return render_grafx(processors, x, parameters, prepare_render(ordered))[0]


def types_of(G):
    return [data["node_type"] for _, data in G.nodes(data=True)]


CLONES = {
    "copy": GRAFX.copy,
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda G: pickle.loads(pickle.dumps(G)),
    "relabel": lambda G: nx.relabel_nodes(G, {}),
    "to_directed": GRAFX.to_directed,
    "view of all": lambda G: G.subgraph(G.nodes).copy(),
    "view of view": lambda G: G.subgraph(G.nodes).subgraph(G.nodes).copy(),
    "edge view of all": lambda G: G.edge_subgraph(G.edges).copy(),
    "restricted": lambda G: nx.subgraph_view(G).copy(),
    "reversed twice": lambda G: G.reverse().reverse(),
    "union with nothing": lambda G: nx.union(GRAFX(), G),
    "composition with itself": lambda G: nx.compose(G, G),
}


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("clone", CLONES)
def test_copies_are_the_same_and_independent(clone, scheduled, G, config, snapshot):
    if scheduled:
        G = reorder_for_fast_render(G)
        steps = prepare_render(G)
    before = snapshot(G)
    H = CLONES[clone](G)
    assert_like(H, G)
    if scheduled:
        assert prepare_render(H) == steps
    H.connect(H.add("gain"), max(G), inlet="main")
    H.insert("gain", *next(iter(H.edges))[:2])
    H.replace(0, "tone")
    H.remove(2)
    H.nodes[0]["color"] = "blue"
    assert snapshot(G) == before
    assert_sane(H, config)


def test_a_copy_of_a_copy_keeps_what_a_batch_is(G):
    union = batch_grafx([G, G])
    for clone in CLONES.values():
        assert [len(part) for part in unbatch_grafx(clone(union))] == [5, 5]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("mapping", [{0: 7}, {0: 10, 1: 11, 2: 12, 3: 13, 4: 14}, {4: -1}, {2: 5}])
def test_relabelled_graphs_take_new_nodes_and_render_the_same(in_place, mapping, G, config, toys):
    expected = render(G, toys)
    H = nx.relabel_nodes(G, mapping, copy=not in_place)
    assert (H is G) == in_place
    assert set(H.nodes) == {mapping.get(i, i) for i in range(5)} and not H.consecutive_ids
    assert H.validate() == []
    torch.testing.assert_close(render(H, toys), expected)
    assert_sane(H, config)


@pytest.mark.parametrize("in_place", [False, True])
def test_labels_become_integers_again(in_place, G, config, toys):
    expected = render(G, toys)
    names = {0: "input", 1: "tone", 2: ("a", "gain"), 3: 2.5, 4: "output"}
    H = nx.relabel_nodes(G, names, copy=not in_place)
    with pytest.raises(GraphError, match=f"Node id 'input' is not an integer: {RENUMBER}"):
        convert_to_tensor(H)
    with pytest.raises(GraphError, match=RENUMBER):
        prepare_render(reorder_for_fast_render(H))
    with pytest.raises(GraphError, match=RENUMBER):
        batch_grafx([H])
    assert len(H.validate()) == 5 and not H.consecutive_ids
    # Names can be edited by, too.
    assert H.connect("tone", ("a", "gain")) == 0
    assert len(H.bypass(("a", "gain"))[0]) == 2
    H.remove_edge("tone", 2.5, 1)
    assert H.insert("gain", "input", 2.5) == 5
    assert H.replace("tone", "tone") == "tone"
    H = nx.convert_node_labels_to_integers(H)
    H.consecutive_ids = True
    assert H.consecutive_ids and H.validate() == []
    torch.testing.assert_close(render(H, toys), expected)
    assert_sane(H, config)


def test_convert_node_labels_to_integers(G, config):
    part = G.subgraph([0, 2, 3]).copy()
    for first in (0, 10):
        H = nx.convert_node_labels_to_integers(part, first_label=first)
        assert sorted(H.nodes) == [first, first + 1, first + 2]
        assert H.consecutive_ids == (first == 0)
        assert_sane(H, config)


class TestViews:
    @pytest.fixture(params=["subgraph", "edge_subgraph", "reverse", "copy", "freeze", "to_directed"])
    def view(self, request, G):
        scheduled = reorder_for_fast_render(G)
        return {
            "subgraph": lambda: scheduled.subgraph([0, 1, 2, 3]),
            "edge_subgraph": lambda: scheduled.edge_subgraph(list(scheduled.edges)[:3]),
            "reverse": lambda: scheduled.reverse(copy=False),
            "copy": lambda: scheduled.copy(as_view=True),
            "freeze": lambda: nx.freeze(scheduled),
            "to_directed": lambda: scheduled.to_directed(as_view=True),
        }[request.param]()

    EDITS = {  # noqa: RUF012
        "add": lambda G: G.add("gain"),
        "remove": lambda G: G.remove(0),
        "connect": lambda G: G.connect(0, 3, inlet="side"),
        "chain": lambda G: G.add_serial_chain(["in", "gain"]),
        "bypass": lambda G: G.bypass(2),
        "insert": lambda G: G.insert("gain", *next(iter(G.edges))[:2]),
        "replace": lambda G: G.replace(0, "tone"),
        "merge": lambda G: G.merge(G),
    }

    @pytest.mark.parametrize("edit", EDITS)
    def test_cannot_be_edited(self, edit, view, snapshot):
        shown = getattr(view, "_graph", view)
        before, before_view = snapshot(shown), snapshot(view)
        with pytest.warns(UserWarning, match=r"view or frozen: edit a copy of it, G.copy\(\)"):
            assert self.EDITS[edit](view) is None
        view.invalid_op = "error"
        with pytest.raises(GraphError, match="edit a copy"):
            self.EDITS[edit](view)
        view.invalid_op = "warn"
        assert snapshot(shown) == before and snapshot(view) == before_view
        with pytest.raises(nx.NetworkXError):
            view.clear()

    def test_a_copy_of_one_can(self, view, config):
        H = view.copy()
        assert not nx.is_frozen(H) and H.config == config
        assert isinstance(H.add("gain"), int)
        assert isinstance(copy.copy(view).add("gain"), int)

    def test_shows_what_is_selected(self, G):
        view = G.subgraph([0, 2, 3])
        assert type(view) is GRAFX and view.number_of_edges() == 2
        assert "3 nodes & 2 edges" in str(view) and not view.consecutive_ids
        assert view.validate() == ["The graph has no 'out' node: add one and connect to it what should be heard."]
        part = view.copy()
        assert part.add("gain") == 5 and len(part) == 4 and len(G) == 5
        whole = GRAFX(config=G.config)
        assert whole.merge(view) == {0: 0, 2: 1, 3: 2}
        edges = G.edge_subgraph([(0, 2, 0)])
        assert type(edges) is GRAFX and set(edges) == {0, 2} and "2 nodes & 1 edges" in str(edges)

    def test_of_a_scheduled_graph_is_rendered_right(self, toys, reference_render, G):
        G.connect(2, G.add("out"))
        G = reorder_for_fast_render(G)
        (gain,) = [i for i in G if G.nodes[i]["node_type"] == "gain"]
        out = max(i for i in G.successors(gain) if G.nodes[i]["node_type"] == "out")
        assert_right_or_refused(G.subgraph([0, gain, out]), toys, reference_render, refused=False)


class TestUnions:
    def test_disjoint_union(self, G, config, toys):
        H = nx.disjoint_union(G, G)
        assert sorted(H.nodes) == list(range(10)) and H.consecutive_ids and H.validate() == []
        assert nx.is_isomorphic(H, batch_grafx([G, G]))
        assert_sane(H, config)

    def test_union(self, G, config):
        with pytest.raises(nx.NetworkXError):
            nx.union(G, G)
        other = nx.relabel_nodes(G, {i: i + 20 for i in G})
        for H in (nx.union(G, other), nx.union(other, G), nx.union_all([G, other]), nx.compose(other, G)):
            assert set(H) == set(G) | set(other) and H.number_of_edges() == 8 and H.validate() == []
            assert_sane(H, config)
        H = nx.union(G, G, rename=("a", "b"))
        assert H.validate()[0].startswith("Node id 'a0' is of type str")
        assert nx.convert_node_labels_to_integers(H).validate() == []

    def test_compose_takes_what_is_in_either(self, G, config):
        other = G.copy()
        other.remove(1)
        other.add("mix")
        H = nx.compose(G, other)
        assert set(H) == set(range(6)) and not H.consecutive_ids  # as other says, which lacks a node
        assert_sane(H, config)

    def test_the_last_config_stays_and_validate_names_what_it_lacks(self, G, toys):
        plain = NodeConfigs(["eq"])
        other = GRAFX(config=plain)
        other.add_serial_chain(["in", "eq", "out"])
        H = nx.disjoint_union(G, other)
        assert H.config == plain and H.config_hash == plain.content_hash
        problems = H.validate()
        assert [problem.split(", expected")[0] for problem in problems] == [
            f"Node {i} has the node_type '{t}'" for i, t in ((1, "tone"), (2, "gain"), (3, "ring"))
        ]
        with pytest.raises(GraphError, match="Node 1 is of type 'tone', which the graph's config lacks"):
            convert_to_tensor(H)
        assert nx.disjoint_union(other, G).validate()[0].startswith("Node 1 has the node_type 'eq'")

    @pytest.mark.parametrize("unite", [nx.disjoint_union, nx.compose, lambda G, H: nx.compose(H, G)])
    @pytest.mark.parametrize("both", [True, False])
    def test_of_scheduled_graphs_is_rendered_right_or_refused(self, unite, both, G, toys, reference_render):
        scheduled = reorder_for_fast_render(G)
        assert_right_or_refused(unite(scheduled, scheduled if both else G), toys, reference_render)


def test_order_and_reachability(G):
    scheduled = reorder_for_fast_render(G)
    for H in (G, scheduled, G.subgraph([0, 2, 3])):
        order = list(nx.topological_sort(H))
        assert sorted(order) == sorted(H) and all(order.index(s) < order.index(d) for s, d in H.edges())
        assert nx.is_directed_acyclic_graph(H)
        with pytest.raises(nx.NetworkXNoCycle):
            nx.find_cycle(H)
    assert [sorted(generation) for generation in nx.topological_generations(G)] == [[0, 1], [2], [3], [4]]
    assert list(nx.lexicographical_topological_sort(G)) == [0, 1, 2, 3, 4]
    assert nx.ancestors(G, 3) == {0, 1, 2} and nx.descendants(G, 0) == {2, 3, 4}
    assert list(nx.weakly_connected_components(nx.disjoint_union(G, G))) == [set(range(5)), set(range(5, 10))]
    assert nx.dag_longest_path(G) == [0, 2, 3, 4]
    assert nx.shortest_path(G, 1, 4) == [1, 3, 4]
    G.connect(3, 2)
    assert not nx.is_directed_acyclic_graph(G)
    assert sorted(edge[:2] for edge in nx.find_cycle(G)) == [(2, 3), (3, 2)]


def test_components_are_graphs(G, config):
    union = nx.disjoint_union(G, G)
    parts = [union.subgraph(ids).copy() for ids in nx.weakly_connected_components(union)]
    for part in parts:
        assert part.validate() == [] and len(part) == 5
        assert_sane(part, config)


def test_a_reversed_graph_is_one_that_validate_finds_fault_with(G, config):
    H = reorder_for_fast_render(G).reverse()
    assert type(H) is GRAFX and H.config == config
    assert any("has the inlet 'main', expected a node that has inlets" in problem for problem in H.validate())
    with pytest.raises((GraphError, RenderError)):
        prepare_render(H)
    assert_sane(H, config)


def test_an_undirected_copy_is_a_plain_graph(G, snapshot):
    before = snapshot(G)
    H = G.to_undirected()
    assert type(H) is nx.MultiGraph and H.number_of_edges() == 4 and nx.is_connected(H)
    H.add_edge(0, 4)
    assert snapshot(G) == before
    assert nx.is_connected(G.to_undirected(as_view=True))
    plain = nx.MultiDiGraph(G)
    plain.remove_node(0)
    assert len(G) == 5


def test_ids_and_counter_follow_raw_edits(config):
    G = GRAFX(config=config)
    G.add_nodes_from([0, 1, 2], node_type="gain", parameters=None, name=None)
    assert G.consecutive_ids and G.counter == 3
    G.add_node(4, node_type="gain")
    assert not G.consecutive_ids and G.counter == 5
    G.remove_nodes_from([0, 1, 2, 4])
    assert G.consecutive_ids and G.counter == 0
    G.add_node("a")
    assert not G.consecutive_ids and G.counter == 0
    assert G.add("in") == 0


def random_graph(data, config):
    G = GRAFX(config=config)
    plugs = [(G.add("in"), "main"), (G.add("tone"), "main")]
    for node_type in [*data.draw(st.lists(st.sampled_from(["gain", "split", "ring", "mix"]), max_size=6)), "out"]:
        node = G.add(node_type)
        for inlet in config[node_type]["inlets"]:
            for source, outlet in data.draw(st.lists(st.sampled_from(plugs), min_size=1, max_size=2, unique=True)):
                G.connect(source, node, outlet=outlet, inlet=inlet)
        plugs += [(node, outlet) for outlet in config[node_type]["outlets"]]
    return G


def assert_right_or_refused(G, toys, reference, refused=None):
    """A graph that may have kept a schedule is never rendered as another one."""
    try:
        render_data = prepare_render(G)
    except (GraphError, RenderError):
        assert refused is not False
        return
    assert not refused
    processors = toys.make()
    parameters = toys.parameters(processors, G)
    sources = types_of(G).count("in")
    x = torch.randn(sources, 1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    output, _, signals = render_grafx(processors, x, parameters, render_data)
    expected, _ = reference(G, processors, x, parameters)
    outs = [expected[i][0] for i in sorted(G) if G.nodes[i]["node_type"] == "out"]
    torch.testing.assert_close(output, torch.stack(outs), rtol=1e-9, atol=1e-10)
    for position, node in enumerate(sorted(G)):
        found = signals[position] if isinstance(signals[position], tuple) else (signals[position],)
        torch.testing.assert_close(list(found), expected[node], rtol=1e-9, atol=1e-10)


TYPES = ["in", "out", "mix", "gain", "split", "ring", "tone"]


def raw_edit(data, G):
    """Do something to a scheduled graph that its schedule does not notice."""
    config, ids = G.config, st.sampled_from(sorted(G) or [0])
    call = data.draw(st.sampled_from(["node", "edge", "cut", "remove", "type", "relabel", "order", "swap"]))
    if call == "node":
        order = st.sampled_from([{}, {"rendering_order": data.draw(st.integers(0, 4))}])
        G.add_node(data.draw(st.integers(-1, 12)), node_type=data.draw(st.sampled_from(TYPES)), **data.draw(order))
    elif call == "edge" and G:
        s, d = data.draw(ids), data.draw(ids)
        outlets = config[G.nodes[s]["node_type"]]["outlets"] or ["main"]
        inlets = config[G.nodes[d]["node_type"]]["inlets"] or ["main"]
        G.add_edge(s, d, outlet=data.draw(st.sampled_from(outlets)), inlet=data.draw(st.sampled_from(inlets)))
    elif call == "cut" and G.edges:
        G.remove_edge(*data.draw(st.sampled_from(sorted(G.edges(keys=True)))))
    elif call == "remove" and G:
        G.remove_nodes_from(data.draw(st.lists(ids, max_size=2)))
    elif call == "type" and G:
        G.nodes[data.draw(ids)]["node_type"] = data.draw(st.sampled_from(TYPES))
    elif call == "relabel" and G:
        nx.relabel_nodes(G, {data.draw(ids): data.draw(st.integers(-3, 12))}, copy=False)
    elif call == "order" and G:
        G.nodes[data.draw(ids)]["rendering_order"] = data.draw(st.integers(-1, 5))
    elif call == "swap" and G:
        a, b = data.draw(ids), data.draw(ids)
        return nx.relabel_nodes(G, {a: b, b: a})
    return G


@settings(deadline=None, derandomize=True, database=None, max_examples=300)
@given(data=st.data())
@pytest.mark.slow
def test_after_raw_edits_a_scheduled_graph_is_rendered_right_or_refused(toys, reference_render, data):
    G = reorder_for_fast_render(random_graph(data, toys.config))
    for _ in range(data.draw(st.integers(1, 3))):
        G = raw_edit(data, G)
    assert_right_or_refused(G, toys, reference_render)


@settings(deadline=None, derandomize=True, database=None, max_examples=150)
@given(data=st.data())
@pytest.mark.slow
def test_parts_and_unions_of_scheduled_graphs_are_rendered_right_or_refused(toys, reference_render, data):
    G, H = (reorder_for_fast_render(random_graph(data, toys.config)) for _ in range(2))
    part = G.subgraph(data.draw(st.sets(st.sampled_from(sorted(G)))))
    for union in (part, nx.compose(G, H), nx.compose(part, H), nx.compose(H, part), nx.disjoint_union(part, H)):
        assert_right_or_refused(union, toys, reference_render)
