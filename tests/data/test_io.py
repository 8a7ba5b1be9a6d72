import copy
import json
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import grafx.data.io as io
from grafx.data import GRAFX, GraphError, NodeConfigs, batch_grafx, load_grafx, save_grafx, unbatch_grafx
from grafx.render import prepare_render, reorder_for_fast_render

CONFIG = NodeConfigs({"eq": {}, "split": {"outlets": ["low", "high"]}, "ring": {"inlets": ["main", "side"]}})


def build(config=CONFIG):
    G = GRAFX(config=config, invalid_op="warn")
    G.remove(G.add("eq"))
    source = G.add("in", name='Gesang – 歌 🎤 "x"\n')
    eq = G.add("eq", parameters={"gain_db": -3.5, "curve": torch.arange(3.0), "deep": {"bias": torch.ones(2, 2)}})
    split, ring, out = G.add("split"), G.add("ring", parameters=[1, "a", None]), G.add("out")
    G.nodes[eq]["color"] = "#ff0000"
    G.connect(source, eq)
    G.connect(eq, split)
    G.connect(split, ring, outlet="low")
    G.connect(split, ring, outlet="high", inlet="side")
    G.connect(ring, out)
    G.graph["title"] = "été"
    return G


PARAMETERS = {
    "eq": {"gain": torch.randn(1, 4), "nested": {"half": torch.randn(1, 2).half(), "deep": {"long": torch.arange(3)}}},
    "ring": {"empty": torch.empty(0, 3), "double": torch.randn(1, dtype=torch.float64)},
}


def assert_same_tree(found, expected):
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype and torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            assert_same_tree(found[name], expected[name])
    else:
        assert found == expected


def assert_same_graph(found, expected):
    assert_same_tree(dict(found.nodes(data=True)), dict(expected.nodes(data=True)))
    assert list(found.edges(data=True, keys=True)) == list(expected.edges(data=True, keys=True))
    assert found.graph == expected.graph


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("config", [CONFIG, None])
def test_round_trip(tmp_path, config, scheduled):
    G = build(config)
    if scheduled:
        G = reorder_for_fast_render(G)
    metadata = {"title": "Übung", "nested": [1, {"a": None}]}
    save_grafx(G, tmp_path / "a" / "b", PARAMETERS, metadata)
    assert sorted(os.listdir(tmp_path / "a" / "b")) == ["graph.json", "parameters.safetensors"]
    H, parameters, found_metadata = load_grafx(str(tmp_path / "a" / "b"))
    assert_same_graph(H, G)
    assert_same_tree(parameters, PARAMETERS)
    assert found_metadata == metadata
    if scheduled:
        assert prepare_render(H) == prepare_render(G)
    assert H.add("eq") == G.add("eq")


def test_parameters_of_modules_and_views(tmp_path):
    shared = torch.nn.Parameter(torch.randn(2, 6))
    parameters = torch.nn.ParameterDict({"eq": torch.nn.ParameterDict({"a": shared, "b": shared})})
    save_grafx(GRAFX(), tmp_path, parameters)
    _, found, _ = load_grafx(tmp_path)
    assert torch.equal(found["eq"]["a"], shared) and torch.equal(found["eq"]["b"], shared)
    save_grafx(GRAFX(), tmp_path, {"eq": {"view": shared.detach().T[::2]}})
    assert torch.equal(load_grafx(tmp_path)[1]["eq"]["view"], shared.T[::2])


def test_an_empty_graph_and_nothing_else(tmp_path, snapshot):
    save_grafx(GRAFX(), tmp_path)
    G, parameters, metadata = load_grafx(tmp_path)
    assert snapshot(G) == snapshot(GRAFX()) and parameters == {} and metadata == {}


def test_a_batch_can_be_taken_apart_after_loading(tmp_path):
    save_grafx(batch_grafx([build(), build()]), tmp_path)
    assert [len(G) for G in unbatch_grafx(load_grafx(tmp_path)[0])] == [5, 5]


