import doctest

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grafx.data import GRAFX, GraphError, NodeConfigs
from grafx.render import RenderError, prepare_render, reorder_for_fast_render

CONFIG = NodeConfigs(
    {"eq": {}, "split": {"outlets": ["low", "high"]}, "ring": {"inlets": ["main", "side"]}, "tone": {"inlets": []}}
)
MAIN = {"outlet": "main", "inlet": "main"}


def chain(config=CONFIG):
    """in(0) -> eq(1) -> eq(2) -> out(3)"""
    G = GRAFX(config=config)
    G.add_serial_chain(["in", "eq", "eq", "out"])
    return G


def with_node(*nodes):
    """The chain, with nodes that raw networkx calls add."""
    G = chain()
    for node_id, data in nodes:
        G.add_node(node_id, **data)
    return G


def with_edge(source_id, dest_id, **data):
    G = chain()
    G.add_edge(source_id, dest_id, **data)
    return G


def without_edge(source_id, dest_id):
    G = chain()
    G.remove_edge(source_id, dest_id)
    return G


def without_config(*types):
    G = GRAFX()
    ids = [G.add(node_type) for node_type in types]
    G.connect(ids[0], ids[-1])
    return G


def raw_without_config():
    G = GRAFX()
    G.add_edge(0, 1)
    return G


