import random
import subprocess
import sys
from dataclasses import fields

import networkx as nx
import pytest
import torch

from grafx.data import (
    GRAFX,
    GRAFXTensor,
    GraphError,
    NodeConfigs,
    batch_grafx,
    convert_to_graph,
    convert_to_tensor,
    from_pyg,
    to_pyg,
)
from grafx.render import prepare_render, render_grafx, reorder_for_fast_render


@pytest.mark.slow
def test_what_is_missing_is_named():
    code = "import sys; sys.modules['torch_geometric'] = None; from grafx.data import *; to_pyg(GRAFX())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'ImportError: torch_geometric is missing: install it with pip install "grafx[pyg]".' in result.stderr


pytest.importorskip("torch_geometric")
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset  # noqa: E402
from torch_geometric.loader import DataLoader  # noqa: E402
from torch_geometric.nn import GCNConv, global_add_pool  # noqa: E402

SISO = NodeConfigs(["eq", "gain"])
PLUGS = NodeConfigs({"eq": {}, "split": {"outlets": ["low", "mid", "high"]}, "ring": {"inlets": ["main", "side"]}})
CONFIGS = {"siso": SISO, "plugs": PLUGS}


def build(config, num_nodes=8, seed=0):
    """A random graph with a gap in its ids."""
    generator = random.Random(seed)
    G = GRAFX(config=config, invalid_op="mute")
    G.remove(G.add("in"))
    ids = [G.add("in")]
    for _ in range(num_nodes):
        node_type = generator.choice(config.node_types[2:])
        ids.append(G.add(node_type))
        for _ in range(3):
            source = generator.choice(ids[:-1])
            outlets = config[G.nodes[source]["node_type"]]["outlets"]
            G.connect(source, ids[-1], generator.choice(outlets), generator.choice(config[node_type]["inlets"]))
        G.connect(ids[0], ids[-1])
    G.connect(ids[0], G.add("out"))
    return G


def assert_equal(found, expected):
    for field in fields(GRAFXTensor):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(b, torch.Tensor):
            assert a.dtype == b.dtype and torch.equal(a, b), field.name
        elif field.name != "invalid_op":
            assert a == b, field.name


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("features", ["one-hot", "index"])
@pytest.mark.parametrize("config", CONFIGS)
def test_round_trip(config, features, scheduled):
    config = CONFIGS[config]
    for seed in range(10):
        G = build(config, seed=seed)
        if scheduled:
            G = reorder_for_fast_render(G)
        expected = convert_to_tensor(G)
        for data in (to_pyg(G, features), to_pyg(expected, features)):
            assert data.validate() and data.num_nodes == expected.num_nodes
            assert_equal(from_pyg(data, config), expected)
        if scheduled:
            assert prepare_render(from_pyg(data, config)) == prepare_render(G)


@pytest.mark.parametrize("features", ["one-hot", "index"])
def test_round_trip_of_nothing(features):
    for G in (GRAFX(config=PLUGS), build(PLUGS, 0), reorder_for_fast_render(GRAFX(config=PLUGS))):
        assert_equal(from_pyg(to_pyg(G, features), PLUGS), convert_to_tensor(G))


def test_features():
    G = GRAFX(config=PLUGS)
    ring, split = G.add("ring"), G.add("split")
    G.connect(split, ring, "high", "side")
    data = to_pyg(G)
    assert data.x.tolist() == [[0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0]] and data.x.dtype == torch.float32
    assert data.edge_index.tolist() == [[1], [0]]
    assert data.edge_attr.tolist() == [[0, 0, 1, 0, 1]] and data.edge_attr.dtype == torch.float32
    assert (data.num_node_features, data.num_edge_features) == (6, 5)
    data = to_pyg(G, "index")
    assert data.x.tolist() == [5, 4] and data.edge_attr.tolist() == [[2, 1]]
    assert data.x.dtype == data.edge_attr.dtype == torch.long
    assert "edge_attr" not in to_pyg(build(SISO))


