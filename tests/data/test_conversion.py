import networkx as nx
import pytest
import torch

from grafx.data import GRAFX, GraphError, NodeConfigs, convert_to_graph, convert_to_tensor
from grafx.render import reorder_for_fast_render

CONFIG = NodeConfigs({"eq": {}, "split": {"outlets": ["low", "high"]}, "ring": {"inlets": ["main", "side"]}})


def split_and_join(config=CONFIG):
    G = GRAFX(config=config)
    source, gone, split, ring, out = (G.add(t) for t in ("in", "eq", "split", "ring", "out"))
    G.connect(ring, out)
    G.connect(split, ring, outlet="high", inlet="main")
    G.connect(split, ring, outlet="low", inlet="side")
    G.connect(split, ring, outlet="low", inlet="main")
    G.connect(source, split)
    G.remove(gone)
    return G


def edges_of(G):
    return sorted((u, v, d["outlet"], d["inlet"]) for u, v, d in G.edges(data=True))


def test_to_tensors():
    G_t = convert_to_tensor(split_and_join())
    assert G_t.node_types.tolist() == [0, 4, 5, 1]
    assert G_t.edge_indices.tolist() == [[0, 1, 1, 1, 2], [1, 2, 2, 2, 3]]
    assert G_t.edge_types.tolist() == [[0, 0], [0, 0], [0, 1], [1, 0], [0, 0]]
    assert G_t.node_types.dtype == G_t.edge_indices.dtype == G_t.edge_types.dtype == torch.long
    assert (G_t.num_nodes, G_t.num_edges, G_t.counter) == (4, 5, 4)
    assert G_t.config == CONFIG and G_t.config_hash == CONFIG.content_hash
    assert (G_t.batch, G_t.invalid_op, G_t.rendering_orders, G_t.type_sequence) == (False, "error", None, None)


def test_single_plugs_need_no_edge_types():
    G = GRAFX(config=NodeConfigs(["eq"]))
    G.add_serial_chain(["in", "eq", "out"])
    assert convert_to_tensor(G).edge_types is None


@pytest.mark.parametrize("config", [CONFIG, None])
def test_an_empty_graph(config):
    G_t = convert_to_tensor(GRAFX(config=config))
    assert G_t.node_types.shape == (0,) and G_t.edge_indices.shape == (2, 0)
    assert G_t.node_types.dtype == G_t.edge_indices.dtype == torch.long
    assert len(convert_to_graph(G_t)) == 0


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("config", [CONFIG, None])
def test_round_trip(config, scheduled):
    G = split_and_join(config)
    G.invalid_op = "mute"
    expected = nx.convert_node_labels_to_integers(G, ordering="sorted")
    if scheduled:
        G = expected = reorder_for_fast_render(G, "greedy")
    H = convert_to_graph(convert_to_tensor(G))
    assert edges_of(H) == edges_of(expected)
    for node, data in H.nodes(data=True):
        assert data["node_type"] == expected.nodes[node]["node_type"]
        assert data.get("rendering_order") == expected.nodes[node].get("rendering_order")
        assert data["name"] is None and data["parameters"] is None
    assert H.rendering_order_method == G.rendering_order_method
    assert H.type_sequence == G.type_sequence
    assert H.invalid_op == "mute" and H.counter == 4 and H.consecutive_ids
    assert H.config is not None if config is None else H.config == config


def test_without_config_what_is_used_is_inferred():
    config = convert_to_tensor(split_and_join(config=None)).config
    assert set(config.node_types) == {"in", "out", "mix", "split", "ring"}
    assert set(config["split"]["outlets"]) == {"main", "low", "high"}
    assert config["ring"]["inlets"] == ["main", "side"]


def test_a_copy_half_scheduled_is_not_scheduled():
    G = reorder_for_fast_render(split_and_join())
    G.add_node(9, node_type="eq", parameters=None, name=None)
    G_t = convert_to_tensor(G)
    assert G_t.rendering_orders is None and G_t.rendering_order_method is None and G_t.type_sequence is None


@pytest.mark.parametrize("config", [CONFIG, None])
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda G: G.add_node("a", node_type="eq"), "'a' is not an integer"),
        (lambda G: G.add_node(7), "Node 7 has no node_type"),
        (lambda G: G.add_edge(0, 4), "0.* -> 4"),
        (lambda G: G.add_edge(3, 2, outlet="main", inlet="main"), None),
        (lambda G: G.add_edge(2, 0, outlet="low", inlet="main"), r"2 \(split\) -> 0 \(in\).*'main'"),
        (lambda G: G.nodes[2].update(node_type="reverb"), None),
    ],
)
def test_what_only_networkx_accepts_is_refused(config, spoil, message):
    G = split_and_join(config)
    spoil(G)
    if message is None and config is None:
        convert_to_tensor(G)
        return
    if message is None and G.nodes[2]["node_type"] == "split":
        assert convert_to_tensor(G).num_edges == 6
        return
    with pytest.raises(GraphError, match=message or "Node 2 is of type 'reverb'"):
        convert_to_tensor(G)


def test_an_edge_that_is_not_valid_is_never_dropped_silently():
    G_t = convert_to_tensor(split_and_join())
    G_t.invalid_op = "mute"
    G_t.edge_indices[1, 1] = 1
    with pytest.raises(GraphError, match="itself"):
        convert_to_graph(G_t)
