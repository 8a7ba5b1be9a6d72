"""Any valid graph renders as the reference renderer does, in values and gradients, under every schedule."""

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grafx.data import GRAFX, NodeConfigs, batch_grafx, convert_to_tensor
from grafx.render import prepare_render, render_grafx, reorder_for_fast_render

METHODS = ["one-by-one", "fixed", "greedy", "beam", "optimal"]
SETTINGS = settings(deadline=None, derandomize=True, database=None)
NUM_SAMPLES = 7
MANY = int(os.environ.get("GRAFX_MANY", "1"))  # times as many random cases; docs/guarantees.md says what 10 is for


@st.composite
def graphs(draw, config, types, max_inner=12):
    """Graphs whose ids have gaps and follow no order; parts may be disconnected."""
    G = GRAFX(config=config)
    inner = draw(st.lists(st.sampled_from(types), max_size=max_inner))
    plan = ["in"] * draw(st.integers(1, 3)) + inner + ["out"] * draw(st.integers(1, 3))
    order = draw(st.permutations(range(len(plan))))
    gaps = draw(st.sets(st.integers(0, len(plan)), max_size=2))
    ids = {}
    for position, node in enumerate(order):
        if position in gaps:
            G.remove(G.add("mix"))
        ids[node] = G.add(plan[node])
    plugs = []
    for node, node_type in enumerate(plan):
        for inlet in config[node_type]["inlets"]:
            feeding = st.lists(st.sampled_from(plugs), min_size=inlet == "main", max_size=3, unique=True)
            for source, outlet in draw(feeding) if node_type != "in" else []:
                G.connect(ids[source], ids[node], outlet=outlet, inlet=inlet)
        plugs += [(node, outlet) for outlet in config[node_type]["outlets"]]
    return G


def schedule(G, method):
    """Also all types again and again, for a fixed order: a supersequence of what is needed."""
    options = {}
    if method == "fixed":
        types = [data["node_type"] for _, data in G.nodes(data=True)]
        options["fixed_order"] = sorted(set(types)) * len(types)
    return reorder_for_fast_render(G, method, **options)


def draw_graph(data, toys):
    some = data.draw(st.lists(st.sampled_from([*sorted(toys.make()), "mix"]), min_size=1, max_size=5, unique=True))
    return data.draw(graphs(toys.config, some))


