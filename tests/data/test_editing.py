import itertools
from collections import Counter

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grafx.data import GRAFX, GraphError, NodeConfigs, batch_grafx, unbatch_grafx
from grafx.render import prepare_render, render_grafx, reorder_for_fast_render

CONFIG = NodeConfigs(
    {"eq": {}, "split": {"outlets": ["low", "high"]}, "ring": {"inlets": ["main", "side"]}, "tone": {"inlets": []}}
)


def cables(G):
    return Counter((u, v, d["outlet"], d["inlet"]) for u, v, d in G.edges(data=True))


def band_split():
    """in(0) -> split(1) =low=> eq(2) -> out(4), split =high=> eq(3) -> out"""
    G = GRAFX(config=CONFIG)
    source, split, low, high, out = (G.add(t) for t in ("in", "split", "eq", "eq", "out"))
    G.connect(source, split)
    G.connect(split, low, outlet="low")
    G.connect(split, high, outlet="high")
    G.connect(low, out)
    G.connect(high, out)
    return G


def ducking():
    """in(0) -> ring(2) -> out(3), in(1) =side=> ring"""
    G = GRAFX(config=CONFIG)
    pad, kick, ring, out = (G.add(t) for t in ("in", "in", "ring", "out"))
    G.connect(pad, ring)
    G.connect(kick, ring, inlet="side")
    G.connect(ring, out)
    return G


class TestBypass:
    def test_connects_what_was_around(self):
        G = GRAFX(config=CONFIG)
        tone, split, eq, ring, out = (G.add(t) for t in ("tone", "split", "eq", "ring", "out"))
        G.connect(tone, split)
        G.connect(split, eq, outlet="low")
        G.connect(split, eq, outlet="high")
        G.connect(eq, ring, inlet="side")
        G.connect(eq, out)
        sources, dests = G.bypass(eq)
        assert len(sources) == len(dests) == 2 and eq not in G
        assert {(u, v, d["outlet"], d["inlet"]) for u, v, d in G.edges(data=True)} == {
            (tone, split, "main", "main"),
            (split, ring, "low", "side"),
            (split, ring, "high", "side"),
            (split, out, "low", "main"),
            (split, out, "high", "main"),
        }

    def test_of_nodes_with_loose_ends(self):
        G = GRAFX(config=CONFIG)
        first, last = G.add_serial_chain(["eq", "eq"])
        assert G.bypass(last) == ([(first, last, {"outlet": "main", "inlet": "main"})], [])
        assert G.bypass(first) == ([], [])
        assert len(G) == 0

    @pytest.mark.parametrize("way", ["direct", "round"])
    def test_that_would_double_a_cable_is_refused(self, way, snapshot):
        G = GRAFX(config=CONFIG)
        source, eq, out = (G.add(t) for t in ("tone", "eq", "out"))
        G.connect(source, eq)
        G.connect(eq, out)
        if way == "direct":
            G.connect(source, out)
        else:
            source = G.add("mix")
            G.connect(source, eq)
            G.connect(eq, source)
        before = snapshot(G)
        with pytest.raises(GraphError, match="itself" if way == "round" else "twice"):
            G.bypass(eq)
        assert snapshot(G) == before

    @pytest.mark.parametrize("shared", [False, True])
    def test_a_sidechain_does_not_reach_the_output(self, shared):
        G = ducking()
        if shared:
            G.connect(0, 2, inlet="side")
        sources, _ = G.bypass(2)
        assert len(sources) == 2 + shared
        assert cables(G) == {(0, 3, "main", "main"): 1}
        assert G.validate() == []

    def test_without_config_the_sidechain_is_what_is_not_main(self):
        G = GRAFX()
        pad, kick, duck, out = (G.add(t) for t in ("in", "in", "duck", "out"))
        G.connect(pad, duck)
        G.connect(kick, duck, inlet="side")
        G.connect(duck, out)
        G.connect(duck, out, outlet="reduction")
        G.bypass(duck)
        assert cables(G) == {(pad, out, "main", "main"): 1}

    def test_only_the_first_outlet_passes_the_signal_on(self):
        G = band_split()
        for node_id in (2, 3):
            G.bypass(node_id)
        G.bypass(1)
        assert cables(G) == {(0, 4, "main", "main"): 1}

    def test_other_outlets_may_go_where_something_else_arrives(self):
        G = band_split()
        G.connect(0, 3)
        G.bypass(1)
        assert cables(G) == {(0, 2, *PLUGS): 1, (0, 3, *PLUGS): 1, (2, 4, *PLUGS): 1, (3, 4, *PLUGS): 1}
        assert G.validate() == []

    def test_that_leaves_a_node_with_nothing_is_refused(self, snapshot):
        G = band_split()
        before = snapshot(G)
        message = r"1 \(split\) cannot be bypassed: only its first outlet 'low' .* inlet 'main' of node 3 \(eq\)"
        with pytest.raises(GraphError, match=message):
            G.bypass(1)
        assert snapshot(G) == before

    def test_other_outlets_may_have_fed_a_sidechain(self):
        G = GRAFX(config=CONFIG)
        source, split, ring, out = (G.add(t) for t in ("in", "split", "ring", "out"))
        G.connect(source, split)
        G.connect(split, ring, outlet="low")
        G.connect(split, ring, outlet="high", inlet="side")
        G.connect(ring, out)
        G.bypass(split)
        assert cables(G) == {(source, ring, *PLUGS): 1, (ring, out, *PLUGS): 1}

    def test_new_cables_have_the_attributes_of_those_behind(self):
        G = GRAFX(config=CONFIG)
        first, last = G.add_serial_chain(["in", "eq", "out"])
        G.edges[0, 1, 0]["color"] = "red"
        G.edges[1, 2, 0]["send"] = -3
        G.bypass(1)
        assert G.edges[first, last, 0] == {"outlet": "main", "inlet": "main", "send": -3}

    @pytest.mark.parametrize(
        "edge", [(0, 1, {}), (1, 2, {"outlet": "main"}), (1, 1, dict(outlet="main", inlet="main"))]
    )
    def test_malformed_cables_are_refused(self, edge, snapshot):
        G = GRAFX(config=CONFIG)
        G.add_serial_chain(["in", "eq", "out"])
        G.add_edges_from([edge])
        before = snapshot(G)
        with pytest.raises(GraphError, match=rf"Node 1 \(eq\) cannot be bypassed: Edge {edge[0]}"):
            G.bypass(1)
        G.remove_edge(*edge[:2])
        G.nodes[1].pop("node_type")
        with pytest.raises(GraphError, match="no node_type"):
            G.bypass(1)
        G.nodes[1]["node_type"] = "eq"
        assert len(before[0]) == len(G)


