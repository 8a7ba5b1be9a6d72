import copy
import pickle

import pytest
import torch

from grafx.data import GRAFX, NodeConfigs, convert_to_tensor
from grafx.render import reorder_for_fast_render


@pytest.fixture
def G_t():
    G = GRAFX(config=NodeConfigs({"ring": {"inlets": ["main", "side"]}}))
    G.add_serial_chain(["in", "ring", "out"])
    return reorder_for_fast_render(convert_to_tensor(G))


def test_counts(G_t):
    assert (G_t.num_nodes, G_t.num_edges) == (3, 2)


def test_to_moves_every_tensor_and_changes_nothing_else(G_t):
    moved = G_t.to("meta")
    tensors = {name for name, value in vars(G_t).items() if isinstance(value, torch.Tensor)}
    assert tensors == {"node_types", "edge_indices", "edge_types", "rendering_orders"}
    for name, value in vars(G_t).items():
        if name in tensors:
            assert getattr(moved, name).device.type == "meta" and value.device.type == "cpu"
        else:
            assert getattr(moved, name) == value


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda G_t: pickle.loads(pickle.dumps(G_t))])
def test_copies_are_equal(G_t, clone):
    for name, value in vars(clone(G_t)).items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, getattr(G_t, name))
        else:
            assert value == getattr(G_t, name)


def test_text(G_t):
    text = repr(G_t)
    for part in ["GRAFXTensor(", "node_types=[3]", "edge_indices=[2, 2]", "rendering_order_method='beam'", "ring"]:
        assert part in text