def test_one_hot_features_have_the_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        assert to_pyg(build(PLUGS)).x.dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_nothing_is_shared():
    G_t = convert_to_tensor(reorder_for_fast_render(build(PLUGS)))
    data = to_pyg(G_t, "index")
    back = from_pyg(data, PLUGS)
    for name in ("x", "edge_index", "edge_attr", "rendering_order"):
        data[name].zero_()
    assert_equal(back, G_t)
    assert_equal(G_t, convert_to_tensor(reorder_for_fast_render(build(PLUGS))))


@pytest.mark.parametrize("features", ["one-hot", "index"])
@pytest.mark.parametrize("config", CONFIGS)
def test_batches(config, features):
    config = CONFIGS[config]
    graphs = [reorder_for_fast_render(build(config, size, seed=size)) for size in (3, 0, 7, 5)]
    for batch in DataLoader([to_pyg(G, features) for G in graphs], batch_size=3):
        expected, graphs = graphs[:3], graphs[3:]
        for data, G in zip(batch.to_data_list(), expected, strict=True):
            assert_equal(from_pyg(data, config), convert_to_tensor(G))
        union = from_pyg(batch, config)
        assert_equal(union, convert_to_tensor(batch_grafx(expected)))
        assert union.batch and union.rendering_orders is None
        assert prepare_render(reorder_for_fast_render(union)).num_nodes == sum(map(len, expected))


def test_batches_in_workers_and_datasets(tmp_path):
    graphs = [build(PLUGS, size) for size in (3, 5)]
    loader = DataLoader([to_pyg(G) for G in graphs], batch_size=2, num_workers=1)
    assert_equal(from_pyg(next(iter(loader)), PLUGS), convert_to_tensor(batch_grafx(graphs)))
    InMemoryDataset.save([to_pyg(reorder_for_fast_render(G)) for G in graphs], tmp_path / "a.pt")
    dataset = InMemoryDataset()
    dataset.load(tmp_path / "a.pt")
    for data, G in zip(dataset, graphs, strict=True):
        assert_equal(from_pyg(data, PLUGS), convert_to_tensor(reorder_for_fast_render(G)))


@pytest.mark.parametrize("scheduled", [False, True])
def test_a_batch_graph(scheduled):
    union = batch_grafx([build(PLUGS, 3), build(PLUGS, 5)])
    if scheduled:
        union = reorder_for_fast_render(union)
    data = to_pyg(union)
    assert data.batch.tolist() == [union.nodes[node]["graph_index"] for node in sorted(union)]
    assert global_add_pool(data.x, data.batch).sum(1).tolist() == [5, 7]
    back = from_pyg(data, PLUGS)
    assert_equal(back, convert_to_tensor(union))
    with pytest.raises(GraphError, match="no longer knows its graphs"):
        to_pyg(back)
    union.add("eq")
    with pytest.raises(GraphError, match="no longer knows its graphs"):
        to_pyg(union)


def test_only_three_fields_are_needed():
    G_t = convert_to_tensor(build(PLUGS))
    data = Data(
        x=G_t.node_types[:, None].int(), edge_index=G_t.edge_indices.int(), edge_attr=G_t.edge_types.int(), y=3, pos="a"
    )
    assert_equal(from_pyg(data, PLUGS), G_t)
    data = Data(x=to_pyg(G_t).x.bool(), edge_index=G_t.edge_indices, edge_attr=to_pyg(G_t).edge_attr.half())
    assert_equal(from_pyg(data, PLUGS), G_t)