PLUGS = ("main", "main")


class TestInsert:
    def test_replaces_the_cable_by_two(self):
        G = GRAFX(config=CONFIG)
        first, last = G.add_serial_chain(["in", "out"])
        eq = G.insert("eq", first, last, parameters={"gain": 1}, name="warm")
        assert eq == 2 and G.nodes[eq] == {"node_type": "eq", "parameters": {"gain": 1}, "name": "warm"}
        assert cables(G) == {(first, eq, *PLUGS): 1, (eq, last, *PLUGS): 1}

    def test_takes_the_first_inlet_and_outlet(self):
        G = GRAFX(config=NodeConfigs({"eq": {}, "band": {"inlets": ["dry", "key"], "outlets": ["low", "high"]}}))
        first, last = G.add_serial_chain(["in", "eq"])
        band = G.insert("band", first, last)
        assert cables(G) == {(first, band, "main", "dry"): 1, (band, last, "low", "main"): 1}

    def test_finds_the_cable_among_others(self):
        G = GRAFX(config=CONFIG)
        split, ring = G.add("split"), G.add("ring")
        for outlet in ("low", "high"):
            for inlet in ("main", "side"):
                G.connect(split, ring, outlet=outlet, inlet=inlet)
        eq = G.insert("eq", split, ring, outlet="high", inlet="main")
        assert cables(G) == {
            (split, ring, "low", "main"): 1,
            (split, ring, "low", "side"): 1,
            (split, ring, "high", "side"): 1,
            (split, eq, "high", "main"): 1,
            (eq, ring, "main", "main"): 1,
        }

    def test_attributes_stay_with_the_second_half(self):
        G = GRAFX()
        first, last = G.add_serial_chain(["in", "out"])
        G.edges[first, last, 0].update(color="red", key=3)
        eq = G.insert("eq", first, last)
        assert G.edges[first, eq, 0] == {"outlet": "main", "inlet": "main"}
        assert G.edges[eq, last, 0] == {"outlet": "main", "inlet": "main", "color": "red", "key": 3}
        G.bypass(eq)
        assert list(G.edges(data=True)) == [
            (first, last, {"outlet": "main", "inlet": "main", "color": "red", "key": 3})
        ]

    def test_without_config_main_is_first(self):
        G = GRAFX()
        a, b = G.add("in"), G.add("any")
        G.connect(a, b, inlet="x")
        c = G.insert("other", a, b, inlet="x")
        assert cables(G) == {(a, c, *PLUGS): 1, (c, b, "main", "x"): 1}
        for node_type, side in (("in", "inlet"), ("out", "outlet")):
            with pytest.raises(GraphError, match=f"'{node_type}' has no {side}"):
                G.insert(node_type, a, c)

    def test_a_cable_without_ends_is_none(self):
        G = GRAFX()
        G.add_serial_chain(["in"])
        G.add_edge(0, G.add("out"))
        with pytest.raises(GraphError, match=r"there is <None> -> <None>"):
            G.insert("eq", 0, 1)

    def test_belongs_to_the_graph_of_a_batch_that_the_cable_is_in(self):
        G = GRAFX(config=CONFIG)
        G.add_serial_chain(["in", "out"])
        union = batch_grafx([G, G])
        union.insert("eq", 2, 3)
        first, second = unbatch_grafx(union)
        assert (len(first), len(second)) == (2, 3) and second.validate() == []


