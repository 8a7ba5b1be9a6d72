import copy
import itertools
import json
import math
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import grafx.data.formats.io as io
import grafx.files as files
from grafx.data import GRAFX, GraphError, NodeConfigs, batch_grafx, load_grafx, save_grafx, unbatch_grafx
from grafx.parameters.tensors import create_empty_parameters
from grafx.render import prepare_render, reorder_for_fast_render

CONFIG = NodeConfigs({"eq": {}, "split": {"outlets": ["low", "high"]}, "ring": {"inlets": ["main", "side"]}})


def build(config=CONFIG):
    """Every kind of thing that a saved graph can have."""
    G = GRAFX(config=config, invalid_op="warn")
    G.remove(G.add("eq"))
    source = G.add("in", name='Gesang – 歌 🎤 "x"\n')
    eq = G.add("eq", parameters={"gain_db": -3.5, "curve": torch.arange(3.0), "deep": {"bias": torch.ones(2, 2)}})
    split, ring, out = G.add("split"), G.add("ring", parameters=[1, "a", None]), G.add("out")
    G.nodes[eq].update(color="#ff0000", position=(-0.1, 1e300))
    G.connect(source, eq)
    G.connect(eq, split)
    G.connect(split, ring, outlet="low")
    G.connect(split, ring, outlet="high", inlet="side")
    G.connect(ring, out)
    G.graph["title"] = "été"
    return G