def test_parameters_of_a_network_are_rendered_in_order(toys):
    """Row i of a network's output is rendered with node i."""
    G = GRAFX(config=NodeConfigs(["gain"]))
    out = G.add("mix")
    for _ in range(3):
        G.connect(G.add_serial_chain(["in", "gain"])[1], out)
    G.connect(out, G.add("out"))
    G_t = reorder_for_fast_render(convert_to_tensor(G))
    data = to_pyg(G_t)
    torch.manual_seed(0)
    said = GCNConv(data.num_node_features, 1)(data.x, data.edge_index) + torch.arange(data.num_nodes)[:, None]
    gains = said[data.x.argmax(1) == G_t.config.node_type_to_index["gain"]]
    x = torch.randn(3, 1, 16)
    y, _, _ = render_grafx({"gain": toys.make()["gain"]}, x, {"gain": {"gain": gains}}, prepare_render(G_t))
    sources = [G_t.edge_indices[0, G_t.edge_indices[1] == node].item() for node in range(3, 6)]
    assert torch.allclose(y[0], sum(gains[i] * x[source] for i, source in enumerate(sources)))
    y.sum().backward()


def changed(**values):
    data = to_pyg(reorder_for_fast_render(build(PLUGS)), "index")
    for name, value in values.items():
        data[name] = value(data[name].clone()) if callable(value) else value
    return data


def put(row, value):
    def change(tensor):
        tensor[row] = value
        return tensor

    return change


def one_hot(**values):
    data = to_pyg(build(PLUGS))
    for name, value in values.items():
        data[name] = value(data[name].clone())
    return data


WRONG = {
    "no x": (lambda: Data(edge_index=torch.zeros(2, 0).long()), "data.x is missing"),
    "no edges": (lambda: Data(x=torch.zeros(2).long()), "data.edge_index is missing"),
    "no plugs": (lambda: Data(x=torch.zeros(2).long(), edge_index=torch.zeros(2, 0).long()), "edge_attr is missing"),
    "list": (lambda: changed(x=[0, 1]), "data.x is a list"),
    "sparse": (lambda: changed(x=lambda x: x.to_sparse()), "dense"),
    "complex": (lambda: changed(x=lambda x: x.cfloat()), "real"),
    "floats": (lambda: changed(x=lambda x: x.float()), r"data\.x should be \(V, 6\) one-hot or \(V,\) of integers"),
    "booleans": (lambda: changed(x=lambda x: x.bool()), "integers"),
    "one-hot of another size": (lambda: changed(x=torch.eye(10, 7)), r"\(10, 7\)"),
    "one number": (lambda: changed(x=torch.tensor(3)), r"not \(\)"),
    "three axes": (lambda: changed(x=lambda x: x[:, None, None]), r"\(10, 1, 1\)"),
    "type too large": (lambda: changed(x=put(2, 6)), "Node 2 has the type index 6, while the config has 6 types"),
    "type negative": (lambda: changed(x=put(2, -1)), "Node 2 has the type index -1"),
    "two types": (lambda: one_hot(x=put(2, 1.0)), "Row 2 of data.x is not one-hot"),
    "no type": (lambda: one_hot(x=put(2, 0.0)), "Row 2 of data.x is not one-hot"),
    "probabilities": (lambda: one_hot(x=put(2, 1 / 6)), "argmax"),
    "not a number": (lambda: one_hot(x=put(2, float("nan"))), "Row 2 of data.x is not one-hot"),
    "edges transposed": (lambda: changed(edge_index=lambda e: e.T), "edge_index should be"),
    "edges of floats": (lambda: changed(edge_index=lambda e: e.float()), "edge_index should be"),
    "edge to nowhere": (lambda: changed(edge_index=put((1, 3), 10)), r"Edge 3 of data.edge_index, \d+ -> 10, leads"),
    "edge from nowhere": (lambda: changed(edge_index=put((0, 3), -1)), "Edge 3 .*not among the 10"),
    "edge to itself": (lambda: changed(edge_index=put((slice(None), 0), 1)), "Edge 0 .*1 -> 1, leads back"),
    "edge twice": (lambda: double_edge(), "Edge 2 .*there twice"),
    "one plug too many": (lambda: changed(edge_attr=lambda p: p[1:]), "edge_attr should be"),
    "one plug each": (lambda: changed(edge_attr=lambda p: p[:, :1]), "edge_attr should be"),
    "plugs of floats": (lambda: changed(edge_attr=lambda p: p.float()), "edge_attr should be"),
    "two outlets": (lambda: one_hot(edge_attr=put((4, slice(0, 2)), 1.0)), "Row 4 of data.edge_attr is not one-hot"),
    "no inlet": (lambda: one_hot(edge_attr=put((4, slice(3, 5)), 0.0)), "Row 4 of data.edge_attr is not one-hot"),
    "outlet too large": (
        lambda: changed(edge_attr=put((0, 0), 1)),
        "uses outlet 1 of node 0, while 'in' has 1 of them",
    ),
    "inlet negative": (lambda: changed(edge_attr=put((0, 1), -1)), "uses inlet -1 of node"),
    "edge into an input": (
        lambda: changed(edge_index=put((slice(None), 0), torch.tensor([1, 0]))),
        "'in' has 0 of them",
    ),
    "order missing": (lambda: changed(rendering_order=None), "rendering_order is missing"),
    "order too short": (lambda: changed(rendering_order=lambda o: o[1:]), "rendering_order should be"),
    "order of floats": (lambda: changed(rendering_order=lambda o: o.float()), "rendering_order should be"),
    "order with a gap": (lambda: changed(rendering_order=lambda o: o + (o > 1)), "not a schedule"),
    "order from one": (lambda: changed(rendering_order=lambda o: o + 1), "not a schedule"),
    "order negative": (lambda: changed(rendering_order=lambda o: o - 1), "not a schedule"),
    "order huge": (lambda: changed(rendering_order=put(2, 2**62)), "not a schedule"),
    "order backwards": (lambda: changed(rendering_order=lambda o: o.max() - o), "not a schedule"),
    "types mixed in a step": (lambda: changed(rendering_order=lambda o: o.clamp(max=1)), "not a schedule"),
    "other config": (lambda: to_pyg(build(SISO)), "another config"),
    "one of another config": (lambda: Batch.from_data_list([to_pyg(build(c), "index") for c in other()]), "another"),
    "no data": (lambda: {"x": torch.zeros(2)}, "not dict"),
    "tensors": (lambda: convert_to_tensor(build(PLUGS)), "not GRAFXTensor"),
    "several kinds of nodes": (lambda: HeteroData(), "not HeteroData"),
}


