import warnings

import networkx as nx
import pytest

from grafx.data import GRAFX, GraphError, NodeConfigs, batch_grafx
from grafx.render import reorder_for_fast_render

CONFIG = NodeConfigs(
    {"eq": {}, "split": {"outlets": ["low", "high"]}, "ring": {"inlets": ["main", "side"]}, "tone": {"inlets": []}}
)


@pytest.fixture(params=["error", "warn", "mute"])
def invalid_op(request):
    return request.param


def build(invalid_op="error", config=CONFIG):
    """in(0) -> eq(1, named) -> split(2) =low=> ring(3) -> out(4), and tone(5) =main=> ring's side; scheduled."""
    G = GRAFX(config=config, invalid_op=invalid_op)
    source = G.add("in")
    eq = G.add("eq", parameters={"gain": 3}, name="warm")
    split, ring, out, tone = (G.add(t) for t in ("split", "ring", "out", "tone"))
    G.connect(source, eq)
    G.connect(eq, split)
    G.connect(split, ring, outlet="low")
    G.connect(split, ring, outlet="high")
    G.connect(ring, out)
    G.connect(tone, ring, inlet="side")
    return G


def ids_of(G, node_type):
    return [v for v, d in G.nodes(data=True) if d["node_type"] == node_type]


REFUSED = {
    "unknown type": (lambda G: G.add("reverb"), "reverb.*only allows"),
    "type of no name": (lambda G: G.add(3), "3 is not a string"),
    "no type": (lambda G: G.add(None), "None"),
    "unhashable type": (lambda G: G.add(["eq"]), "not a string"),
    "remove nothing": (lambda G: G.remove(99), "99"),
    "remove no id": (lambda G: G.remove(None), "None"),
    "remove unhashable": (lambda G: G.remove([0]), r"\[0\]"),
    "unknown source": (lambda G: G.connect(99, 1), "99"),
    "unknown dest": (lambda G: G.connect(0, 99), "99"),
    "unhashable source": (lambda G: G.connect({}, 1), "{}"),
    "unknown outlet": (lambda G: G.connect(0, 1, outlet="side"), "outlet: 'side' of node 0.*in"),
    "unknown inlet": (lambda G: G.connect(0, 1, inlet="side"), "inlet: 'side' of node 1"),
    "outlet of no name": (lambda G: G.connect(0, 1, outlet=0), "outlet"),
    "inlet of no name": (lambda G: G.connect(0, 1, inlet=["main"]), "inlet"),
    "into a source": (lambda G: G.connect(1, 0), "inlet"),
    "self edge": (lambda G: G.connect(ids_of(G, "eq")[0], ids_of(G, "eq")[0]), "itself"),
    "duplicate": (lambda G: G.connect(0, ids_of(G, "eq")[0]), "existing"),
    "empty chain": (lambda G: G.add_serial_chain([]), "at least one"),
    "unknown type in chain": (lambda G: G.add_serial_chain(["in", "eq", "reverb"]), "reverb"),
    "in within chain": (lambda G: G.add_serial_chain(["eq", "in"]), "inlet.*node 1 of the chain"),
    "out within chain": (lambda G: G.add_serial_chain(["out", "eq"]), "outlet.*node 0 of the chain"),
    "no main outlet in chain": (lambda G: G.add_serial_chain(["in", "split", "eq"]), "node 1 of the chain"),
    "unknown entry in chain": (lambda G: G.add_serial_chain([{"node_type": "eq", "gain": 3}]), "gain"),
    "odd entries in chain": (lambda G: G.add_serial_chain([{"node_type": "eq", "gain": 3, 4: 5}]), "gain"),
    "no type in chain": (lambda G: G.add_serial_chain(["in", {"name": "x"}]), "None"),
    "number in chain": (lambda G: G.add_serial_chain(["in", 3]), "node 1 of the chain"),
    "none in chain": (lambda G: G.add_serial_chain([None]), "node 0 of the chain"),
    "name in chain": (lambda G: G.add_serial_chain(["in", {"node_type": "eq", "name": 5}]), "node 1 of the chain"),
    "bypass nothing": (lambda G: G.bypass(99), "99"),
    "bypass in": (lambda G: G.bypass(0), "'in'"),
    "bypass out": (lambda G: G.bypass(ids_of(G, "out")[0]), "'out'"),
    "bypass generator": (lambda G: G.bypass(ids_of(G, "tone")[0]), "'tone' has no inlet.*Remove it instead"),
    "insert unknown type": (lambda G: insert(G, "reverb", "ring", "out"), "reverb.*only allows"),
    "insert type of no name": (lambda G: insert(G, ["eq"], "ring", "out"), "not a string"),
    "insert with odd name": (lambda G: insert(G, "eq", "ring", "out", name=5), "name of a eq node.*5"),
    "insert in": (lambda G: insert(G, "in", "ring", "out"), "'in' has no inlet"),
    "insert out": (lambda G: insert(G, "out", "ring", "out"), "'out' has no outlet"),
    "insert after nothing": (lambda G: G.insert("eq", 99, 0), "Node 99 is not"),
    "insert before nothing": (lambda G: G.insert("eq", 0, [1]), r"Node \[1\] is not"),
    "insert into no cable": (lambda G: insert(G, "eq", "in", "out"), r"0 \(in\) <main> .* there is none"),
    "insert into another cable": (
        lambda G: insert(G, "eq", "split", "ring"),
        r"\(split\) <main> -> .* there is <low> -> <main>, <high> -> <main>",
    ),
    "insert at no outlet": (lambda G: insert(G, "eq", "ring", "out", outlet=None), "<None>"),
    "replace nothing": (lambda G: G.replace(99, "eq"), "Node 99 is not"),
    "replace by unknown": (lambda G: G.replace(0, "reverb"), "reverb.*only allows"),
    "replace by no type": (lambda G: G.replace(0, None), "None is not a string"),
    "replace with odd name": (lambda G: G.replace(0, "eq", name=5), "name of a eq node.*5"),
    "replace without inlet": (lambda G: G.replace(ids_of(G, "ring")[0], "eq"), r"eq, which lacks the inlet.*<side>"),
    "replace without outlets": (
        lambda G: G.replace(ids_of(G, "split")[0], "out"),
        r"\(split\) cannot become a out.*the outlet\(s\) <low>, <high> that",
    ),
    "replace without either": (lambda G: G.replace(ids_of(G, "split")[0], "tone"), "<main> and the outlet.*<low>, <h"),
    "merge nothing": (lambda G: G.merge(None), "NoneType"),
    "merge plain graph": (lambda G: G.merge(nx.MultiDiGraph()), "GRAFX, not a MultiDiGraph"),
    "merge batch": (lambda G: G.merge(batch_grafx([GRAFX(), GRAFX()])), "batch"),
    "merge unknown type": (lambda G: G.merge(one_node("reverb")), "reverb.*expected one of"),
    "merge other meaning": (
        lambda G: G.merge(one_node("ring", NodeConfigs(["ring"]))),
        "ring has .*'side'.* here, but",
    ),
    "merge malformed": (lambda G: G.merge(nx.relabel_nodes(build(), {0: "a"})), "Node id 'a'"),
}