PARAMETERS = {
    "eq": {
        "gain": torch.randn(1, 4),
        "nested": {"half": torch.randn(1, 2).half(), "deep": {"long": torch.arange(3)[None]}},
    },
    "ring": {"empty": torch.empty(1, 0, 3), "double": torch.randn(1, dtype=torch.float64)},
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
    G = GRAFX()
    G.add_serial_chain(["in", "eq", "eq", "ring", "ring", "ring"])
    save_grafx(G, tmp_path, parameters)
    _, found, _ = load_grafx(tmp_path)
    assert torch.equal(found["eq"]["a"], shared) and torch.equal(found["eq"]["b"], shared)
    save_grafx(G, tmp_path, {"ring": {"view": shared.detach().T[::2]}})
    assert torch.equal(load_grafx(tmp_path)[1]["ring"]["view"], shared.T[::2])


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
    assert document["format"] == "grafx" and document["version"] == 2
    assert document["nodes"][1] == {
        "id": 2,
        "type": "eq",
        "parameters": {"gain_db": -3.5},
        "position": [-0.1, 1e300],
        "attributes": {"color": "#ff0000"},
    }
    tensors = load_file(tmp_path / "parameters.safetensors")
    assert "node/2/curve" in tensors and "type/eq/nested/deep/long" in tensors


def nested(depth, inner=None):
    for _ in range(depth):
        inner = {"a": inner}
    return inner


def endless():
    tree = {}
    tree["a"] = tree
    return tree


CANNOT_BE_SAVED = {
    "attribute": (
        lambda G: G.nodes[1].update(color=object()),
        r"node 1: \['attributes'\]\['color'\] is of type object",
    ),
    "tensor attribute": (lambda G: G.nodes[1].update(color=[torch.ones(1)]), r"node 1.*\['color'\]\[0\].* Tensor"),
    "infinity": (lambda G: G.nodes[1].update(color={"a": [1.0, math.inf]}), r"node 1.*\['a'\]\[1\] is inf"),
    "numbers for keys": (
        lambda G: G.nodes[1].update(color={"a": {1: 2}}),
        r"node 1.*\['a'\] has the key 1, which is no",
    ),
    "attribute of no name": (lambda G: G.nodes[1].update({7: 2}), r"node 1: \['attributes'\] has the key 7"),
    "half a character": (lambda G: G.nodes[1].update(name="\ud800"), r"node 1: \['name'\] has half a character"),
    "long integer": (lambda G: G.nodes[1].update(color=10**5000), "digits"),
    "nested": (lambda G: G.nodes[1].update(color=nested(5000)), "node 1.*nested more than 100 levels deep"),
    "nested just too much": (lambda G: G.nodes[1].update(color=nested(97)), "node 1.*nested more than 100 levels deep"),
    "endless": (lambda G: G.nodes[1].update(color=endless()), "node 1.*nested more than 100 levels deep"),
    "graph attribute": (lambda G: G.graph.update(title={1, 2}), r"'graph': \['title'\] is of type set"),
    "edge attribute": (lambda G: G.edges[1, 2, 0].update(gain=math.nan), r"'edges': \[0\].*\['gain'\] is nan"),
    "bare tensor": (lambda G: G.nodes[1].update(parameters=torch.ones(1)), "node 1 are a bare tensor"),
    "list of tensors": (lambda G: G.nodes[1].update(parameters=[torch.ones(1)]), r"node 1: \['parameters'\]\[0\]"),
    "slash": (lambda G: G.nodes[1].update(parameters={"a/b": torch.ones(1)}), "'a/b' must be a string without '/'"),
    "numbered parameters": (lambda G: G.nodes[1].update(parameters={1: torch.ones(1)}), "parameter name 1"),
    "parameter without a name": (lambda G: G.nodes[1].update(parameters={"": torch.ones(1)}), "'node/1/' is no"),
    "nested parameters": (lambda G: G.nodes[1].update(parameters=nested(5000, torch.ones(1))), "node/1.* deep"),
    "endless parameters": (lambda G: G.nodes[1].update(parameters=endless()), "node/1.* deep"),
    "sparse tensor": (lambda G: G.nodes[1].update(parameters={"a": torch.eye(2).to_sparse()}), "node/1/a.*sparse"),
    "tensor without content": (lambda G: G.nodes[1].update(parameters={"a": torch.ones(1, device="meta")}), "node/1/a"),
    "tensor of half bytes": (
        lambda G: G.nodes[1].update(parameters={"a": torch.zeros(2, dtype=torch.float4_e2m1fn_x2)}),
        "node/1/a.*float4",
    ),
    "named node": (lambda G: G.add_node("a", node_type="eq"), "'a'"),
    "negative id": (lambda G: G.add_node(-1, node_type="eq"), "-1"),
    "huge id": (lambda G: G.add_node(2**63 - 1, node_type="eq"), "9223372036854775807"),
    "node without type": (lambda G: G.add_node(77), r"node 77 has no node_type: add nodes with GRAFX\.add"),
    "node of no type": (lambda G: G.add_node(77, node_type=["eq"]), "node 77: 'type'"),
    "type not in config": (lambda G: G.add_node(77, node_type="reverb"), "node 77: its type 'reverb' is not"),
    "name of no text": (lambda G: G.nodes[1].update(name=5), "node 1: 'name' is 5"),
    "edge without plugs": (lambda G: G.add_edge(1, 3), r"1 -> 3 has no outlet or inlet: .* GRAFX\.connect"),
    "edge twice": (lambda G: G.add_edge(1, 2, outlet="main", inlet="main"), r"\(1 -> 2\): it is there twice"),
    "edge to itself": (lambda G: G.add_edge(2, 2, outlet="main", inlet="main"), "no self edge"),
    "unknown outlet": (lambda G: G.add_edge(3, 5, outlet="mid", inlet="main"), "node 3 has no outlet 'mid'"),
    "schedule by halves": (lambda G: G.graph.update(rendering_order_method="beam"), "order the graph anew"),
    "more graphs than nodes": (lambda G: G.graph.update(num_graphs=10**12), "'num_graphs' is 1000000000000"),
}


@pytest.mark.parametrize("case", CANNOT_BE_SAVED)
def test_what_cannot_be_loaded_is_not_saved(tmp_path, case):
    save_grafx(build(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    G = build()
    spoil, message = CANNOT_BE_SAVED[case]
    spoil(G)
    with pytest.raises(GraphError, match=f"The graph cannot be saved: .*{message}"):
        save_grafx(G, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_deepest_attributes_and_parameters(tmp_path):
    G = build()
    G.nodes[1].update(color=nested(96), parameters=nested(99, torch.ones(1)))
    save_grafx(G, tmp_path, {"eq": nested(99, torch.ones(1))})
    H, parameters, _ = load_grafx(tmp_path)
    assert_same_graph(H, G)
    assert_same_tree(parameters, {"eq": nested(99, torch.ones(1))})
    with pytest.raises(GraphError, match="deep"):
        save_grafx(G, tmp_path, {"eq": nested(100, torch.ones(1))})


def test_parameters_beside_tensors_come_back_whole(tmp_path):
    G = GRAFX()
    for parameters in (
        {},
        {"a": None},
        {"a": {}, "b": torch.ones(1)},
        {"a": {"b": None, "c": torch.ones(1)}},
        [],
        None,
    ):
        G.add("eq", parameters)
    save_grafx(G, tmp_path)
    assert_same_graph(load_grafx(tmp_path)[0], G)


@pytest.mark.parametrize(
    "parameters", [torch.ones(1), {"eq": {"gain": 3.0}}, {"eq": {"gain": None}}, {"eq": {"gain": [torch.ones(1)]}}, [1]]
)
def test_parameters_that_are_no_tensors_are_not_dropped(tmp_path, parameters):
    with pytest.raises(GraphError, match="tensors only"):
        save_grafx(build(), tmp_path, parameters)


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"eq": {"gain": torch.ones(2, 1)}},
            r"'type/eq/gain' has the shape \(2, 1\), .* each of the 1 nodes of type 'eq'",
        ),
        ({"eq": {"gain": torch.tensor(1.0)}}, r"'type/eq/gain' has the shape \(\)"),
        ({"mix": {"gain": torch.ones(1)}}, "0 nodes of type 'mix'"),
        ({"reverb": {"gain": torch.ones(0, 1)}}, "config lacks"),
        ({"eq": torch.ones(1)}, "'type/eq' is no"),
    ],
)
def test_parameters_need_one_row_for_each_node(tmp_path, parameters, message):
    with pytest.raises(GraphError, match=message):
        save_grafx(build(), tmp_path, parameters)