def noise(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def assert_same(actual, expected):
    """Equal where mono counts for any number of channels."""
    torch.testing.assert_close(*torch.broadcast_tensors(actual, expected), rtol=1e-9, atol=1e-10)


def assert_same_tree(actual, expected):
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same_tree(actual[name], value)
        else:
            torch.testing.assert_close(actual[name], value, rtol=1e-9, atol=1e-10)


def weigh(tensors):
    """A scalar to which every entry contributes differently; mono and stereo copies of a signal weigh the same."""
    return sum(
        (tensor.mean(-2) * noise(*tensor.shape[:-2], tensor.shape[-1], seed=i)).sum()
        for i, tensor in enumerate(tensors)
    )


def gradients(value, inputs):
    """Zero where an input has no part in the value, as in graphs of fixed generators."""
    return torch.autograd.grad(value + sum(0 * leaf.sum() for leaf in inputs), inputs)


def per_source(data, tree, batch):
    """Independent parameters for each source, where a source is drawn to have its own."""
    return {
        name: per_source(data, value, batch)
        if isinstance(value, dict)
        else torch.stack([value.detach() * (1 + 0.1 * b) for b in range(*batch)]).requires_grad_()
        if batch and data.draw(st.booleans())
        else value
        for name, value in tree.items()
    }


def of_source(tree, shared, b):
    """What source ``b`` has, given the same tree as it is where all sources share everything."""
    return {
        name: of_source(value, shared[name], b)
        if isinstance(value, dict)
        else value[b]
        if value.ndim > shared[name].ndim
        else value
        for name, value in tree.items()
    }


@settings(SETTINGS, max_examples=MANY * 200)
@given(data=st.data())
@pytest.mark.slow
def test_random_graphs_render_as_the_reference_does(data, toys, reference_render):
    G = draw_graph(data, toys)
    G = schedule(G, data.draw(st.sampled_from(METHODS)))
    num_sources = [d["node_type"] for _, d in G.nodes(data=True)].count("in")
    batch = data.draw(st.sampled_from([(), (1,), (2,), (3,)]))
    x = noise(*batch, num_sources, data.draw(st.integers(1, 2)), NUM_SAMPLES).requires_grad_()
    processors = toys.make()
    shared = toys.parameters(processors, G)
    parameters = per_source(data, shared, batch)
    shared_common = {"weight": noise(len(G)).requires_grad_()} if data.draw(st.booleans()) else {}
    common = per_source(data, shared_common, batch)
    as_tensors = data.draw(st.booleans())
    checkpoint = data.draw(st.booleans())
    render_data = prepare_render(convert_to_tensor(G) if as_tensors else G)

    output, intermediates_list, signals = render_grafx(
        processors, x, parameters, render_data, common, input_signal_grad=True, checkpoint=checkpoint
    )

    items = [
        reference_render(G, processors, item, of_source(parameters, shared, b), of_source(common, shared_common, b))
        for b, item in enumerate(x if batch else [x])
    ]
    outs = [i for i in sorted(G.nodes) if G.nodes[i]["node_type"] == "out"]
    assert len(signals) == len(G) and output.shape[-3] == len(outs)
    for b, (expected, _) in enumerate(items):
        for row, node in enumerate(outs):
            assert_same((output[b] if batch else output)[row], expected[node][0])
        for node in G.nodes:
            found = signals[node] if isinstance(signals[node], tuple) else (signals[node],)
            assert len(found) == len(expected[node])
            for actual, wanted in zip(found, expected[node], strict=True):
                torch.testing.assert_close(actual[b] if batch else actual, wanted, rtol=1e-9, atol=1e-10)

    steps = [step for step in render_data.iter_list if step.node_type in ("meter", "split", "total")]
    assert len(intermediates_list) == len(steps)
    for step, found in zip(steps, intermediates_list, strict=True):
        for b, (_, expected) in enumerate(items):
            for row, node in enumerate(range(*step.nodes)):
                assert_same_tree(toys.take(toys.take(found, b) if batch else found, row), expected[node])

    inputs = [x, *toys.leaves(parameters), *toys.leaves(common)]
    levels = sum((d["level"] ** 2).sum() for d in intermediates_list if "level" in d)
    actual = gradients(weigh(list(output.unbind(-3))) + levels, inputs)
    rows = [torch.stack(torch.broadcast_tensors(*[expected[n][0] for expected, _ in items])) for n in outs]
    rows = rows if batch else [row[0] for row in rows]
    levels = sum(i["level"] ** 2 for _, expected in items for i in expected.values() if "level" in i)
    expected = gradients(weigh(rows) + levels, inputs)
    torch.testing.assert_close(actual, expected)


@settings(SETTINGS, max_examples=40)
@given(data=st.data())
def test_gradients_flow_through_signals_as_through_the_output(data, toys):
    G = schedule(draw_graph(data, toys), "beam")
    num_sources = [d["node_type"] for _, d in G.nodes(data=True)].count("in")
    x = noise(num_sources, 2, NUM_SAMPLES).requires_grad_()
    processors = toys.make()
    parameters = toys.parameters(processors, G)
    output, _, signals = render_grafx(processors, x, parameters, prepare_render(G), input_signal_grad=True)
    outs = [i for i in sorted(G.nodes) if G.nodes[i]["node_type"] == "out"]
    rows = [signals[i] for i in outs]
    inputs = [x, *toys.leaves(parameters)]
    actual = gradients(weigh(rows), inputs)
    expected = gradients(weigh(list(output)), inputs)
    torch.testing.assert_close(actual, expected)


@settings(SETTINGS, max_examples=30)
@given(data=st.data())
def test_a_batch_renders_as_its_graphs_one_by_one(data, toys, reference_render):
    some = sorted(toys.make())
    Gs = [data.draw(graphs(toys.config, some, max_inner=4)) for _ in range(data.draw(st.integers(1, 3)))]
    for original in Gs:
        for node, attributes in original.nodes(data=True):
            attributes["name"] = node
    union = schedule(batch_grafx(Gs), "beam")
    processors = toys.make()
    parameters = toys.parameters(processors, union)
    sources = [i for i in sorted(union.nodes) if union.nodes[i]["node_type"] == "in"]
    x = noise(len(sources), 1, NUM_SAMPLES)
    _, _, signals = render_grafx(processors, x, parameters, prepare_render(union))
    rows = {t: [i for i in sorted(union.nodes) if union.nodes[i]["node_type"] == t] for t in union.config.node_types}
    for index, G in enumerate(Gs):
        ids = {d["name"]: i for i, d in union.nodes(data=True) if d["graph_index"] == index}
        own = {
            t: toys.take(
                parameters[t],
                [rows[t].index(ids[i]) for i in sorted(G.nodes) if G.nodes[i]["node_type"] == t],
            )
            for t in parameters
        }
        own_sources = [sources.index(ids[i]) for i in sorted(G.nodes) if G.nodes[i]["node_type"] == "in"]
        expected, _ = reference_render(G, processors, x[own_sources], own)
        for node, outlets in expected.items():
            found = signals[ids[node]]
            assert_same(found[0] if isinstance(found, tuple) else found, outlets[0])


@pytest.mark.parametrize("method", METHODS)
def test_a_graph_without_config_renders_like_one_with(method, toys):
    plain, strict = GRAFX(), GRAFX(config=NodeConfigs(["gain", "fir"]))
    for G in (plain, strict):
        G.add_serial_chain(["in", "fir", "gain", "out"])
        G.connect(0, G.add("gain"))
        G.connect(4, 3)
    options = {"fixed_order": ["fir", "gain"]} if method == "fixed" else {}
    plain, strict = (reorder_for_fast_render(G, method, **options) for G in (plain, strict))
    processors, x = toys.make(), noise(1, 2, NUM_SAMPLES)
    parameters = toys.parameters(processors, strict)
    first, second = (render_grafx(processors, x, parameters, prepare_render(G))[0] for G in (plain, strict))
    assert torch.equal(first, second)
