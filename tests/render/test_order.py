import itertools
import random
import re
import warnings

import networkx as nx
import pytest
import torch

from grafx.data import GRAFX, GraphError, NodeConfigs, convert_to_tensor
from grafx.render import compute_render_order, prepare_render, reorder_for_fast_render

METHODS = ["one-by-one", "fixed", "greedy", "beam", "optimal"]
TYPES = ["a", "b", "c", "d"]


def chains(seed, num_chains=6, shortest=1, longest=7, types=TYPES):
    """Parallel chains of random types that meet at the output, as a mixing console has them."""
    rng = random.Random(seed)
    G = GRAFX(config=NodeConfigs(types))
    out = G.add("out")
    for _ in range(num_chains):
        _, last = G.add_serial_chain(["in", *rng.choices(types, k=rng.randint(shortest, longest))])
        G.connect(last, out)
    return G


def tangle(seed, num_nodes):
    """A random acyclic graph whose ids follow no order and have gaps."""
    rng = random.Random(seed)
    G = GRAFX(config=NodeConfigs(TYPES))
    types = rng.choices([*TYPES, "mix"], k=num_nodes)
    ids = {}
    for node in rng.sample(range(-1, num_nodes + 1), num_nodes + 2):
        if rng.random() < 0.2:
            G.remove(G.add("mix"))
        ids[node] = G.add("in" if node == -1 else "out" if node == num_nodes else types[node])
    for node in range(num_nodes + 1):
        for source in rng.sample(range(-1, node), k=min(node + 1, rng.randint(1, 3))):
            G.connect(ids[source], ids[node])
    return G


def order(G, method, **options):
    if method == "fixed":
        options["fixed_order"] = ["mix", *TYPES] * 40
    return compute_render_order(G, method, **options)


def shortest_schedule(G):
    """The fewest steps by exhaustive search, breadth first over sets of finished nodes."""
    types = {v: d["node_type"] for v, d in G.nodes(data=True)}
    start = frozenset(v for v, t in types.items() if t == "in")
    inner = frozenset(v for v, t in types.items() if t not in ("in", "out"))
    level, seen = [start], {start}
    for steps in itertools.count():
        if any(done >= inner for done in level):
            return steps + ("in" in types.values()) + ("out" in types.values())
        following = []
        for done in level:
            ready = [v for v in inner - done if all(s in done for s in G.predecessors(v))]
            for node_type in {types[v] for v in ready}:
                state = done | {v for v in ready if types[v] == node_type}
                if state not in seen:
                    seen.add(state)
                    following.append(state)
        level = following


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(8))
def test_schedules_are_valid(method, seed):
    G = tangle(seed, num_nodes=20)
    ids = sorted(G.nodes)
    sequence, steps = order(G, method)
    assert sequence.dtype == steps.dtype == torch.long
    assert steps.shape == (len(G),) and set(steps.tolist()) == set(range(len(sequence)))
    step_of = dict(zip(ids, steps.tolist(), strict=True))
    for node in ids:
        assert G.config.node_types[sequence[step_of[node]]] == G.nodes[node]["node_type"]
    assert all(step_of[u] < step_of[v] for u, v in G.edges())
    assert sequence[0] == 0 and sequence[-1] == 1 and set(sequence[1:-1].tolist()).isdisjoint({0, 1})
    if method == "one-by-one":
        assert len(sequence) == len(G)
    else:
        for node in ids:
            if G.nodes[node]["node_type"] not in ("in", "out"):
                since = max((step_of[s] for s in G.predecessors(node)), default=-1) + 1
                passed = sequence[since : step_of[node]].tolist()
                assert G.config.node_type_to_index[G.nodes[node]["node_type"]] not in passed, "a ready node waited"