def insert(G, node_type, source_type, dest_type, **options):
    return G.insert(node_type, ids_of(G, source_type)[0], ids_of(G, dest_type)[0], **options)


def one_node(node_type, config=None):
    G = GRAFX(config=config)
    G.add(node_type)
    return G


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_operation_leaves_the_graph_as_it_was(case, invalid_op, scheduled, snapshot):
    operation, message = REFUSED[case]
    G = build(invalid_op)
    if scheduled:
        G = reorder_for_fast_render(G)
        assert G.invalid_op == invalid_op
    before = snapshot(G)
    if invalid_op == "error":
        with pytest.raises(GraphError, match=message):
            operation(G)
    elif invalid_op == "warn":
        with pytest.warns(UserWarning, match=message) as record:
            assert operation(G) is None
        assert len(record) == 1 and record[0].filename == __file__
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert operation(G) is None
    assert snapshot(G) == before


def test_add_gives_ascending_ids():
    G = GRAFX()
    assert [G.add("in"), G.add("eq", name="x"), G.add("out", parameters={"a": 1})] == [0, 1, 2]
    assert G.nodes[1] == {"node_type": "eq", "parameters": None, "name": "x"}
    assert G.nodes[2] == {"node_type": "out", "parameters": {"a": 1}, "name": None}
    assert G.counter == 3 and G.consecutive_ids
    G.remove(2)
    assert G.add("eq") == 3
    G.remove(3)
    assert G.counter == 4


