import pickle
import re

import networkx as nx
import pytest

from grafx.data import GRAFX, NodeConfigs, convert_to_tensor
from grafx.render import RenderData, RenderError, prepare_render, reorder_for_fast_render

CONFIG = NodeConfigs(
    {"eq": {}, "split": {"outlets": ["low", "high"]}, "ring": {"inlets": ["main", "side"]}, "tone": {"inlets": []}}
)


def side_chain(connected=True):
    G = GRAFX(config=CONFIG)
    source, eq, ring, out = (G.add(t) for t in ("in", "eq", "ring", "out"))
    G.connect(source, eq)
    G.connect(eq, ring)
    G.connect(ring, out)
    G.connect(source, out)
    if connected:
        G.connect(source, ring, inlet="side")
    return G


@pytest.fixture
def render_data():
    return prepare_render(reorder_for_fast_render(side_chain()))


def test_fields(render_data):
    assert isinstance(render_data, RenderData)
    assert (render_data.method, render_data.num_nodes, render_data.max_order) == ("beam", 4, 3)
    assert not render_data.siso_only
    assert [step.node_type for step in render_data.iter_list] == ["in", "eq", "ring", "out"]
    assert [len(step.inlets) for step in render_data.iter_list] == [0, 1, 2, 1]
    assert [step.nodes for step in render_data.iter_list] == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_rows_of_a_type_run_on_from_step_to_step():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", "eq", "eq", "eq", "out"])
    steps = prepare_render(reorder_for_fast_render(G)).iter_list
    assert [step.rows for step in steps if step.node_type == "eq"] == [(0, 1), (1, 2), (2, 3)]


def test_plain_data(render_data):
    again = prepare_render(reorder_for_fast_render(side_chain()))
    assert render_data == again and hash(render_data) == hash(again)
    assert pickle.loads(pickle.dumps(render_data)) == render_data
    assert render_data != prepare_render(reorder_for_fast_render(side_chain(connected=False)))
    assert render_data != prepare_render(reorder_for_fast_render(side_chain(), "greedy"))
    assert b"torch" not in pickle.dumps(render_data)


def test_repr_is_short():
    G = GRAFX(config=CONFIG)
    for _ in range(30):
        G.add_serial_chain(["in", "eq", "eq", "out"])
    render_data = prepare_render(reorder_for_fast_render(G))
    assert repr(render_data) == "RenderData(120 nodes in 4 steps, method 'beam': 30 in, 60 eq, 30 out)"


@pytest.mark.parametrize("connected", [True, False])
def test_text(connected):
    text = str(prepare_render(reorder_for_fast_render(side_chain(connected))))
    for part in ["4 nodes in 4 steps (method: beam)", "Step #2: 1 x ring", "sum of (step 0", "Frees"]:
        assert part in text
    assert ("silence" in text) == (not connected)
    assert "sum of ()" not in text


def test_what_is_printed_of_a_long_plan_is_short():
    G = GRAFX(config=CONFIG)
    _, last = G.add_serial_chain(["in", *["eq"] * 200])
    mix = G.add("mix")
    for _ in range(300):
        G.connect(G.add("in"), mix)
    G.connect(last, mix)
    G.connect(mix, G.add("out"))
    render_data = prepare_render(reorder_for_fast_render(G))
    text, table = str(render_data), render_data._repr_html_()
    assert "… 143 more steps" in text and text.count("\nStep #") == 60
    assert "Step #0: " in text and "Step #202: 1 x out" in text
    assert len(text) < 15_000 and len(table) < 15_000
    assert "143 more steps" in table and table.count("<tr>") == 62


def test_a_notebook_has_a_table_of_steps():
    render_data = prepare_render(reorder_for_fast_render(side_chain()))
    table = render_data._repr_html_()
    rows = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", table)[1:]]
    assert [row[:3] for row in rows] == [
        [str(k), step.node_type, str(step.num_nodes)] for k, step in enumerate(render_data.iter_list)
    ]
    for row, step in zip(rows, render_data.iter_list, strict=True):
        read = {read.step for parts in step.inlets for part in parts for read in part.reads}
        assert {int(word) for word in row[4].split(", ") if word} == read