class TestReplace:
    def test_keeps_id_cables_and_attributes(self):
        G = GRAFX(config=CONFIG)
        first, _ = G.add_serial_chain(["in", {"node_type": "eq", "parameters": {"gain": 1}, "name": "warm"}, "out"])
        G.nodes[1]["position"] = (3, 4)
        before = cables(G)
        assert G.replace(1, "ring") == 1
        assert G.nodes[1] == {"node_type": "ring", "parameters": None, "name": "warm", "position": (3, 4)}
        assert cables(G) == before and list(G) == [0, 1, 2] and G.validate() == []
        assert G.replace(1, "ring", parameters={"depth": 2}, name="wild") == 1
        assert (G.nodes[1]["parameters"], G.nodes[1]["name"]) == ({"depth": 2}, "wild")
        assert G.replace(first, "tone") == 0 and G.validate() == []

    def test_only_what_is_in_use_must_be_there(self):
        G = ducking()
        with pytest.raises(GraphError, match=r"2 \(ring\) cannot become a eq, which lacks the inlet\(s\) <side> that"):
            G.replace(2, "eq")
        G.remove_edge(1, 2)
        G.replace(2, "eq")
        assert cables(G) == {(0, 2, *PLUGS): 1, (2, 3, *PLUGS): 1}

    def test_lists_all_that_is_missing(self):
        G = GRAFX(config=NodeConfigs({"all": {"inlets": ["a", "b"], "outlets": ["c", "d"]}, "none": {"inlets": ["a"]}}))
        a, b, c = G.add("in"), G.add("all"), G.add("out")
        for inlet in ("a", "b"):
            G.connect(a, b, inlet=inlet)
        for outlet in ("c", "d"):
            G.connect(b, c, outlet=outlet)
        with pytest.raises(GraphError, match=r"lacks the inlet\(s\) <b> and the outlet\(s\) <c>, <d> that cables use"):
            G.replace(b, "none")

    def test_without_config_any_type_takes_any_cable(self):
        G = GRAFX()
        a, b = G.add("in"), G.add("duck")
        G.connect(a, b, inlet="side")
        G.replace(b, "reverb")
        with pytest.raises(GraphError, match=r"a mix, which lacks the inlet.*<side>"):
            G.replace(b, "mix")


