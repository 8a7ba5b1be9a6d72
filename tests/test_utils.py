import pytest
import torch
from torch import nn

from grafx.data import GRAFX, GraphError, NodeConfigs, convert_to_tensor
from grafx.data.queries import count_nodes_per_type, get_node_ids_from_type
from grafx.data.tensor import permute_grafx_tensor
from grafx.parameters.tensors import (
    collect_parameters,
    create_empty_parameters,
    create_empty_parameters_from_shape_dict,
    scatter_parameters,
)
from grafx.render import prepare_render, reorder_for_fast_render


@pytest.fixture
def G(toys):
    G = GRAFX(config=toys.config)
    G.remove(G.add("gain"))
    G.add_serial_chain(["in", "gain", "nested", "gain", "out"])
    return G


def test_ids_of_a_type(G):
    assert get_node_ids_from_type(G, "gain") == [2, 4]
    assert get_node_ids_from_type(G, "fir") == get_node_ids_from_type(G, "reverb") == []
    G.add_node(-5, node_type="gain")
    assert get_node_ids_from_type(G, "gain") == [-5, 2, 4]


def test_counts(G):
    counts = count_nodes_per_type(G)
    assert list(counts) == G.config.node_types
    assert {t: n for t, n in counts.items() if n} == {"in": 1, "out": 1, "gain": 2, "nested": 1}
    assert count_nodes_per_type(G, ["gain", "reverb"]) == {"gain": 2, "reverb": 0}
    plain = GRAFX()
    assert count_nodes_per_type(plain) == {}
    plain.add_serial_chain(["in", "eq", "eq"])
    assert count_nodes_per_type(plain) == {"in": 1, "eq": 2}


def test_empty_parameters(toys, G):
    torch.manual_seed(0)
    processors = {t: p for t, p in toys.make().items() if t in ("gain", "nested", "invert", "fir")}
    parameters = create_empty_parameters(processors, G)
    assert isinstance(parameters, nn.ParameterDict)
    shapes = {name: tuple(p.shape) for name, p in parameters.named_parameters()}
    assert shapes == {
        "gain.gain": (2, 1),
        "nested.pre.gain": (1, 1),
        "nested.post.shape": (1, 2, 2),
        "nested.post.deep.bias": (1, 1),
        "fir.taps": (0, 3),
    }
    assert all(p.requires_grad and p.dtype == torch.float32 for p in parameters.parameters())
    assert all(p.abs().sum() > 0 for p in parameters.parameters() if p.numel())


@pytest.mark.parametrize("std", [0, 0.01, 3.0])
def test_empty_parameters_have_the_given_deviation(std):
    torch.manual_seed(0)
    values = create_empty_parameters_from_shape_dict({"a": (10, 10)}, 100, std=std)["a"]
    assert values.shape == (100, 10, 10)
    assert values.std().item() == pytest.approx(std, rel=0.05) and values.mean().abs() <= 0.05 * std


@pytest.mark.parametrize("root", [True, False])
def test_empty_parameters_of_every_form_of_shape(root):
    shapes = {"a": 3, "b": (2,), "c": (), "d": torch.Size([4, 5]), "e": {"f": {"g": 1}}, "h": {}}
    parameters = create_empty_parameters_from_shape_dict(shapes, 7, 0.1, root, "meta")
    assert [tuple(parameters[k].shape) for k in "abcd"] == [(7, 3), (7, 2), (7,), (7, 4, 5)]
    assert parameters["e"]["f"]["g"].shape == (7, 1) and len(parameters["h"]) == 0
    assert all(p.device.type == "meta" for p in parameters.parameters())


def test_permute():
    G = GRAFX(config=NodeConfigs({"ring": {"inlets": ["main", "side"]}}))
    source, ring, out = (G.add(t) for t in ("in", "ring", "out"))
    G.connect(source, ring)
    G.connect(source, ring, inlet="side")
    G.connect(ring, out)
    G_t = reorder_for_fast_render(convert_to_tensor(G))
    permuted = permute_grafx_tensor(G_t, torch.tensor([2, 0, 1]))
    assert permuted.node_types.tolist() == [3, 1, 0] and permuted.rendering_orders.tolist() == [1, 2, 0]
    assert permuted.edge_indices.tolist() == [[2, 2, 0], [0, 0, 1]]
    assert torch.equal(permuted.edge_types, G_t.edge_types)
    assert G_t.node_types.tolist() == [0, 3, 1] and G_t.edge_indices.tolist() == [[0, 0, 1], [1, 1, 2]]
    back = permute_grafx_tensor(permuted, torch.tensor([1, 2, 0]))
    assert prepare_render(back) == prepare_render(G_t)


@pytest.mark.parametrize("node_id", [[0, 1], [0, 1, 1], [1, 2, 3], [0, 1, 2, 3], [-1, 0, 1], [[0, 1, 2]]])
def test_permute_refuses_what_is_no_permutation(node_id):
    G = GRAFX()
    G.add_serial_chain(["in", "mix", "out"])
    with pytest.raises(GraphError, match="permutation"):
        permute_grafx_tensor(convert_to_tensor(G), torch.tensor(node_id))


def test_nodes_give_their_parameters_and_get_them_back():
    G = GRAFX(config=NodeConfigs(["eq", "chain"]))
    for value in (1.0, 2.0):
        G.add("eq", parameters={"gain": torch.full((3,), value)})
        G.add("chain", parameters={"a": {"b": torch.tensor(value)}})
    collected = collect_parameters(G, ["eq", "chain"])
    assert torch.equal(collected["eq"]["gain"], torch.tensor([[1.0] * 3, [2.0] * 3]))
    assert torch.equal(collected["chain"]["a"]["b"], torch.tensor([1.0, 2.0]))
    scatter_parameters(G, {"eq": {"gain": 2 * collected["eq"]["gain"]}})
    assert torch.equal(G.nodes[2]["parameters"]["gain"], torch.full((3,), 4.0))
    assert torch.equal(G.nodes[3]["parameters"]["a"]["b"], torch.tensor(2.0))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"gain": torch.zeros(2)}, "eq.gain of node 1 is shaped unlike that of node 0"),
        ({"gian": torch.zeros(3)}, "eq of node 1 are named unlike those of node 0"),
        (None, "eq of node 1 are named unlike those of node 0"),
    ],
)
def test_parameters_that_do_not_stack(other, message):
    G = GRAFX(config=NodeConfigs(["eq"]))
    G.add("eq", parameters={"gain": torch.zeros(3)})
    G.add("eq", parameters=other)
    with pytest.raises(GraphError, match=message):
        collect_parameters(G, ["eq"])