@pytest.mark.parametrize("operation", [lambda G: G.remove(2), lambda G: G.remove(0), lambda G: G.bypass(1)])
def test_ids_are_not_consecutive_after_a_removal_until_somebody_says_so(operation):
    G = GRAFX()
    G.add_serial_chain(["in", "eq", "out"])
    assert G.consecutive_ids is G.graph["consecutive_ids"] is True
    operation(G)
    assert G.consecutive_ids is G.graph["consecutive_ids"] is False
    assert G.copy().consecutive_ids is False
    G = nx.convert_node_labels_to_integers(G)
    G.consecutive_ids = True
    assert G.consecutive_ids is G.graph["consecutive_ids"] is True
    G.clear()
    assert G.consecutive_ids


def test_consecutive_ids_can_be_set_but_gaps_stay_gaps():
    G = GRAFX()
    G.consecutive_ids = False
    assert not G.consecutive_ids and not G.graph["consecutive_ids"]
    G.consecutive_ids = True
    assert G.add("in") == 0 and G.consecutive_ids
    G.add_node(2, node_type="out")
    assert not G.consecutive_ids
    G.consecutive_ids = True
    assert not G.consecutive_ids


def test_add_never_replaces_a_node_that_networkx_added():
    G = GRAFX()
    G.add_node(0, node_type="in", parameters=None, name="first")
    added = G.add("out")
    assert G.nodes[0]["name"] == "first" and G.nodes[added]["node_type"] == "out"


def test_remove_returns_the_edges():
    G = build()
    sources, dests = G.remove(3)
    assert sources == [
        (2, 3, {"outlet": "low", "inlet": "main"}),
        (2, 3, {"outlet": "high", "inlet": "main"}),
        (5, 3, {"outlet": "main", "inlet": "side"}),
    ]
    assert dests == [(3, 4, {"outlet": "main", "inlet": "main"})]
    assert 3 not in G and G.number_of_edges() == 2


def test_connect_returns_the_key():
    G = GRAFX(config=CONFIG)
    split, ring = G.add("split"), G.add("ring")
    keys = [
        G.connect(split, ring, outlet=outlet, inlet=inlet) for outlet in ("low", "high") for inlet in ("main", "side")
    ]
    assert keys == [0, 1, 2, 3]
    assert G.edges[split, ring, 3] == {"outlet": "high", "inlet": "side"}


def test_without_config_everything_goes():
    G = GRAFX()
    a, b = G.add("anything"), G.add("else")
    assert G.connect(a, b, outlet="x", inlet="y") == 0
    assert G.config is None and G.config_hash is None
    with pytest.raises(GraphError, match="existing"):
        G.connect(a, b, outlet="x", inlet="y")
    with pytest.raises(GraphError, match="outlet"):
        G.connect(a, b, outlet=5)


def test_a_cable_with_attributes_is_an_existing_one():
    G = GRAFX()
    a, b = G.add_serial_chain(["in", "out"])
    G.edges[a, b, 0]["color"] = "red"
    with pytest.raises(GraphError, match="existing"):
        G.connect(a, b)


@pytest.mark.parametrize("ends", [("eq", "in"), ("out", "eq"), ("in", "mix", "main", "side")])
def test_built_in_types_mean_the_same_without_config(ends):
    G = GRAFX()
    a, b = G.add(ends[0]), G.add(ends[1])
    with pytest.raises(GraphError, match="only accepts"):
        G.connect(a, b, *ends[2:])