class TestMerge:
    def test_adds_a_copy_beside(self):
        G, other = band_split(), ducking()
        G.remove(G.add("eq"))
        other.remove(0)
        other.nodes[1].update(name="kick", position=[1, 2])
        other.edges[1, 2, 0]["color"] = "red"
        nodes, edges = dict(G.nodes(data=True)), cables(G)
        new_ids = G.merge(other)
        assert new_ids == {1: 6, 2: 7, 3: 8}
        assert cables(G) == edges + Counter({(6, 7, "main", "side"): 1, (7, 8, *PLUGS): 1})
        assert G.edges[6, 7, 0]["color"] == "red"
        assert {i: d for i, d in G.nodes(data=True) if i < 6} == nodes
        assert all(G.nodes[new] == other.nodes[old] for old, new in new_ids.items())
        assert len(other) == 3 and G.add("eq") == 9

    def test_new_ids_follow_the_order_of_the_old(self):
        other = nx.relabel_nodes(ducking(), {0: 9, 1: 4, 2: 0, 3: 1})
        assert GRAFX().merge(other) == {0: 0, 1: 1, 4: 2, 9: 3}

    def test_shares_tensors_but_no_containers(self):
        G, strip = GRAFX(config=CONFIG), GRAFX(config=CONFIG)
        tensor = torch.ones(2, requires_grad=True) * 2
        strip.add("eq", parameters={"band": {"gain": tensor}, "order": [1, 2]})
        first, second = G.merge(strip)[0], G.merge(strip)[0]
        G.nodes[second]["parameters"]["band"]["gain"] = None
        G.nodes[second]["parameters"]["order"].append(3)
        assert G.nodes[first]["parameters"]["band"]["gain"] is tensor
        assert G.nodes[first]["parameters"]["order"] == strip.nodes[0]["parameters"]["order"] == [1, 2]

    def test_with_itself_doubles(self):
        G = band_split()
        assert G.merge(G) == {i: i + 5 for i in range(5)}
        assert len(G) == 10 and G.validate() == []
        assert cables(G) == cables(nx.disjoint_union(band_split(), band_split()))

    def test_leaves_schedules_behind(self):
        for G, other in [
            (GRAFX(), reorder_for_fast_render(ducking())),
            (reorder_for_fast_render(ducking()), ducking()),
        ]:
            assert len(G.merge(other)) == 4
            assert G.rendering_order_method is None and G.type_sequence is None
            assert not any("rendering_order" in data for _, data in G.nodes(data=True))

    def test_the_graphs_of_a_merge_render_as_alone(self, toys, reference_render):
        def strip():
            G = GRAFX(config=toys.config)
            G.add_serial_chain(["in", "gain", "saturate", "out"])
            return G

        G = strip()
        G.merge(strip())
        G = reorder_for_fast_render(G)
        processors = toys.make()
        parameters = toys.parameters(processors, G)
        x = torch.randn(2, 1, 5, dtype=torch.float64)
        output, _, _ = render_grafx(processors, x, parameters, prepare_render(G))
        for i in range(2):
            one = toys.take(parameters, slice(i, i + 1))
            alone, _, _ = render_grafx(processors, x[i : i + 1], one, prepare_render(reorder_for_fast_render(strip())))
            torch.testing.assert_close(output[i], alone[0])

    def test_types_need_to_mean_the_same_only_where_they_are_used(self):
        other = GRAFX(config=NodeConfigs({"eq": {}, "ring": {"outlets": ["x"]}, "reverb": {}}))
        other.add_serial_chain(["in", "eq", "out"])
        G = GRAFX(config=CONFIG)
        assert G.merge(other) == {0: 0, 1: 1, 2: 2}
        other.add("ring")
        with pytest.raises(
            GraphError, match=r"type ring has .*'side'.* here, but .*'x'.* there. Build both with one Node"
        ):
            G.merge(other)
        other.remove(3)
        other.add("reverb")
        with pytest.raises(GraphError, match=r"cannot be merged into this one: Node 4 has the node_type 'reverb'"):
            G.merge(other)
        assert len(G) == 3

    @pytest.mark.parametrize("config", [CONFIG, None])
    def test_without_config(self, config):
        other = GRAFX()
        other.add_serial_chain(["in", "eq", "ring", "out"])
        other.connect(0, 2, inlet="side")
        G = GRAFX(config=config)
        G.merge(other)
        assert cables(G) == cables(other)
        other.connect(1, 2, inlet="third")
        if config is None:
            assert len(G.merge(other)) == 4
            assert len(GRAFX().merge(band_split())) == 5
        else:
            with pytest.raises(GraphError, match=r"Edge 1 \(eq\) -> 2 \(ring\).* has the inlet 'third'"):
                G.merge(other)

    def test_batches_are_refused(self):
        batch = batch_grafx([ducking(), ducking()])
        for G, other in [(batch, ducking()), (ducking(), batch), (batch, batch)]:
            with pytest.raises(GraphError, match="batch them then"):
                G.merge(other)

    def test_of_an_empty_graph_changes_nothing(self, snapshot):
        G = reorder_for_fast_render(ducking())
        before = snapshot(G)
        assert G.merge(GRAFX()) == {}
        assert snapshot(G) == before
        assert GRAFX().merge(GRAFX()) == {}


