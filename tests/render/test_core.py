import pickle

import pytest
import torch

from grafx.data import GRAFX, NodeConfigs, convert_to_tensor
from grafx.render import compute_render_order, prepare_render, reorder_for_fast_render
from grafx.render.core import (
    Access,
    Aggregation,
    aggregate_tensor,
    create_signal_buffer,
    expand_tensor_or_tensor_dict,
    flatten_batch_and_node,
    inplace_write_tensor,
    read_tensor_dict,
    read_tensor_or_tensor_dict,
)
from grafx.render.order.graph import get_sorted_graph, return_render_ordered_graph
from grafx.render.order.tensor import (
    beam_search,
    compute_render_order_tensor,
    fixed_order_search,
    greedy_search,
    node_id_from_render_order,
    one_by_one_search,
    return_render_ordered_tensor,
)
from grafx.render.prepare import (
    check_aggregate_method,
    check_and_convert_arange,
    create_per_type_indices,
    get_incoming_edges,
)


@pytest.fixture
def G():
    G = GRAFX(config=NodeConfigs(["eq", "comp"]))
    out = G.add("out")
    for _ in range(2):
        G.connect(G.add_serial_chain(["in", "eq", "comp"])[1], out)
    return G


def test_a_render_that_goes_by_hand_gives_what_ours_does():
    inputs, gains = torch.randn(2, 1, 5), torch.tensor([[2.0], [3.0]])
    for method in ("beam", "one-by-one"):
        buffer = create_signal_buffer(method, 5, inputs)
        x = read_tensor_or_tensor_dict(buffer, check_and_convert_arange(torch.tensor([0, 1])))
        weights = read_tensor_dict({"own": {"gain": gains}}, Access("index", torch.tensor([1, 0])))["own"]["gain"]
        inplace_write_tensor(method, buffer, x * weights[..., None], Access("slice", (2, 4)))
        mixed = read_tensor_or_tensor_dict(buffer, Access("index", torch.tensor([3, 2])))
        inplace_write_tensor(
            method, buffer, aggregate_tensor(mixed, Aggregation("sum")), Access("index", torch.tensor([4]))
        )
        expected = 3 * inputs[0] + 2 * inputs[1]
        torch.testing.assert_close(read_tensor_or_tensor_dict(buffer, Access("slice", (4, 5)))[0], expected)


def test_rows_are_read_and_summed():
    x = torch.arange(6.0).reshape(3, 2)
    assert check_and_convert_arange(torch.tensor([2, 3, 4])) == Access("slice", (2, 5))
    assert check_and_convert_arange(torch.tensor([2, 4])).idx.tolist() == [2, 4]
    assert check_aggregate_method(torch.tensor([0, 1]), [5, 7]) == Aggregation("none")
    assert check_aggregate_method(torch.tensor([0, 0]), [5]) == Aggregation("sum")
    scatter = check_aggregate_method(torch.tensor([0, 1, 0]), [5, 7])
    assert aggregate_tensor(x, scatter).tolist() == [[4.0, 6.0], [2.0, 3.0]]
    copied = read_tensor_or_tensor_dict(x, Access("slice", (0, 2)), return_copy=True, postprocess=torch.neg)
    assert copied.tolist() == (-x[:2]).tolist()
    spread = expand_tensor_or_tensor_dict({"a": x}, 4)["a"]
    assert spread.shape == (4, 3, 2) and torch.equal(flatten_batch_and_node(spread), x.repeat(4, 1))
    assert create_per_type_indices(torch.tensor([0, 3, 0, 3, 3])).tolist() == [0, 0, 1, 1, 2]
    edges = torch.tensor([[0, 1, 2], [2, 2, 3]])
    assert get_incoming_edges(edges, [2]).tolist() == [[0, 1], [2, 2]]


def test_schedules_under_the_names_of_grafx(G):
    G_t = convert_to_tensor(G)
    for search, method, options in (
        (one_by_one_search, "one-by-one", {}),
        (greedy_search, "greedy", {}),
        (beam_search, "beam", {"depth": 1, "width": 64}),
        (fixed_order_search, "fixed", {"fixed_order": [3, 4]}),
    ):
        arguments = options.values() if method == "fixed" else ()
        for found, expected in zip(search(G_t, *arguments), compute_render_order(G_t, method, **options), strict=True):
            assert torch.equal(found, expected)
    order = compute_render_order_tensor(G_t)[1]
    assert sorted(node_id_from_render_order(order).tolist()) == list(range(7))
    assert node_id_from_render_order(torch.tensor([2, 0, 1, 1])).tolist() == [3, 0, 1, 2]
    assert torch.equal(return_render_ordered_tensor(G_t, "beam").node_types, reorder_for_fast_render(G_t).node_types)
    ordered = return_render_ordered_graph(G, "beam")
    assert dict(ordered.nodes(data=True)) == dict(reorder_for_fast_render(G).nodes(data=True))
    H = GRAFX()
    H.add_nodes_from([2, 0, 1], node_type="eq")
    H.add_edge(2, 0, outlet="main", inlet="main")
    assert list(get_sorted_graph(H)) == [0, 1, 2] and get_sorted_graph(H).has_edge(2, 0)


def test_render_data_moves_with_a_batch(G):
    render_data = prepare_render(reorder_for_fast_render(convert_to_tensor(G)))
    assert render_data.to("cpu") is render_data.to(torch.device("meta"), non_blocking=True) is render_data
    assert pickle.loads(pickle.dumps(render_data)) == render_data