def test_saving_changes_nothing(tmp_path, snapshot):
    G = build()
    before, parameters = str(snapshot(G)), copy.deepcopy(PARAMETERS)
    save_grafx(G, tmp_path, PARAMETERS)
    assert str(snapshot(G)) == before
    assert_same_tree(PARAMETERS, parameters)


def test_files_are_for_people(tmp_path):
    save_grafx(build(), tmp_path, PARAMETERS)
    document = json.loads((tmp_path / "graph.json").read_text())
    assert document["format"] == "grafx" and document["version"] == 1
    assert document["nodes"][1] == {
        "id": 2,
        "type": "eq",
        "parameters": {"gain_db": -3.5},
        "attributes": {"color": "#ff0000"},
    }
    tensors = load_file(tmp_path / "parameters.safetensors")
    assert "node/2/curve" in tensors and "type/eq/nested/deep/long" in tensors


CANNOT_BE_SAVED = {
    "attribute": lambda G: G.nodes[1].update(color=object()),
    "tensor attribute": lambda G: G.nodes[1].update(color=torch.ones(1)),
    "graph attribute": lambda G: G.graph.update(title={1, 2}),
    "bare tensor": lambda G: G.nodes[1].update(parameters=torch.ones(1)),
    "list of tensors": lambda G: G.nodes[1].update(parameters=[torch.ones(1)]),
    "slash": lambda G: G.nodes[1].update(parameters={"a/b": torch.ones(1)}),
    "numbered parameters": lambda G: G.nodes[1].update(parameters={1: torch.ones(1)}),
    "named node": lambda G: G.add_node("a", node_type="eq"),
    "negative id": lambda G: G.add_node(-1, node_type="eq"),
    "node without type": lambda G: G.add_node(77),
    "edge without plugs": lambda G: G.add_edge(1, 3),
}