BUILT_IN = {"in": ([], ["main"]), "out": (["main"], []), "mix": (["main"], ["main"])}
TYPES = {**BUILT_IN, "eq": (["main"], ["main"]), "split": (["main"], ["low", "high"])}
TYPES |= {"ring": (["main", "side"], ["main"]), "tone": ([], ["main"])}


class Model:
    """What the edits should do, on a dict of types and a set of ``(source, dest, outlet, inlet)``."""

    def __init__(self, has_config):
        self.nodes, self.edges, self.count, self.has_config = {}, set(), 0, has_config

    def known(self, node_type):
        return node_type in TYPES or not self.has_config

    def fits(self, node_type, side, plug):
        types = TYPES if self.has_config else BUILT_IN
        return node_type not in types or plug in types[node_type][side]

    def first(self, node_type, side):
        names = (TYPES if self.has_config else BUILT_IN).get(node_type, [["main"]] * 2)[side]
        return names[0] if names else None

    def add(self, node_type):
        if self.known(node_type):
            self.nodes[self.count] = node_type
            self.count += 1
            return self.count - 1

    def connect(self, s, d, outlet, inlet):
        new = {s, d} <= self.nodes.keys() and s != d and (s, d, outlet, inlet) not in self.edges
        if new and self.fits(self.nodes[s], 1, outlet) and self.fits(self.nodes[d], 0, inlet):
            self.edges.add((s, d, outlet, inlet))
            return True

    def insert(self, node_type, s, d, outlet, inlet):
        ends = self.first(node_type, 0), self.first(node_type, 1)
        if self.known(node_type) and (s, d, outlet, inlet) in self.edges and None not in ends:
            self.edges.remove((s, d, outlet, inlet))
            new = self.add(node_type)
            self.edges |= {(s, new, outlet, ends[0]), (new, d, ends[1], inlet)}
            return new

    def replace(self, node, node_type):
        if node in self.nodes and self.known(node_type):
            outlets, inlets = (
                [o for s, _, o, _ in self.edges if s == node],
                [i for _, d, _, i in self.edges if d == node],
            )
            if all(self.fits(node_type, 1, o) for o in outlets) and all(self.fits(node_type, 0, i) for i in inlets):
                self.nodes[node] = node_type
                return node

    def remove(self, node):
        if node in self.nodes:
            del self.nodes[node]
            self.edges = {edge for edge in self.edges if node not in edge[:2]}
            return True

    def bypass(self, node):
        if node not in self.nodes:
            return None
        inlet, outlet = self.first(self.nodes[node], 0), self.first(self.nodes[node], 1)
        rest = [edge for edge in self.edges if node not in edge[:2]]
        sources = [(s, o) for s, d, o, i in self.edges if (d, i) == (node, inlet)]
        dests = [(d, i) for s, d, o, i in self.edges if (s, o) == (node, outlet)]
        lost = [(d, i) for s, d, o, i in self.edges if s == node and o != outlet]
        new = [(s, d, o, i) for s, o in sources for d, i in dests]
        fed = {(d, i) for _, d, _, i in rest} | set(dests)
        starved = [(d, i) for d, i in lost if i == self.first(self.nodes[d], 0) and (d, i) not in fed]
        if None in (inlet, outlet) or starved or len({*rest, *new}) < len(rest + new):
            return None
        if any(s == d for s, d, _, _ in new):
            return None
        self.edges = {*rest, *new}
        return self.nodes.pop(node)

    def merge(self):
        new_ids = {old: self.add(self.nodes[old]) for old in sorted(self.nodes)}
        self.edges |= {(new_ids[s], new_ids[d], o, i) for s, d, o, i in self.edges}
        return new_ids

    def unfed(self):
        firsts = {node: self.first(node_type, 0) for node, node_type in self.nodes.items()}
        return {n for n, i in firsts.items() if i is not None and (n, i) not in {(d, i) for _, d, _, i in self.edges}}