def test_every_signal_is_freed_once_after_its_last_reader():
    G = side_chain()
    G.add_serial_chain(["in", "eq"])
    steps = prepare_render(reorder_for_fast_render(G)).iter_list
    freed = [step for step_ in steps for step in step_.frees]
    assert sorted(freed) == list(range(len(steps) - 1))
    for index, step in enumerate(steps):
        for inlet in step.inlets:
            for read in (read for part in inlet for read in part.reads):
                assert not any(read.step in earlier.frees for earlier in steps[:index])


def test_tensors_and_graphs_are_planned_alike():
    G = reorder_for_fast_render(side_chain())
    assert prepare_render(G) == prepare_render(convert_to_tensor(G))


def test_contiguous_reads_are_one_segment():
    G = GRAFX(config=CONFIG)
    for _ in range(5):
        G.add_serial_chain(["in", "eq", "out"])
    for step in prepare_render(reorder_for_fast_render(G)).iter_list[1:]:
        assert len(step.inlets[0]) == 1 and len(step.inlets[0][0].reads) == 1 and not step.inlets[0][0].summed


@pytest.mark.parametrize("convert", [lambda G: G, convert_to_tensor])
class TestRefusals:
    def test_no_schedule(self, convert):
        with pytest.raises(RenderError, match="no schedule: call reorder_for_fast_render"):
            prepare_render(convert(side_chain()))
        with pytest.raises(RenderError, match="no schedule"):
            prepare_render(convert(GRAFX()))

    @pytest.mark.parametrize(
        "edit",
        [
            lambda G: G.add("eq"),
            lambda G: G.remove(1),
            lambda G: G.connect(1, 3),
            lambda G: G.add_node(9, node_type="eq", parameters=None, name=None),
        ],
    )
    def test_edited_since(self, convert, edit):
        G = reorder_for_fast_render(side_chain())
        edit(G)
        with pytest.raises(RenderError, match="no schedule"):
            prepare_render(convert(G))

    @pytest.mark.parametrize(
        "edit, node",
        [
            (lambda G: G.add_edge(2, 1, outlet="main", inlet="main"), "1 .eq"),
            (lambda G: G.add_edge(1, 1, outlet="main", inlet="main"), "1 .eq"),
            (lambda G: G.nodes[2].update(rendering_order=1), "2 .ring"),
            (lambda G: (G.nodes[2].update(node_type="in"), G.remove_edges_from(list(G.in_edges(2)))), "2 .in"),
            (lambda G: (G.nodes[1].update(node_type="out"), G.remove_edges_from(list(G.out_edges(1)))), "1 .out"),
        ],
    )
    def test_edited_behind_its_back(self, convert, edit, node):
        G = reorder_for_fast_render(side_chain())
        edit(G)
        with pytest.raises(RenderError, match=f"out of date at node {node}"):
            prepare_render(convert(G))

    def test_ids_that_do_not_follow_the_schedule(self, convert):
        G = nx.relabel_nodes(reorder_for_fast_render(side_chain()), {1: 2, 2: 1})
        with pytest.raises(RenderError, match="do not follow the schedule"):
            prepare_render(convert(G))

    def test_no_out(self, convert):
        G = GRAFX(config=CONFIG)
        G.add_serial_chain(["in", "eq"])
        with pytest.raises(RenderError, match="no 'out' node"):
            prepare_render(convert(reorder_for_fast_render(G)))

    @pytest.mark.parametrize("node_type", ["eq", "mix", "ring", "out"])
    def test_an_unconnected_inlet(self, convert, node_type):
        G = side_chain()
        G.add(node_type, name="loose")
        G = reorder_for_fast_render(G)
        node = next(v for v, d in G.nodes(data=True) if d["name"] == "loose")
        with pytest.raises(RenderError, match=rf"inlet 'main' of node {node} \({node_type}\)"):
            prepare_render(convert(G))


def test_main_inlet_must_be_connected_even_if_another_is():
    G = side_chain()
    G.connect(0, G.add("ring"), inlet="side")
    with pytest.raises(RenderError, match=r"inlet 'main' of node \d \(ring\)"):
        prepare_render(reorder_for_fast_render(G))


def test_a_scheduled_part_can_be_planned():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", "eq", "out"])
    G.add_serial_chain(["in", "split"])
    G = reorder_for_fast_render(G)
    kept = nx.ancestors(G, next(v for v, d in G.nodes(data=True) if d["node_type"] == "out"))
    part = G.subgraph([*kept, *(v for v, d in G.nodes(data=True) if d["node_type"] == "out")]).copy()
    assert prepare_render(part).num_nodes == 3