@pytest.mark.parametrize("case", CANNOT_BE_SAVED)
def test_what_cannot_be_loaded_is_not_saved(tmp_path, case):
    save_grafx(build(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    G = build()
    CANNOT_BE_SAVED[case](G)
    with pytest.raises(GraphError):
        save_grafx(G, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("parameters", [torch.ones(1), {"eq": {"gain": 3.0}}, {"eq": {"gain": [torch.ones(1)]}}, [1]])
def test_parameters_that_are_no_tensors_are_not_dropped(tmp_path, parameters):
    with pytest.raises(GraphError, match="tensors only"):
        save_grafx(build(), tmp_path, parameters)


def test_metadata_must_be_plain(tmp_path):
    with pytest.raises(GraphError, match="cannot be saved"):
        save_grafx(build(), tmp_path, metadata={"a": object()})
    endless = {}
    endless["a"] = endless
    with pytest.raises(GraphError, match="cannot be saved"):
        save_grafx(build(), tmp_path, metadata=endless)


@pytest.mark.parametrize("place, name", [(io, "save"), (io.os, "replace")])
@pytest.mark.parametrize("existing", [True, False])
def test_an_interruption_leaves_the_old_files(tmp_path, monkeypatch, place, name, existing):
    if existing:
        save_grafx(build(), tmp_path, PARAMETERS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_grafx(GRAFX(), tmp_path, {"eq": {"gain": torch.zeros(9)}})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interruption_between_the_files_leaves_both(tmp_path, monkeypatch):
    save_grafx(build(), tmp_path, PARAMETERS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(io.Path, "write_text", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_grafx(GRAFX(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# ---- damaged and hostile files


@pytest.fixture
def saved(tmp_path):
    save_grafx(reorder_for_fast_render(build()), tmp_path, PARAMETERS, {"title": "x"})
    return tmp_path


@pytest.mark.parametrize("name", ["graph.json", "parameters.safetensors"])
def test_a_missing_file(saved, name):
    (saved / name).unlink()
    with pytest.raises(GraphError, match=f"{name} does not exist"):
        load_grafx(saved)
    (saved / name).mkdir()
    with pytest.raises(GraphError, match=name):
        load_grafx(saved)


def test_a_missing_folder(tmp_path):
    with pytest.raises(GraphError, match=r"nowhere.*does not exist"):
        load_grafx(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["graph.json", "parameters.safetensors"])
@pytest.mark.parametrize("spoil", ["empty", "cut", "zeros", "flipped"])
def test_a_damaged_file(saved, name, spoil):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(
        {
            "empty": b"",
            "cut": content[: len(content) // 2],
            "zeros": bytes(len(content)),
            "flipped": bytes(b ^ 0x80 for b in content),
        }[spoil]
    )
    with pytest.raises(GraphError, match=name):
        load_grafx(saved)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "null", "[]", "3", '"grafx"', "NaN"])
def test_text_that_is_no_graph(saved, text):
    (saved / "graph.json").write_text(text)
    with pytest.raises(GraphError, match=r"graph\.json"):
        load_grafx(saved)


@pytest.mark.parametrize("version", [0, 2, 999, "1", None, [1]])
def test_another_version(saved, version):
    edit(saved, lambda document: document.update(version=version))
    with pytest.raises(GraphError, match="version"):
        load_grafx(saved)


def edit(folder, change):
    document = json.loads((folder / "graph.json").read_text())
    change(document)
    (folder / "graph.json").write_text(json.dumps(document))


HOSTILE = {
    "no format": lambda d: d.pop("format"),
    "other format": lambda d: d.update(format="midi"),
    "no config": lambda d: d.pop("config"),
    "no nodes": lambda d: d.pop("nodes"),
    "no edges": lambda d: d.pop("edges"),
    "no graph": lambda d: d.pop("graph"),
    "type not in config": lambda d: d["nodes"][0].update(type="reverb"),
    "type of no name": lambda d: d["nodes"][0].update(type=["in"]),
    "name of no name": lambda d: d["nodes"][0].update(name={"a": 1}),
    "id twice": lambda d: d["nodes"].append(d["nodes"][0]),
    "id negative": lambda d: d["nodes"][0].update(id=-1),
    "id true": lambda d: d["nodes"][1].update(id=True),
    "id fraction": lambda d: d["nodes"][1].update(id=1.0),
    "id text": lambda d: d["nodes"][1].update(id="1"),
    "id missing": lambda d: d["nodes"][1].pop("id"),
    "attributes of a type": lambda d: d["nodes"][0].update(attributes={"node_type": "out"}),
    "attributes are a list": lambda d: d["nodes"][0].update(attributes=[["a", 1]]),
    "edge to nowhere": lambda d: d["edges"][0].update(dest=99),
    "edge to a list": lambda d: d["edges"][0].update(dest=[1]),
    "edge to true": lambda d: d["edges"][0].update(dest=True),
    "edge to itself": lambda d: d["edges"][0].update(dest=d["edges"][0]["source"]),
    "edge twice": lambda d: d["edges"].append(d["edges"][0]),
    "edge without inlet": lambda d: d["edges"][0].pop("inlet"),
    "edge to an unknown inlet": lambda d: d["edges"][0].update(inlet="side"),
    "edge to an inlet of no name": lambda d: d["edges"][0].update(inlet=[]),
    "invalid_op": lambda d: d["graph"].update(invalid_op="explode"),
    "counter text": lambda d: d["graph"].update(counter="a"),
    "batch text": lambda d: d["graph"].update(batch="yes"),
    "method": lambda d: d["graph"].update(rendering_order_method=7),
    "type_sequence": lambda d: d["graph"].update(type_sequence=7),
    "schedule with a gap": lambda d: d["nodes"][0].update(attributes={}),
    "schedule of no numbers": lambda d: d["nodes"][0]["attributes"].update(rendering_order="a"),
    "metadata": lambda d: d.update(metadata=3),
    "node of tensors is missing": lambda d: (d["nodes"].pop(1), d.update(edges=[])),
    "parameters beside tensors are no dict": lambda d: d["nodes"][1].update(parameters=3),
}


@pytest.mark.parametrize("config", [CONFIG, None])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_graphs(tmp_path, case, config):
    save_grafx(reorder_for_fast_render(build(config)), tmp_path)
    edit(tmp_path, HOSTILE[case])
    if config is None and case in ("type not in config", "edge to an unknown inlet"):
        load_grafx(tmp_path)
    else:
        with pytest.raises(GraphError, match=r"graph\.json"):
            load_grafx(tmp_path)


def test_hostile_graph_entries_change_neither_config_nor_ids(saved):
    edit(saved, lambda d: d["graph"].update(config=5, config_hash="x", counter=0))
    G, _, _ = load_grafx(saved)
    assert G.config == CONFIG and G.config_hash == CONFIG.content_hash
    assert G.add("eq") == 5


def test_huge_ids(saved):
    huge = 10**30

    def enlarge(d):
        for entry in [*d["nodes"], *d["edges"]]:
            for key in ("id", "source", "dest"):
                if key in entry and entry[key] != 1:
                    entry[key] += huge

    edit(saved, enlarge)
    G, _, _ = load_grafx(saved)
    assert G.counter == huge + 5
    assert prepare_render(reorder_for_fast_render(G)).num_nodes == 5


VALUES = [None, True, -1, 10**30, 1.5, float("nan"), "", "in", [], [[]], {}, {"a": {}}]


def places(tree, path=()):
    """Paths to everything in a document."""
    yield path
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_wrong_values_anywhere_end_in_graph_errors(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "hostile"
    if not folder.exists():
        save_grafx(reorder_for_fast_render(build()), folder, PARAMETERS)
        (folder / "graph.json").rename(folder / "original.json")
    document = json.loads((folder / "original.json").read_text())
    *parents, last = data.draw(st.sampled_from([path for path in places(document) if path]))
    tree = document
    for key in parents:
        tree = tree[key]
    tree[last] = data.draw(st.sampled_from(VALUES))
    (folder / "graph.json").write_text(json.dumps(document))
    try:
        G, _, _ = load_grafx(folder)
    except GraphError:
        return
    assert str(G) and G.add("eq") not in (None, 0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    "names",
    [["node/99/gain"], ["node/x/gain"], ["node"], ["type"], ["type/a", "type/a/b"], ["type/a/b/c", "type/a/b"], [""]],
)
def test_hostile_tensor_names(saved, names):
    save_file({name: torch.ones(2) for name in names}, saved / "parameters.safetensors")
    with pytest.raises(GraphError, match=r"json|safetensors"):
        load_grafx(saved)


def test_deeply_nested_tensor_names(saved):
    save_file({"node/1" + "/a" * 50_000: torch.ones(2)}, saved / "parameters.safetensors")
    with pytest.raises(GraphError):
        load_grafx(saved)


def test_edges_keep_their_attributes(tmp_path):
    G = GRAFX()
    G.add_serial_chain(["in", "out"])
    G.edges[0, 1, 0]["color"] = "red"
    save_grafx(G, tmp_path)
    assert load_grafx(tmp_path)[0].edges[0, 1, 0] == {"outlet": "main", "inlet": "main", "color": "red"}


@pytest.mark.parametrize("entry", ["nodes", "edges"])
def test_unknown_entries_are_named(tmp_path, entry):
    G = GRAFX()
    G.add_serial_chain(["in", "out"])
    save_grafx(G, tmp_path)
    document = json.loads((tmp_path / "graph.json").read_text())
    document[entry][0]["node_type"] = "eq"
    (tmp_path / "graph.json").write_text(json.dumps(document))
    with pytest.raises(GraphError, match=r"unknown entries \['node_type'\]: use "):
        load_grafx(tmp_path)