def test_nodes_that_networkx_added_without_a_type_cannot_be_connected():
    G = GRAFX()
    G.add_node(G.add("in") + 1)
    with pytest.raises(GraphError, match=r"Node 1 has no node_type.*GRAFX\.replace"):
        G.connect(0, 1)
    assert G.replace(1, "eq") == 1 and G.nodes[1] == {"node_type": "eq", "parameters": None, "name": None}
    assert G.connect(0, 1) == 0


def test_serial_chains():
    G = GRAFX(config=CONFIG)
    assert G.add_serial_chain(["eq"]) == (0, 0)
    assert G.add_serial_chain(t for t in ["in", {"node_type": "eq", "parameters": {"a": 1}, "name": "x"}, "out"]) == (
        1,
        3,
    )
    assert G.nodes[2] == {"node_type": "eq", "parameters": {"a": 1}, "name": "x"}
    assert list(G.edges(data=True)) == [
        (1, 2, {"outlet": "main", "inlet": "main"}),
        (2, 3, {"outlet": "main", "inlet": "main"}),
    ]
    ends = [{"node_type": "ring"}, "eq", "split"]
    assert G.add_serial_chain(ends) == (4, 6)
    assert ends == [{"node_type": "ring"}, "eq", "split"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda G: G.add("eq"),
        lambda G: G.remove(0),
        lambda G: G.connect(0, 4),
        lambda G: G.add_serial_chain(["in", "out"]),
        lambda G: G.bypass(ids_of(G, "eq")[0]),
        lambda G: G.insert("eq", 0, 1),
        lambda G: G.replace(1, "ring"),
        lambda G: G.merge(G),
    ],
)
def test_an_edit_forgets_the_schedule(edit):
    G = reorder_for_fast_render(GRAFX_chain())
    assert G.rendering_order_method == "beam" and G.type_sequence
    edit(G)
    assert G.rendering_order_method is None and G.type_sequence is None
    assert not any("rendering_order" in data for _, data in G.nodes(data=True))


def GRAFX_chain():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", "eq", "eq", "eq", "out"])
    return G


def test_properties_live_in_the_graph_attributes():
    G = GRAFX(config=CONFIG, invalid_op="mute")
    names = [
        "counter",
        "consecutive_ids",
        "batch",
        "config",
        "config_hash",
        "invalid_op",
        "rendering_order_method",
        "type_sequence",
    ]
    assert set(names) == set(G.graph)
    for name in names:
        assert getattr(G, name) == G.graph[name]
    assert (G.counter, G.consecutive_ids, G.batch) == (0, True, False)
    assert G.config_hash == CONFIG.content_hash
    for name in ("batch", "rendering_order_method", "type_sequence"):
        setattr(G, name, "changed")
        assert getattr(G, name) == G.graph[name] == "changed"
    G.counter = 7
    assert G.counter == G.graph["counter"] == G.add("in") == 7
    for name in ("config", "config_hash"):
        with pytest.raises(GraphError, match=f"{name} cannot be changed"):
            setattr(G, name, None)
    G.invalid_op = "error"
    with pytest.raises(GraphError):
        G.add("reverb")
    with pytest.raises(GraphError, match="explode"):
        G.invalid_op = "explode"
    assert G.invalid_op == "error"


@pytest.mark.parametrize(
    "arguments", [{"config": ["eq"]}, {"config": {}}, {"invalid_op": "explode"}, {"invalid_op": None}]
)
def test_misshapen_arguments_are_refused(arguments):
    with pytest.raises(GraphError, match=next(iter(arguments))):
        GRAFX(**arguments)


def test_raise_warning_does_what_invalid_op_says():
    G = GRAFX()
    with pytest.raises(GraphError, match=r"^text$"):
        G.raise_warning("text")
    G.invalid_op = "warn"
    with pytest.warns(UserWarning, match=r"^text$"):
        G.raise_warning("text")
    G.invalid_op = "mute"
    assert G.raise_warning("text") is None


def test_graph_errors_are_value_errors():
    with pytest.raises(ValueError):
        GRAFX().remove(0)


