import pytest
import torch

from grafx.data import (
    GRAFX,
    GraphError,
    NodeConfigs,
    batch_grafx,
    convert_to_graph,
    convert_to_tensor,
    unbatch_grafx,
)
from grafx.render import prepare_render, render_grafx, reorder_for_fast_render


def config():
    """Made anew each time: equal configs must batch."""
    return NodeConfigs({"gain": {}, "split": {"outlets": ["main", "side"]}, "fir": {}})


@pytest.fixture
def Gs():
    first, second, empty = (GRAFX(config=config(), invalid_op="warn") for _ in range(3))
    first.add_serial_chain(["in", {"node_type": "gain", "name": "warm", "parameters": {"gain": 2}}, "out"])
    second.remove(second.add("fir"))
    source, split, out = (second.add(t) for t in ("in", "split", "out"))
    second.connect(source, split)
    second.connect(split, out)
    second.connect(split, out, outlet="side")
    return [first, second, empty, first]


def content(G):
    """A graph with its ids closed up."""
    local = {v: i for i, v in enumerate(sorted(G.nodes))}
    nodes = [{k: v for k, v in G.nodes[i].items() if k != "rendering_order"} for i in sorted(G.nodes)]
    return nodes, sorted((local[u], local[v], d["outlet"], d["inlet"]) for u, v, d in G.edges(data=True))


def test_union(Gs):
    union = batch_grafx(Gs)
    assert union.batch and union.config == config() and union.invalid_op == "warn"
    assert sorted(union.nodes) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert union.counter == 10 and not union.consecutive_ids
    assert [union.nodes[i]["graph_index"] for i in sorted(union.nodes)] == [0, 0, 0, 1, 1, 1, 3, 3, 3]
    assert union.nodes[8]["name"] == "warm" and union.nodes[8]["parameters"] == {"gain": 2}
    assert sorted((u, v, d["outlet"]) for u, v, d in union.edges(data=True)) == [
        (0, 1, "main"),
        (1, 2, "main"),
        (4, 5, "main"),
        (5, 6, "main"),
        (5, 6, "side"),
        (7, 8, "main"),
        (8, 9, "main"),
    ]
    assert union.add("gain") == 10
    assert batch_grafx(Gs[:1]).consecutive_ids


def test_the_graphs_are_left_alone(Gs, snapshot):
    before = [snapshot(G) for G in Gs]
    union = batch_grafx(Gs)
    union.remove(0)
    union.nodes[1]["name"] = "other"
    assert [snapshot(G) for G in Gs] == before


@pytest.mark.parametrize("method", [None, "greedy", "beam", "one-by-one"])
def test_unbatch_gives_the_graphs_back(Gs, method):
    union = batch_grafx(Gs)
    if method:
        union = reorder_for_fast_render(union, method)
    back = unbatch_grafx(union)
    assert len(back) == len(Gs)
    for found, expected in zip(back, Gs, strict=True):
        assert content(found) == content(expected)
        assert (found.batch, found.invalid_op, found.config) == (False, "warn", expected.config)
        assert found.rendering_order_method is None and "num_graphs" not in found.graph
        assert sorted(found.nodes) == list(range(len(found))) and found.counter == len(found)


def test_scheduled_graphs_batch_without_their_schedule(Gs):
    scheduled = [reorder_for_fast_render(G) for G in Gs]
    union = batch_grafx(scheduled)
    assert union.rendering_order_method is None
    assert not any("rendering_order" in data for _, data in union.nodes(data=True))


def test_graphs_without_config_batch():
    G = GRAFX()
    G.add_serial_chain(["in", "gain", "out"])
    assert len(batch_grafx([G, G])) == 6


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_of_empty_graphs(count):
    union = batch_grafx([GRAFX(config=config())] * count)
    assert len(union) == 0 and union.batch
    assert [len(G) for G in unbatch_grafx(union)] == [0] * count


def test_refusals(Gs):
    with pytest.raises(GraphError, match="at least one"):
        batch_grafx([])
    with pytest.raises(GraphError, match="Graph 1 has another config"):
        batch_grafx([Gs[0], GRAFX(config=NodeConfigs(["gain"]))])
    with pytest.raises(GraphError, match="Graph 1 has another config"):
        batch_grafx([Gs[0], GRAFX()])
    with pytest.raises(GraphError, match="Graph 1 is a batch"):
        batch_grafx([Gs[0], batch_grafx(Gs)])
    with pytest.raises(GraphError, match="not a batch"):
        unbatch_grafx(Gs[0])
    with pytest.raises(GraphError, match="not a batch"):
        unbatch_grafx(convert_to_graph(convert_to_tensor(batch_grafx(Gs))))
    Gs[0].add_node("a", node_type="gain")
    with pytest.raises(GraphError, match="'a' is not an integer"):
        batch_grafx(Gs)


def test_what_belongs_to_no_single_graph_cannot_be_taken_apart(Gs):
    union = batch_grafx(Gs)
    union.connect(0, 6)
    with pytest.raises(GraphError, match="0 -> 6 joins two graphs"):
        unbatch_grafx(union)
    union = batch_grafx(Gs)
    added = union.add("gain")
    with pytest.raises(GraphError, match=f"Node {added} belongs to no graph"):
        unbatch_grafx(union)


def test_batch_survives_conversion(Gs):
    G_t = convert_to_tensor(batch_grafx(Gs))
    assert G_t.batch and convert_to_graph(G_t).batch


def test_a_batch_renders_as_one_by_one(Gs, toys):
    union = reorder_for_fast_render(batch_grafx(Gs))
    processors = toys.make()
    parameters = {"gain": {"gain": torch.tensor([[2.0], [3.0]])}, "split": {"ratio": torch.tensor([[0.25]])}}
    x = torch.randn(3, 2, 5)
    output, _, _ = render_grafx(processors, x, parameters, prepare_render(union))
    torch.testing.assert_close(output, torch.stack([2 * x[0], x[1], 3 * x[2]]))


def test_edge_attributes_of_any_name_survive():
    G = GRAFX()
    G.add_serial_chain(["in", "eq", "out"])
    G.edges[0, 1, 0].update(key="C minor", u_for_edge=1)
    union = batch_grafx([G, G])
    assert union.edges[3, 4, 0] == G.edges[0, 1, 0]
    assert unbatch_grafx(union)[1].edges[0, 1, 0] == G.edges[0, 1, 0]
    assert reorder_for_fast_render(G).edges[0, 1, 0] == G.edges[0, 1, 0]