def double_edge():
    data = changed()
    data.edge_index, data.edge_attr = data.edge_index[:, [0, 1, 0]], data.edge_attr[[0, 1, 0]]
    return data


def other():
    return NodeConfigs(["eq", "gain"]), NodeConfigs(["eq", "drive"])


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case):
    make, message = WRONG[case]
    data = make()
    with pytest.raises(GraphError, match=message):
        from_pyg(data, PLUGS)


def test_wrong_arguments():
    with pytest.raises(GraphError, match="NodeConfigs"):
        from_pyg(to_pyg(build(SISO)), ["eq", "gain"])
    for features in ("onehot", None, ["index"]):
        with pytest.raises(GraphError, match="'one-hot', 'index'"):
            to_pyg(build(SISO), features)
    with pytest.raises(GraphError, match="not MultiDiGraph"):
        to_pyg(nx.MultiDiGraph())


def test_what_a_model_made_becomes_a_graph():
    types = torch.tensor([[3.0, 1, 0, 0, 0, 0], [0, 0, 0, 5, 1, 2], [0, 4, 0, 0, 0, 0]], requires_grad=True)
    data = Data(x=types.argmax(1), edge_index=torch.tensor([[1, 0], [2, 1]]), edge_attr=torch.zeros(2, 2).long())
    G = convert_to_graph(from_pyg(data, PLUGS))
    assert [G.nodes[i]["node_type"] for i in G] == ["in", "eq", "out"]
    assert prepare_render(reorder_for_fast_render(G)).num_nodes == 3