types = st.sampled_from([*TYPES, "eq", "mix", "eq", "reverb"])
outlets, inlets = st.sampled_from(["main"] * 4 + ["low", "high"]), st.sampled_from(["main"] * 4 + ["side"])


def draw_edit(data, model):
    """The name of an edit and its arguments, many of which are refused."""
    edit = data.draw(st.sampled_from(["add", "replace", "remove", "bypass", "merge", *["connect", "insert"] * 3]))
    ids = st.sampled_from([*model.nodes, 99])
    cable = st.tuples(ids, ids, outlets, inlets)
    if model.edges and edit == "insert":
        cable |= st.sampled_from(sorted(model.edges))
    parts = {"add": [types], "replace": [ids, types], "remove": [ids], "bypass": [ids], "merge": []}
    if edit in parts:
        return edit, [data.draw(part) for part in parts[edit]]
    return edit, [*([data.draw(types)] if edit == "insert" else []), *data.draw(cable)]


@settings(deadline=None, derandomize=True, database=None, max_examples=200)
@given(has_config=st.booleans(), data=st.data())
def test_any_edits_do_what_the_model_does_and_leave_nothing_malformed(has_config, data):
    G, model = GRAFX(config=CONFIG if has_config else None, invalid_op="mute"), Model(has_config)
    for node_type in ["in", *data.draw(st.lists(types, max_size=3)), "out"]:
        assert G.add(node_type) == model.add(node_type)
    for s, d in itertools.pairwise(list(model.nodes)):
        assert (G.connect(s, d) is None) == (model.connect(s, d, "main", "main") is None)
    removed = False
    for _ in range(data.draw(st.integers(0, 15))):
        edit, arguments = draw_edit(data, model)
        if edit == "merge" and len(G) > 12:
            continue
        result = G.merge(G) if edit == "merge" else getattr(G, edit)(*arguments)
        expected = getattr(model, edit)(*arguments)
        assert (result is None) == (expected is None), (edit, arguments)
        if edit in ("add", "insert", "replace", "merge"):
            assert result == expected
        assert {i: d["node_type"] for i, d in G.nodes(data=True)} == model.nodes
        assert cables(G) == Counter(model.edges)
        removed |= edit in ("remove", "bypass") and expected is not None
        assert G.consecutive_ids == (not removed and set(model.nodes) == set(range(len(model.nodes))))
    problems = G.validate()
    cyclic = not nx.is_directed_acyclic_graph(G)
    kinds = Counter(problem.split()[0] for problem in problems)
    assert kinds.keys() <= {"Nothing", "There", "The"}
    assert kinds["Nothing"] == len(model.unfed())
    assert (kinds["There"] > 0) == cyclic
    assert kinds["The"] == ("out" not in model.nodes.values())
    if not problems:
        prepare_render(reorder_for_fast_render(G))


@st.composite
def mixers(draw):
    """Renderable graphs of all types."""
    G = GRAFX(config=CONFIG)
    plugs = [(G.add("in"), "main"), (G.add("tone"), "main")]
    for node_type in [*draw(st.lists(st.sampled_from(["eq", "split", "ring", "mix"]), max_size=5)), "out"]:
        node = G.add(node_type)
        for inlet in CONFIG[node_type]["inlets"]:
            for source, outlet in draw(st.lists(st.sampled_from(plugs), min_size=1, max_size=2, unique=True)):
                G.connect(source, node, outlet=outlet, inlet=inlet)
        plugs += [(node, outlet) for outlet in CONFIG[node_type]["outlets"]]
    return G


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(G=mixers(), data=st.data())
@pytest.mark.slow
def test_a_valid_graph_stays_valid(G, data):
    G.invalid_op = "mute"
    for edit in data.draw(st.lists(st.sampled_from(["insert", "bypass", "both", "merge"]), max_size=6)):
        assert G.validate() == []
        if edit == "bypass":
            G.bypass(data.draw(st.sampled_from(sorted(G))))
        elif edit == "merge":
            G.merge(G.copy() if len(G) < 20 else GRAFX())
        else:
            before = cables(G)
            s, d, o, i = data.draw(st.sampled_from(sorted(before)))
            node = G.insert(data.draw(st.sampled_from(["eq", "split", "ring", "mix"])), s, d, o, i)
            assert node is not None
            if edit == "both":
                G.bypass(node)
                assert cables(G) == before
    assert G.validate() == []