@pytest.mark.parametrize("method", METHODS)
def test_tensors_are_scheduled_like_the_graph(method):
    G = tangle(3, num_nodes=20)
    for found, expected in zip(order(convert_to_tensor(G), method), order(G, method), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("seed", range(40))
def test_beam_is_never_longer_than_greedy(seed):
    G = chains(seed) if seed % 2 else tangle(seed, num_nodes=30)
    assert len(order(G, "beam")[0]) <= len(order(G, "greedy")[0])


@pytest.mark.parametrize("method", ["beam", "optimal"])
@pytest.mark.parametrize("seed", range(30))
def test_the_shortest_schedule_of_small_graphs_is_found(seed, method):
    G = chains(seed, num_chains=3, longest=4) if seed % 2 else tangle(seed, num_nodes=9)
    assert len(order(G, method)[0]) == shortest_schedule(G)


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_of_larger_graphs_is_the_shortest_schedule(seed):
    G = chains(seed, num_chains=4, longest=6) if seed % 2 else tangle(seed, num_nodes=16)
    assert len(order(G, "optimal")[0]) == shortest_schedule(G)


@pytest.mark.slow
def test_beam_is_close_to_the_optimum_and_far_below_greedy():
    graphs = [chains(seed, 6, shortest=3, longest=8, types=list("abcdefg")) for seed in range(100)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a search that gives up warns
        beam, optimum, greedy = (
            sum(len(order(G, method)[0]) for G in graphs) for method in ("beam", "optimal", "greedy")
        )
    assert optimum <= beam <= 1.005 * optimum
    assert greedy > 1.15 * optimum


@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_does_not_depend_on_how_nodes_are_numbered(seed):
    G = chains(seed)
    ids = list(G.nodes)
    shuffled = random.Random(seed).sample(ids, len(ids))
    relabelled = nx.relabel_nodes(G, dict(zip(ids, shuffled, strict=True)))
    assert len(order(relabelled, "optimal")[0]) == len(order(G, "optimal")[0])


def test_a_search_for_the_optimum_that_gives_up_says_what_it_found():
    G = chains(0, num_chains=40, types=list("abcdefg"))
    with pytest.warns(UserWarning, match="not proven") as caught:
        found, _ = compute_render_order(G, "optimal", max_states=3000)
    steps, at_least = map(int, re.search(r"found (\d+) steps.*at least (\d+)", str(caught[0].message)).groups())
    assert steps == len(found) and steps > at_least >= 9
    assert caught[0].filename == __file__
    assert len(found) <= len(compute_render_order(G, "beam")[0])


def test_copies_of_a_chain_are_scheduled_like_one():
    one, many = chains(3, num_chains=1, shortest=9, longest=9), GRAFX(config=NodeConfigs(TYPES))
    for _ in range(500):
        many.add_serial_chain([d["node_type"] for _, d in sorted(one.nodes(data=True)) if d["node_type"] != "out"])
    assert len(order(many, "optimal")[0]) == len(order(one, "optimal")[0]) - 1


def test_beam_beats_greedy_where_greed_does_not_pay():
    lengths = [(len(order(G, "beam")[0]), len(order(G, "greedy")[0])) for G in map(chains, range(20))]
    assert any(beam < greedy for beam, greedy in lengths)


def test_greedy_runs_the_type_with_most_ready_nodes():
    G = GRAFX(config=NodeConfigs(["a", "b", "c"]))
    for chain in (["a", "b"], ["c", "b"], ["c", "a"]):
        G.add_serial_chain(["in", *chain, "out"])
    sequence, _ = compute_render_order(G, "greedy")
    assert [G.config.node_types[t] for t in sequence] == ["in", "c", "a", "b", "out"]


def test_even_the_narrowest_beam_looks_further_than_greedy():
    graphs = [tangle(seed, num_nodes=30) for seed in range(20)]
    beam, greedy = (sum(len(order(G, method)[0]) for G in graphs) for method in ("beam", "greedy"))
    narrow = sum(len(order(G, "beam", width=1)[0]) for G in graphs)
    assert beam <= narrow < 0.9 * greedy


def test_wider_and_deeper_beams_find_valid_schedules_too():
    G = chains(1)
    lengths = [len(order(G, "beam", width=w, depth=d)[0]) for w, d in [(1, 1), (4, 2), (64, 3)]]
    assert lengths[-1] <= lengths[0]


@pytest.mark.parametrize("method", METHODS)
def test_a_chain_of_any_length(method):
    G = GRAFX(config=NodeConfigs(["a", "b"]))
    G.add_serial_chain(["in", *["a", "b"] * 1000, "out"])
    options = {"fixed_order": ["a", "b"] * 1000} if method == "fixed" else {}
    sequence, steps = compute_render_order(G, method, **options)
    assert len(sequence) == 2002
    assert steps.tolist() == list(range(2002))


@pytest.mark.parametrize("method", METHODS)
def test_graphs_without_inner_nodes(method):
    options = {"fixed_order": []} if method == "fixed" else {}
    G = GRAFX()
    sequence, steps = compute_render_order(G, method, **options)
    assert len(sequence) == len(steps) == 0
    G.add_serial_chain(["in", "out"])
    assert compute_render_order(G, method, **options)[0].tolist() == [0, 1]


def test_nodes_without_inlets_are_ready_at_once():
    G = GRAFX(config=NodeConfigs({"tone": {"inlets": []}, "a": {}}))
    G.add_serial_chain(["tone", "a", "out"])
    sequence, _ = compute_render_order(G, "beam")
    assert [G.config.node_types[t] for t in sequence] == ["tone", "a", "out"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("as_tensors", [False, True])
def test_a_cycle_is_named_and_nothing_else(method, as_tensors):
    G = GRAFX(config=NodeConfigs(TYPES))
    G.remove(G.add("a"))
    _, before = G.add_serial_chain(["in", "a"])
    first, last = G.add_serial_chain(["b", "c", "d"])
    behind, _ = G.add_serial_chain(["a", "out"])
    G.connect(before, first)
    G.connect(last, first)
    G.connect(last, behind)
    cycle = {first: "b", first + 1: "c", last: "d"}
    if as_tensors:
        G, cycle = convert_to_tensor(G), {v - 1: t for v, t in cycle.items()}
    with pytest.raises(GraphError) as error:
        compute_render_order(G, method)
    named = re.findall(r"(\d+) \((\w+)\)", str(error.value))
    assert {int(v): t for v, t in named} == cycle
    assert len(named) == 4 and named[0] == named[-1]


def test_a_node_that_feeds_itself_is_a_cycle():
    G = GRAFX(config=NodeConfigs(["a"]))
    G.add_serial_chain(["in", "a", "out"])
    nx.MultiDiGraph.add_edge(G, 1, 1, outlet="main", inlet="main")
    with pytest.raises(GraphError, match=r"cycle: 1 \(a\) -> 1 \(a\)"):
        compute_render_order(G)


@pytest.mark.parametrize("convert", [list, torch.tensor, tuple, iter])
def test_fixed_order_takes_indices_and_skips_what_is_not_ready(convert):
    G = chains(0, num_chains=1, longest=1)
    node_type = next(d["node_type"] for _, d in G.nodes(data=True) if d["node_type"] not in ("in", "out"))
    sequence, _ = compute_render_order(G, "fixed", fixed_order=convert([0, *range(2, 7), 1]))
    assert [G.config.node_types[t] for t in sequence] == ["in", node_type, "out"]


def test_fixed_order_that_ends_early_is_refused():
    G = GRAFX(config=NodeConfigs(["a", "b"]))
    G.add_serial_chain(["in", "a", "b", "a", "out"])
    with pytest.raises(GraphError, match=r"\{'a': 1\}"):
        compute_render_order(G, "fixed", fixed_order=["a", "b", "b"])


@pytest.mark.parametrize("entry", ["reverb", 5, -1])
def test_fixed_order_of_unknown_types_is_refused(entry):
    G = GRAFX(config=NodeConfigs(["a", "b"]))
    G.add_serial_chain(["in", "a", "out"])
    with pytest.raises(GraphError, match=str(entry)):
        compute_render_order(G, "fixed", fixed_order=["a", entry])


@pytest.mark.parametrize(
    "method, options, message",
    [
        ("fastest", {}, "'fastest'.*one-by-one"),
        (None, {}, "None"),
        ("greedy", {"width": 3}, "greedy.*width"),
        ("beam", {"breadth": 3}, "breadth"),
        ("beam", {"width": 0}, "at least 1"),
        ("beam", {"depth": 0}, "at least 1"),
        ("beam", {"width": "wide"}, "beam"),
        ("optimal", {"max_states": 0}, "at least 1"),
        ("optimal", {"width": 5}, "width"),
        ("fixed", {}, "fixed_order"),
        ("fixed", {"fixed_order": 3}, "fixed"),
        ("fixed", {"fixed_order": [None]}, "fixed"),
    ],
)
@pytest.mark.parametrize("call", [compute_render_order, reorder_for_fast_render])
def test_unknown_methods_and_options_are_refused(call, method, options, message):
    with pytest.raises(GraphError, match=message):
        call(chains(0), method, **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(4))
def test_reordered_graphs_are_the_same_with_consecutive_ids(method, seed):
    G = tangle(seed, num_nodes=15)
    for node, data in G.nodes(data=True):
        data.update(name=f"node {node}", parameters={"gain": node}, color=node)
    G.graph["title"] = "mine"
    before = (dict(G.graph), {v: dict(d) for v, d in G.nodes(data=True)}, list(G.edges(keys=True, data=True)))
    options = {"fixed_order": ["mix", *TYPES] * len(G)} if method == "fixed" else {}
    reordered = reorder_for_fast_render(G, method, **options)
    assert (dict(G.graph), dict(G.nodes(data=True)), list(G.edges(keys=True, data=True))) == before

    assert list(reordered.nodes) == list(range(len(G)))
    steps = [d["rendering_order"] for _, d in sorted(reordered.nodes(data=True))]
    assert steps == sorted(steps) and set(steps) == set(range(len(reordered.type_sequence)))
    for _, data in reordered.nodes(data=True):
        assert reordered.type_sequence[data["rendering_order"]] == data["node_type"]
    new_id = {int(d["name"].split()[1]): v for v, d in reordered.nodes(data=True)}
    for node, data in G.nodes(data=True):
        found = dict(reordered.nodes[new_id[node]])
        del found["rendering_order"]
        assert found == data
    expected = sorted((new_id[u], new_id[v], d["outlet"], d["inlet"]) for u, v, d in G.edges(data=True))
    assert sorted((u, v, d["outlet"], d["inlet"]) for u, v, d in reordered.edges(data=True)) == expected
    assert reordered.rendering_order_method == method
    assert reordered.counter == len(G) and reordered.consecutive_ids
    assert reordered.config == G.config and reordered.graph["title"] == "mine"
    assert prepare_render(reordered).max_order == len(reordered.type_sequence) - 1


@pytest.mark.parametrize("method", METHODS)
def test_reordered_tensors_are_the_reordered_graph(method):
    G = tangle(5, num_nodes=25)
    options = {"fixed_order": ["mix", *TYPES] * len(G)} if method == "fixed" else {}
    G_t = convert_to_tensor(G)
    types = G_t.node_types.clone()
    found = reorder_for_fast_render(G_t, method, **options)
    expected = convert_to_tensor(reorder_for_fast_render(G, method, **options))
    assert torch.equal(G_t.node_types, types) and G_t.rendering_orders is None
    assert torch.equal(found.node_types, expected.node_types)
    assert torch.equal(found.rendering_orders, expected.rendering_orders)
    assert sorted(found.edge_indices.T.tolist()) == sorted(expected.edge_indices.T.tolist())
    assert (found.rendering_order_method, found.type_sequence) == (method, expected.type_sequence)
    assert prepare_render(found) == prepare_render(expected)


def test_sources_and_outputs_keep_their_order():
    G = GRAFX(config=NodeConfigs(["a"]))
    for name in "xyz":
        out = G.add("out", name=name)
        G.connect(G.add("a"), out)
        G.connect(G.add("in", name=name), out + 1)
    G = reorder_for_fast_render(G)
    for node_type in ("in", "out"):
        assert [d["name"] for _, d in sorted(G.nodes(data=True)) if d["node_type"] == node_type] == ["x", "y", "z"]


def test_parallel_edges_through_other_plugs_survive():
    G = GRAFX(config=NodeConfigs({"split": {"outlets": ["l", "r"]}, "join": {"inlets": ["l", "r"]}}))
    source, split, join, out = (G.add(t) for t in ("in", "split", "join", "out"))
    G.connect(source, split)
    for outlet, inlet in itertools.product("lr", "lr"):
        G.connect(split, join, outlet=outlet, inlet=inlet)
    G.connect(join, out)
    assert sorted((d["outlet"], d["inlet"]) for _, _, d in reorder_for_fast_render(G).edges(data=True)) == sorted(
        (d["outlet"], d["inlet"]) for _, _, d in G.edges(data=True)
    )


def test_reordering_again_keeps_a_graph_in_order():
    once = reorder_for_fast_render(tangle(2, num_nodes=20))
    twice = reorder_for_fast_render(once)
    assert dict(once.nodes(data=True)) == dict(twice.nodes(data=True))
    assert prepare_render(once) == prepare_render(twice)