@pytest.mark.parametrize("config", [CONFIG, None])
def test_parameters_of_types_without_nodes(tmp_path, config):
    processors = {"ring": SimpleNamespace(parameter_size=lambda: {"depth": 2, "deep": {"x": (3, 4)}})}
    processors["split"] = SimpleNamespace(parameter_size=dict)
    parameters = create_empty_parameters(processors, GRAFX(config=config))
    save_grafx(GRAFX(config=config), tmp_path, parameters)
    _, found, _ = load_grafx(tmp_path)
    assert_same_tree(found, {"ring": {"depth": torch.ones(0, 2), "deep": {"x": torch.ones(0, 3, 4)}}})


@pytest.mark.parametrize("metadata", [{"a": object()}, {"a": {2: 3}}, {"a": math.nan}, endless(), [("a", 1)], 5, "a"])
def test_metadata_must_be_plain(tmp_path, metadata):
    with pytest.raises(GraphError, match=r"cannot be saved: .*metadata"):
        save_grafx(build(), tmp_path, metadata=metadata)
    assert list(tmp_path.iterdir()) == []


# ---- positions


@pytest.mark.parametrize(
    "position", [(1.5, -2.0), [1, 2], np.array([1.5, -2.0]), np.float32([0.1, 0.2]), (np.int64(3), 4.5)]
)
def test_positions_come_back_as_floats(tmp_path, position):
    G = GRAFX()
    G.nodes[G.add("in")]["position"] = position
    G.nodes[G.add("in")]["position"] = None
    save_grafx(G, tmp_path)
    found = load_grafx(tmp_path)[0].nodes
    assert found[0]["position"] == tuple(map(float, position))
    assert isinstance(found[0]["position"], tuple) and all(type(value) is float for value in found[0]["position"])
    assert "position" not in found[1]