PROBLEMS = {
    "string id": (
        lambda: nx.relabel_nodes(chain(), {0: "vocals"}),
        ["Node id 'vocals' is of type str, expected an integer: use networkx.convert_node_labels_to_integers."],
    ),
    "tuple and float ids": (
        lambda: with_node(((1, 2), {"node_type": "in"}), (0.5, {"node_type": "in"})),
        ["Node id (1, 2) is of type tuple, expected an integer", "Node id 0.5 is of type float, expected an integer"],
    ),
    "no type": (lambda: with_node((7, {})), ["Node 7 has no node_type: add nodes with GRAFX.add"]),
    "type None": (lambda: with_node((7, {"node_type": None})), ["Node 7 has the node_type None, expected a string"]),
    "unhashable type": (lambda: with_node((7, {"node_type": ["eq"]})), ["Node 7 has the node_type ['eq'], expected a"]),
    "unknown type": (
        lambda: with_node((7, {"node_type": "reverb"})),
        ["Node 7 has the node_type 'reverb', expected one of ['in', 'out', 'mix', 'eq', 'split', 'ring', 'tone']: use"],
    ),
    "no outlet": (
        lambda: with_edge(0, 2, inlet="main"),
        ["Edge 0 (in) -> 2 (eq) has no outlet, expected one of ['main']: connect nodes with GRAFX.connect."],
    ),
    "no outlet and inlet": (
        lambda: with_edge(0, 2),
        ["Edge 0 (in) -> 2 (eq) has no outlet, expected one", "Edge 0 (in) -> 2 (eq) has no inlet, expected one of"],
    ),
    "unknown outlet": (
        lambda: with_edge(0, 2, outlet="low", inlet="main"),
        ["Edge 0 (in) -> 2 (eq) has the outlet 'low', expected one of ['main']: remove it and use GRAFX.connect."],
    ),
    "unknown inlet": (
        lambda: with_edge(0, 2, outlet="main", inlet="side"),
        ["Edge 0 (in) -> 2 (eq) has the inlet 'side', expected one of ['main']: remove it and use"],
    ),
    "number and list as plugs": (
        lambda: with_edge(0, 2, outlet=0, inlet=["main"]),
        ["Edge 0 (in) -> 2 (eq) has the outlet 0, expected", "Edge 0 (in) -> 2 (eq) has the inlet ['main'], expected"],
    ),
    "into a source": (
        lambda: with_edge(1, 0, **MAIN),
        [
            "Edge 1 (eq) -> 0 (in) has the inlet 'main', expected a node that has inlets: remove",
            "There is a cycle 0 (in) -> 1 (eq) -> 0 (in), which renders in blocks only: remove one of its cables.",
        ],
    ),
    "duplicate": (
        lambda: with_edge(0, 1, **MAIN, color="red"),
        ["Edge 0 (in) <main> -> 1 (eq) <main> is there 2 times, expected once: remove the others."],
    ),
    "no outlet beside a good cable": (
        lambda: with_edge(0, 1, inlet="main"),
        ["Edge 0 (in) -> 1 (eq) (key 1) has no outlet, expected one of ['main']: connect"],
    ),
    "self edge": (
        lambda: with_edge(2, 2, **MAIN),
        ["Edge 2 (eq) -> 2 (eq) feeds a node with its own output, which cannot be rendered: remove it."],
    ),
    "cycle": (
        lambda: with_edge(2, 1, **MAIN),
        ["There is a cycle 1 (eq) -> 2 (eq) -> 1 (eq), which renders in blocks only: remove one of its cables."],
    ),
    "nothing connected": (
        lambda: without_edge(1, 2),
        [
            "Nothing is connected to the inlet 'main' of node 2 (eq): connect a source to it or remove the node.",
        ],
    ),
    "no output": (
        lambda: chain().subgraph([0, 1, 2]),
        ["The graph has no 'out' node: add one and connect to it what should be heard."],
    ),
    "nothing": (GRAFX, ["The graph has no 'out' node"]),
    "a generator without config": (
        lambda: without_config("tone", "out"),
        [
            "Nothing is connected to the inlet 'main' of node 0 (tone): connect a source to it or remove the node. A"
            " generator needs a config that gives it no inlets: NodeConfigs({'tone': {'inlets': []}})."
        ],
    ),
    "a loose mix without config": (
        lambda: without_config("in", "mix", "out"),
        ["Nothing is connected to the inlet 'main' of node 1 (mix): connect a source to it or remove the node."],
    ),
    "no type and no plugs without config": (
        raw_without_config,
        [
            "Node 0 has no node_type",
            "Node 1 has no node_type",
            "Edge 0 (no type) -> 1 (no type) has no outlet, expected a name: connect",
            "Edge 0 (no type) -> 1 (no type) has no inlet, expected a name",
            "The graph has no 'out' node",
        ],
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_each_problem_is_named_and_the_graph_stays(case, snapshot):
    build, messages = PROBLEMS[case]
    G = build()
    before = snapshot(G)
    problems = G.validate()
    assert len(problems) == len(messages), problems
    for problem, message in zip(problems, messages, strict=True):
        assert problem.startswith(message), problems
        assert problem.endswith(".")
    assert snapshot(G) == before


@pytest.mark.parametrize("case", [case for case in PROBLEMS if case != "duplicate"])
def test_what_is_reported_cannot_be_rendered(case):
    with pytest.raises((GraphError, RenderError)):
        prepare_render(reorder_for_fast_render(PROBLEMS[case][0]()))


def test_all_problems_come_at_once():
    G = chain()
    G.add_node("a")
    G.add_node(9, node_type="reverb")
    G.add_edge(1, 1, **MAIN)
    G.add_edge(2, 1, **MAIN)
    G.add_edge(0, 1, outlet="low", inlet="main")
    G.remove_node(3)
    problems = G.validate()
    found = ["Node id 'a'", "Node 'a' has no node_type", "Node 9", "Edge 0", "Edge 1", "There is a cycle", "The graph"]
    assert [problem[: len(start)] for problem, start in zip(problems, found, strict=True)] == found


def test_every_knot_of_cycles_is_reported_once():
    G = GRAFX(config=CONFIG)
    a, b, c, d, e, f = (G.add("eq") for _ in range(6))
    for source_id, dest_id in [(a, b), (b, a), (b, c), (c, b), (c, d), (d, e), (e, f), (f, d)]:
        G.connect(source_id, dest_id)
    problems = [problem for problem in G.validate() if "cycle" in problem]
    assert len(problems) == 2
    (pairs,) = [problem for problem in problems if "1 (eq)" in problem]
    (ring,) = [problem for problem in problems if "4 (eq)" in problem]
    assert pairs.count("->") == 2 and "(eq), one of those among 3 nodes, which" in pairs
    assert ring.count("->") == 3 and "among" not in ring and all(f"{v} (eq)" in ring for v in (d, e, f))


def test_a_self_edge_does_not_hide_a_cycle():
    G = without_edge(1, 2)
    G.add_edges_from([(1, 1, MAIN), (1, 2, MAIN), (2, 1, MAIN)])
    self_edge, cycle = G.validate()
    assert self_edge.startswith("Edge 1 (eq) -> 1 (eq) feeds") and "1 (eq) -> 2 (eq) -> 1 (eq), which" in cycle


def test_a_node_with_a_sidechain_is_no_generator():
    G = chain(None)
    G.connect(0, G.add("duck"), inlet="side")
    (problem,) = G.validate()
    assert problem.endswith("of node 4 (duck): connect a source to it or remove the node.")


def test_ids_that_do_not_compare():
    G = chain()
    G.add_edge((1, 2), np.int64(6), **MAIN)
    assert len(G.validate()) == 3


def test_inlets_other_than_the_first_may_be_silent():
    G = GRAFX(config=CONFIG)
    source, ring, out = G.add("in"), G.add("ring"), G.add("out")
    G.connect(source, ring, inlet="side")
    G.connect(ring, out)
    assert G.validate() == [
        f"Nothing is connected to the inlet 'main' of node {ring} (ring): connect a source to it or remove the node."
    ]
    G.connect(source, ring)
    G.remove_edge(source, ring, 0)
    assert G.validate() == []


@pytest.mark.parametrize("config", [CONFIG, None])
def test_a_good_graph_has_no_problems(config):
    G = chain(config)
    split, tone = G.add("split"), G.add("tone") if config else G.add("in")
    G.connect(0, split)
    G.connect(split, 3, outlet="high")
    G.connect(tone, 3)
    assert G.validate() == []
    prepare_render(reorder_for_fast_render(G))


ANYTHING = [
    None,
    3,
    2.5,
    "main",
    "side",
    "eq",
    ["eq"],
    {"a": 1},
    {1},
    np.arange(3),
    np.array("main"),
    b"main",
    object(),
]


@settings(deadline=None, derandomize=True, database=None, max_examples=200)
@given(data=st.data())
def test_validate_never_raises_and_what_it_accepts_can_be_rendered(data):
    """On a good graph with anything raw networkx calls can do to it."""
    G = chain(data.draw(st.sampled_from([CONFIG, None])))
    ids = st.sampled_from([0, 1, 2, 3, 4, 5, "a", (1, 2), 0.5, np.int64(6), -1, frozenset()])
    values = st.integers(0, len(ANYTHING) - 1).map(ANYTHING.__getitem__)
    good = st.fixed_dictionaries({}, optional={"outlet": st.just("main"), "inlet": st.just("main")})
    types = st.fixed_dictionaries({"node_type": st.sampled_from(["in", "eq", "out", "ring", "tone", "mix"])})
    for call in data.draw(st.lists(st.sampled_from(["node", "edge", "good", "remove", "cut"]), max_size=6)):
        if call == "node":
            odd = st.dictionaries(st.sampled_from(["node_type", "name", "x"]), values)
            G.add_node(data.draw(ids), **data.draw(st.one_of(types, odd)))
        elif call == "edge":
            odd = st.dictionaries(st.sampled_from(["outlet", "inlet", "x"]), values)
            G.add_edge(data.draw(ids), data.draw(ids), **data.draw(st.one_of(good, odd)))
        elif call == "good":
            G.add_edge(data.draw(ids), data.draw(ids), **MAIN)
        elif call == "remove":
            G.remove_nodes_from([data.draw(ids)])
        elif G.number_of_edges():
            G.remove_edge(*data.draw(st.sampled_from(list(G.edges))))
    problems = G.validate()
    assert all(isinstance(problem, str) and len(problem) < 400 for problem in problems)
    assert len(set(problems)) == len(problems)
    try:
        prepare_render(reorder_for_fast_render(G))
    except Exception:
        assert problems
    else:
        # A doubled cable is rendered as two.
        assert all("times, expected once" in problem for problem in problems)


def test_long_values_are_shown_in_short():
    G = chain()
    G.nodes[1]["node_type"] = list(range(1000))
    G.edges[0, 1, 0]["inlet"] = "x" * 1000
    problems = G.validate()
    assert "[0, 1, 2, 3, 4, 5, ...]" in problems[0] and all(len(problem) < 200 for problem in problems)


def test_a_view_is_validated_as_what_it_shows():
    G = with_edge(2, 1, **MAIN)
    assert len(G.validate()) == 1
    assert G.edge_subgraph([edge for edge in G.edges if edge[:2] != (2, 1)]).validate() == []


@pytest.mark.slow
def test_a_long_chain_and_a_large_knot_take_no_recursion():
    G = GRAFX()
    first, last = G.add_serial_chain(["in", *["eq"] * 5000, "out"])
    assert G.validate() == []
    G.connect(last - 1, first + 1)
    (problem,) = G.validate()
    assert problem.count("->") == 5000


def test_the_example_in_the_documentation():
    (example,) = doctest.DocTestFinder().find(
        GRAFX.validate, "validate", globs={"GRAFX": GRAFX, "NodeConfigs": NodeConfigs}
    )
    assert example.examples and doctest.DocTestRunner().run(example).failed == 0
