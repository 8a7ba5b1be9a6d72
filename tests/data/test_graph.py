import copy
import pickle
import warnings

import networkx as nx
import pytest

from grafx.data import GRAFX, GraphError, NodeConfigs
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
    "bypass nothing": (lambda G: G.bypass(99), "99"),
    "bypass in": (lambda G: G.bypass(0), "'in'"),
    "bypass out": (lambda G: G.bypass(ids_of(G, "out")[0]), "'out'"),
}


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


def test_bypass_connects_what_was_around():
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


def test_bypass_of_nodes_with_loose_ends():
    G = GRAFX(config=CONFIG)
    first, last = G.add_serial_chain(["eq", "eq"])
    assert G.bypass(last) == ([(first, last, {"outlet": "main", "inlet": "main"})], [])
    assert G.bypass(first) == ([], [])
    assert len(G) == 0


@pytest.mark.parametrize("way", ["direct", "merged", "round"])
def test_bypass_that_would_double_a_cable_is_refused(way, snapshot):
    G = GRAFX(config=CONFIG)
    source, eq, out = (G.add(t) for t in ("tone", "ring", "out"))
    G.connect(source, eq)
    G.connect(eq, out)
    if way == "direct":
        G.connect(source, out)
    elif way == "merged":
        G.connect(source, eq, inlet="side")
    else:
        source = G.add("mix")
        G.connect(source, eq)
        G.connect(eq, source)
    before = snapshot(G)
    with pytest.raises(GraphError, match="itself" if way == "round" else "twice"):
        G.bypass(eq)
    assert snapshot(G) == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda G: G.add("eq"),
        lambda G: G.remove(0),
        lambda G: G.connect(0, 4),
        lambda G: G.add_serial_chain(["in", "out"]),
        lambda G: G.bypass(ids_of(G, "eq")[0]),
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
        assert getattr(G, name) is G.graph[name]
    assert (G.counter, G.consecutive_ids, G.batch) == (0, True, False)
    assert G.config_hash == CONFIG.content_hash
    for name in ("counter", "consecutive_ids", "batch", "rendering_order_method", "type_sequence"):
        setattr(G, name, "changed")
        assert G.graph[name] == "changed"
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


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda G: pickle.loads(pickle.dumps(G)), GRAFX.copy])
def test_copies_are_independent(clone, snapshot):
    G = build("warn")
    before = snapshot(G)
    H = clone(G)
    assert type(H) is GRAFX and snapshot(H) == before
    H.connect(H.add("eq"), 4)
    H.remove(0)
    assert snapshot(G) == before
    assert H.invalid_op == "warn" and H.config == CONFIG


def test_networkx_views_and_functions():
    G = build()
    view = G.subgraph([0, 1, 2])
    assert isinstance(view, GRAFX) and view.number_of_edges() == 2 and view.config == CONFIG
    assert "3 nodes & 2 edges" in str(view)
    with pytest.raises(nx.NetworkXError):
        view.add("eq")
    assert G.counter == 6
    part = view.copy()
    assert part.add("eq") == 6 and len(G) == 6
    renamed = nx.convert_node_labels_to_integers(part, first_label=10)
    assert isinstance(renamed, GRAFX) and renamed.config == CONFIG
    assert renamed.add("eq") not in (10, 11, 12, 13) and len(renamed) == 5
    assert nx.is_directed_acyclic_graph(G)
    assert list(nx.topological_sort(G))[-1] == 4


def test_text():
    G = build()
    lines = str(G).splitlines()
    assert lines[0] == "GRAFX with 6 nodes & 6 edges"
    assert "[1] eq 'warm' -> [2] split" in lines[2]
    assert "[2] split -> <low> -> <main> [3] ring, <high> -> <main> [3] ring" in lines[3]
    assert lines[5].strip() == "[4] out"
    assert str(GRAFX()) == "GRAFX with 0 nodes & 0 edges"


def test_text_of_what_networkx_added():
    G = GRAFX()
    G.add_edge(0, 1)
    assert "[0] None" in str(G)


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