@pytest.mark.parametrize(
    "position", ["12", (1,), (1, 2, 3), 3.0, (1, "a"), {"x": 1, "y": 2}, (1, float("nan")), (float("inf"), 1), (1, 1j)]
)
def test_what_is_no_position_is_not_saved(tmp_path, position):
    G = GRAFX()
    G.nodes[G.add("in")]["position"] = position
    with pytest.raises(GraphError, match=r"node 0.*position"):
        save_grafx(G, tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- versions

VERSION_1 = """{
 "format": "grafx",
 "version": 1,
 "config": {
  "in": {"inlets": [], "outlets": ["main"]},
  "out": {"inlets": ["main"], "outlets": []},
  "mix": {"inlets": ["main"], "outlets": ["main"]},
  "eq": {"inlets": ["main"], "outlets": ["main"]}
 },
 "graph": {
  "counter": 4, "consecutive_ids": false, "batch": false, "invalid_op": "error", "rendering_order_method": null,
  "type_sequence": null, "title": "\\u00e9t\\u00e9"
 },
 "nodes": [
  {"id": 0, "type": "in", "name": "voice", "attributes": {"position": [1, 2.5], "color": "red"}},
  {"id": 2, "type": "eq", "parameters": {"gain_db": -3.5}, "attributes": {"peak": -Infinity}},
  {"id": 3, "type": "out", "attributes": {"position": null}}
 ],
 "edges": [
  {"source": 0, "dest": 2, "outlet": "main", "inlet": "main", "attributes": {"color": "blue"}},
  {"source": 2, "dest": 3, "outlet": "main", "inlet": "main"}
 ],
 "metadata": {"a": [1, null]}
}
"""


@pytest.fixture
def of_version_1(tmp_path):
    (tmp_path / "graph.json").write_text(VERSION_1)
    save_file({"node/2/curve": torch.ones(3), "type/eq/gain": torch.zeros(1, 2)}, tmp_path / "parameters.safetensors")
    return tmp_path


def test_version_1_loads(of_version_1):
    G, parameters, metadata = load_grafx(of_version_1)
    assert_same_tree(
        dict(G.nodes(data=True)),
        {
            0: {"node_type": "in", "parameters": None, "name": "voice", "position": (1.0, 2.5), "color": "red"},
            2: {
                "node_type": "eq",
                "parameters": {"gain_db": -3.5, "curve": torch.ones(3)},
                "name": None,
                "peak": -math.inf,
            },
            3: {"node_type": "out", "parameters": None, "name": None},
        },
    )
    plugs = {"outlet": "main", "inlet": "main"}
    assert list(G.edges(data=True)) == [(0, 2, {**plugs, "color": "blue"}), (2, 3, plugs)]
    assert (G.graph["counter"], G.graph["title"], G.config) == (4, "été", NodeConfigs(["eq"]))
    assert_same_tree(parameters, {"eq": {"gain": torch.zeros(1, 2)}})
    assert metadata == {"a": [1, None]}


def test_version_1_saves_as_the_present_one(of_version_1, tmp_path):
    G, parameters, metadata = load_grafx(of_version_1)
    with pytest.raises(GraphError, match=r"node 2: \['attributes'\]\['peak'\] is -inf"):
        save_grafx(G, tmp_path / "new", parameters, metadata)
    G.nodes[2]["peak"] = None
    save_grafx(G, tmp_path / "new", parameters, metadata)
    assert json.loads((tmp_path / "new" / "graph.json").read_text())["version"] == 2
    H, found, _ = load_grafx(tmp_path / "new")
    assert_same_graph(H, G)
    assert_same_tree(found, parameters)


def test_a_later_version_is_refused(of_version_1):
    (of_version_1 / "graph.json").write_text(VERSION_1.replace('"version": 1', '"version": 3'))
    with pytest.raises(GraphError, match="has format version 3, and this package reads 1 to 2: update grafx"):
        load_grafx(of_version_1)


# ---- failures while saving


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("place", ["mkdir", "open", "fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch, place, existing, error):
    folder = tmp_path / "graph"
    if existing:
        save_grafx(build(), folder, PARAMETERS)
    before = content(folder)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(io.Path if place == "mkdir" else files if place == "open" else os, place, fail, raising=False)
    kind, message = (GraphError, "No space left") if isinstance(error, OSError) else (KeyboardInterrupt, None)
    with pytest.raises(kind, match=message):
        save_grafx(GRAFX(), folder)
    monkeypatch.undo()
    assert content(folder) == before
    save_grafx(GRAFX(), folder)
    assert len(load_grafx(folder)[0]) == 0 and len(content(folder)) == 2


@pytest.mark.parametrize("num_calls", range(4))
def test_an_interruption_anywhere_leaves_the_old_or_the_new(tmp_path, monkeypatch, num_calls):
    """Interrupted just after a file is on the disk or in its place."""
    save_grafx(build(), tmp_path, PARAMETERS)
    before, calls = content(tmp_path), itertools.count()
    for name in ("fsync", "replace"):
        function = getattr(os, name)

        def interrupted(*args, function=function):
            function(*args)
            if next(calls) == num_calls:
                raise KeyboardInterrupt

        monkeypatch.setattr(os, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_grafx(edited(), tmp_path, {"eq": {"gain": torch.zeros(2, 1)}})
    G, parameters, _ = load_grafx(tmp_path)
    if num_calls < 2:
        assert content(tmp_path) == before
    else:
        assert_same_graph(G, edited())
        assert_same_tree(parameters, {"eq": {"gain": torch.zeros(2, 1)}})
    monkeypatch.undo()
    save_grafx(build(), tmp_path, PARAMETERS)
    assert content(tmp_path) == before


def edited():
    G = build()
    G.add("eq", name="new", parameters={"curve": torch.zeros(7)})
    return G


def test_a_power_cut_at_any_two_moments_loses_nothing(tmp_path, monkeypatch):
    """Nothing cleans up after a power cut: what is on the disk at each moment is what is found."""
    moments = []

    def remember():
        moments.append(shutil.copytree(current, tmp_path / f"moment {len(moments)}"))
        return moments[-1]

    def replace_and_watch(*args):
        remember()
        replace(*args)
        remember()

    def fsync_and_watch(number):
        (written,) = [path for path in remember().iterdir() if (current / path.name).stat().st_ino == inode(number)]
        cut = remember() / written.name
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
        fsync(number)

    def inode(number):
        return os.fstat(number).st_ino

    replace, fsync = os.replace, os.fsync
    graphs = [build(), edited(), GRAFX()]
    all_parameters = [PARAMETERS, {"eq": {"gain": torch.zeros(2, 1)}}, {}]

    def save_and_watch(which):
        moments.clear()
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace_and_watch)
            patch.setattr(os, "fsync", fsync_and_watch)
            save_grafx(graphs[which], current, all_parameters[which])
        return list(moments)

    def state(folder):
        G, parameters, _ = load_grafx(folder)
        which = [len(graph) for graph in graphs].index(len(G))
        assert_same_graph(G, graphs[which])
        assert_same_tree(parameters, all_parameters[which])
        return which

    current = tmp_path / "first"
    save_grafx(graphs[0], current, all_parameters[0])
    firsts = [folder.rename(tmp_path / f"after {i}") for i, folder in enumerate(save_and_watch(1))]
    states = [state(folder) for folder in firsts]
    assert states == sorted(states) and set(states) == {0, 1}
    for first, before in zip(firsts, states, strict=True):
        current = first
        seconds = save_and_watch(2)
        states_then = [state(folder) for folder in seconds]
        assert set(states_then) == {before, 2} and states_then == sorted(states_then)
        assert state(first) == 2 and len(content(first)) == 2
        for folder in seconds:
            shutil.rmtree(folder)


def test_files_of_two_saves_are_told_apart(tmp_path):
    save_grafx(build(), tmp_path / "a", PARAMETERS)
    save_grafx(build(), tmp_path / "b", {"eq": {"gain": torch.ones(1, 4)}})
    shutil.copy(tmp_path / "b" / "parameters.safetensors", tmp_path / "a")
    with pytest.raises(GraphError, match=r"a/parameters.safetensors is not the file that graph.json .* saved with"):
        load_grafx(tmp_path / "a")


@pytest.mark.parametrize("name", ["graph.json", "parameters.safetensors", "parameters.safetensors.new"])
def test_a_folder_in_the_way(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(GraphError, match=f"{name}"):
        save_grafx(build(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(GraphError, match=r"file.* cannot be written to"):
        save_grafx(build(), tmp_path / "file")
    with pytest.raises(GraphError, match=r"file/deep.* cannot be written to"):
        save_grafx(build(), tmp_path / "file" / "deep")
    with pytest.raises(GraphError, match=r"no\\x00where.* cannot be written to"):
        save_grafx(build(), tmp_path / "no\0where")


def test_a_graph_too_large_to_be_loaded_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(io, "MAX_GRAPH_BYTES", 1000)
    save_grafx(GRAFX(), tmp_path, metadata={"a": "a" * 500})
    before = content(tmp_path)
    with pytest.raises(GraphError, match="more than 1000 bytes"):
        save_grafx(GRAFX(), tmp_path, metadata={"a": "a" * 1000})
    assert content(tmp_path) == before


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