def test_text():
    G = build()
    lines = str(G).splitlines()
    assert lines[0] == "GRAFX with 6 nodes & 6 edges"
    assert "[1] eq 'warm' -> [2] split" in lines[2]
    assert "[2] split -> <low> -> <main> [3] ring, <high> -> <main> [3] ring" in lines[3]
    assert lines[5].strip() == "[4] out"
    assert str(GRAFX()) == "GRAFX with 0 nodes & 0 edges"


def test_the_text_of_a_large_graph_is_short():
    G = GRAFX()
    G.add_serial_chain(["in", *["eq"] * 58, "out"])
    assert len(str(G).splitlines()) == 61 and "more" not in str(G)
    hub = G.add("mix")
    for _ in range(40):
        G.connect(hub, G.add("eq"))
    lines = str(G).splitlines()
    assert len(lines) == 62 and lines[0] == "GRAFX with 101 nodes & 99 edges"
    assert lines[51] == "  … 41 more" and lines[-1] == "  [100] eq" and lines[52] == "  [91] eq"
    assert max(map(len, str(G.subgraph([hub, *range(61, 101)])).splitlines())) < 120


def test_repr_is_short():
    assert repr(build()) == "GRAFX(6 nodes, 6 edges: 1 in, 1 eq, 1 split, 1 ring, 1 out, 1 tone)"
    assert repr(build().subgraph([1])) == "GRAFX(1 node, 0 edges: 1 eq)"
    assert repr(GRAFX()) == "GRAFX(0 nodes, 0 edges)"
    G = GRAFX()
    for i in range(20):
        G.add(f"eq{i}")
    assert repr(G).endswith("1 eq6, 1 eq7, …)")


def test_text_of_what_networkx_added():
    G = GRAFX()
    G.add_edge(0, 1)
    assert "[0] None" in str(G) and "2 None" in repr(G)


def test_clear_keeps_the_config():
    G = build("mute")
    G.clear()
    assert len(G) == 0 and G.counter == 0 and G.config is CONFIG and G.invalid_op == "mute"
    assert G.add("eq") == 0


def test_a_name_is_a_string(invalid_op):
    G = build(invalid_op)
    nodes = len(G)
    if invalid_op == "error":
        with pytest.raises(GraphError, match="name of a eq node must be a string, not 5"):
            G.add("eq", name=5)
    elif invalid_op == "mute":
        assert G.add("eq", name=5) is None
    assert len(G) == nodes


@pytest.mark.parametrize("chain", ["eq", {"node_type": "eq"}, None, 3])
def test_a_chain_is_a_list(chain):
    with pytest.raises(GraphError, match="A serial chain is a list"):
        GRAFX().add_serial_chain(chain)


def test_like_another_graph_with_and_without_its_nodes():
    G = GRAFX(config=NodeConfigs(["eq", "reverb"]), invalid_op="mute")
    G.add_serial_chain(["in", "eq", {"node_type": "reverb", "name": "hall"}, "out"])
    G.graph["title"] = "song"
    G = reorder_for_fast_render(G, "greedy")
    empty = GRAFX.like(G)
    assert (empty.config, empty.invalid_op, empty.graph["title"], len(empty)) == (G.config, "mute", "song", 0)
    assert empty.graph.keys() == G.graph.keys() and empty.rendering_order_method is empty.type_sequence is None
    assert empty.add("eq") == 0 and empty.consecutive_ids

    whole = GRAFX.like(G, G.nodes(data=True), G.edges(keys=True, data=True))
    assert nx.utils.graphs_equal(whole, G) and whole.graph == G.graph
    whole.nodes[0]["name"] = "changed"
    whole.graph["title"] = "other"
    assert G.nodes[0]["name"] is None and G.graph["title"] == "song"

    other = NodeConfigs(["eq", "reverb", "delay"])
    assert GRAFX.like(G, config=other).graph == {**empty.graph, "counter": 0, **of_config(other)}


def of_config(config):
    return {"config": config, "config_hash": config.content_hash}
