"""What was found, as tables and as graphs: every number is where it was."""

import json
import shutil

import pytest
import torch
from song_runs import write_run

from grafx.data import load_grafx, to_pyg
from grafx.data.configs import NodeConfigs
from grafx.errors import GraphError, SearchError

pytest.importorskip("pyarrow")

from pyarrow import parquet

from grafx.search.songs.collect import Collected, collect_songs, load_graphs


@pytest.fixture(scope="module")
def collected(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "new"
    assert collect_songs(runs, out) == Collected(songs=4, graphs=2, processors=18)
    return out


def rows(folder, name):
    return parquet.read_table(folder / f"{name}.parquet").to_pylist()


def test_songs(runs, collected):
    table = {row["name"]: row for row in rows(collected, "songs")}
    assert [(name, row["state"]) for name, row in table.items()] == [
        ("Song 0", "done"), ("Song 1", "done"), ("Song 2", "failed"), ("Song 3", "waiting")
    ]  # fmt: skip
    metrics = json.loads((runs / "Song 1" / "metrics.json").read_text())
    row = table["Song 1"]
    for key in (
        "plain_loss",
        "console_loss",
        "found_loss",
        "console_processors",
        "found_processors",
        "removed",
        "steps",
        "seconds",
    ):
        assert row[key] == metrics[key]
    assert (row["seed"], row["sample_rate"], row["duration"], row["stems"]) == (1, 44100, 4.0, ["drums", "vocals_1"])
    assert len(row["console"]) == 12 and {"owner": "drums", "role": "stem", "kind": "eq"} in row["console"]
    assert table["Song 2"]["reason"] == "drums.wav is <b>damaged</b>." and table["Song 2"]["found_loss"] is None


def test_processors(runs, collected):
    table = rows(collected, "processors")
    G = load_grafx(runs / "Song 1")[0]
    found = {row["node"]: row for row in table if row["song"] == "Song 1"}
    assert set(found) == {node for node, data in G.nodes(data=True) if "drywet_weight" in data}
    for node, row in found.items():
        data = G.nodes[node]
        assert (row["kind"], row["owner"], row["drywet"]) == (data["node_type"], data["owner"], data["drywet_weight"])
        assert row["loss_without"] == 0.2 + node / 100
        assert row["loss_added"] == pytest.approx(row["loss_without"] - 0.201, abs=1e-12)
        assert json.loads(row["settings"]) == data["settings"]
    by = {(row["owner"], row["kind"]): row for row in found.values()}
    assert by["drums", "compressor"]["threshold_db"] == -29 and by["drums", "compressor"]["ratio"] == 4
    assert by["drums", "eq"]["magnitude_db/63 Hz"] == 2 and by["drums", "eq"]["threshold_db"] is None
    reverb = by["vocals_1", "reverb"]
    assert [reverb[f"decay_ms/{band} Hz/{channel}"] for band in (125, 1000) for channel in (1, 2)] == [
        300,
        500,
        200,
        100,
    ]
    chain = sorted((row for row in found.values() if row["owner"] == "vocals_1"), key=lambda row: row["position"])
    assert [(row["kind"], row["position"], row["stem"], row["role"]) for row in chain] == [
        ("eq", 1, "vocals", "stem"), ("gain", 2, "vocals", "stem"), ("reverb", 3, "vocals", "stem")
    ]  # fmt: skip
    assert by["master", "gain"]["role"] == "master"


def test_columns_are_in_order(collected):
    names = parquet.read_schema(collected / "processors.parquet").names
    assert names[:3] == ["song", "node", "kind"]
    bands = [name for name in names if name.startswith("magnitude_db")]
    assert bands == ["magnitude_db/63 Hz", "magnitude_db/125 Hz", "magnitude_db/1000 Hz"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_libraries_read_the_tables(collected, library):
    read = pytest.importorskip(library).read_parquet
    table = read(collected / "processors.parquet")
    assert len(table) == 18 and table["threshold_db"].max() == -29
    assert len(read(collected / "songs.parquet")) == 4


def test_graphs(runs, collected):
    pytest.importorskip("torch_geometric")
    songs = load_graphs(collected / "graphs.safetensors")
    assert [data.song for data in songs.graphs] == ["Song 0", "Song 1"]
    for i, data in enumerate(songs.graphs):
        G = load_grafx(runs / f"Song {i}")[0]
        same = to_pyg(G)
        assert songs.config == G.config and data.config_hash == same.config_hash
        assert torch.equal(data.x, same.x)
        assert set(map(tuple, data.edge_index.T.tolist())) == set(map(tuple, same.edge_index.T.tolist()))
        column = songs.columns.index("threshold_db")
        nodes = sorted(G.nodes)
        row = next(
            r for r, n in enumerate(nodes) if G.nodes[n]["node_type"] == "compressor" and G.nodes[n]["owner"] == "drums"
        )
        assert data.settings[row, column] == -30 + i and data.settings[:, column].isnan().sum() == len(nodes) - 1
        weights = torch.tensor([G.nodes[n].get("drywet_weight", torch.nan) for n in nodes])
        assert torch.equal(data.drywet.nan_to_num(-1), weights.nan_to_num(-1)) and data.owners[row] == "drums"


def test_graphs_make_batches_and_graphs_again(collected):
    loader = pytest.importorskip("torch_geometric.loader")
    from grafx.data import convert_to_graph, from_pyg

    songs = load_graphs(collected / "graphs.safetensors")
    batch = next(iter(loader.DataLoader(songs.graphs, batch_size=2)))
    assert batch.num_graphs == 2 and len(batch.settings) == sum(len(data.x) for data in songs.graphs)
    convert_to_graph(from_pyg(songs.graphs[0], songs.config)).validate()


def test_roles_and_several_plugs(tmp_path):
    pytest.importorskip("torch_geometric")
    write_run(tmp_path / "a", ["x", "y"], groups={"band": ["x"]}, returns={"room": ["reverb"]})
    collect_songs(tmp_path)
    roles = {row["owner"]: row["role"] for row in rows(tmp_path, "processors")}
    assert roles == {"x": "stem", "y": "stem", "band": "group", "room": "return", "master": "master"}


def test_songs_of_other_types_make_one_config(tmp_path):
    pytest.importorskip("torch_geometric")
    write_run(tmp_path / "a", ["x"])
    write_run(tmp_path / "b", ["x"], returns={"room": ["delay"]})
    collect_songs(tmp_path)
    songs = load_graphs(tmp_path / "graphs.safetensors")
    assert isinstance(songs.config, NodeConfigs) and "delay" in songs.config
    assert {data.x.shape[1] for data in songs.graphs} == {len(songs.config)}
    assert {data.config_hash for data in songs.graphs} == {songs.config.content_hash}


def test_songs_of_other_inlets_are_refused(tmp_path):
    write_run(tmp_path / "a", ["x"])
    write_run(tmp_path / "b", ["x"])
    file = tmp_path / "b" / "graph.json"
    document = json.loads(file.read_text())
    document["config"]["eq"]["inlets"] = ["main", "side"]
    file.write_text(json.dumps(document))
    with pytest.raises(GraphError, match=r"'eq' of the song 'b'.*'a'"):
        collect_songs(tmp_path)
    assert not (tmp_path / "songs.parquet").exists()


def test_a_graph_that_cannot_be_read_is_told(runs, tmp_path):
    copy = shutil.copytree(runs, tmp_path / "runs")
    (copy / "Song 0" / "graph.json").write_text("{")
    notes = []
    assert collect_songs(copy, notice=notes.append) == Collected(4, 1, 9)
    assert len(notes) == 1 and "Song 0" in notes[0]


def test_many_rows_are_packed_alike(runs, tmp_path, monkeypatch):
    collect_songs(runs, tmp_path / "all")
    monkeypatch.setattr("grafx.search.songs.collect.tables.AT_ONCE", 1)
    collect_songs(runs, tmp_path / "packed")
    for name in ("songs", "processors"):
        assert rows(tmp_path / "all", name) == rows(tmp_path / "packed", name)


def test_nothing_done_yet(tmp_path):
    pytest.importorskip("torch_geometric")
    write_run(tmp_path / "a", ["x"], finished=False)
    assert collect_songs(tmp_path) == Collected(1, 0, 0)
    assert load_graphs(tmp_path / "graphs.safetensors").graphs == []
    assert rows(tmp_path, "processors") == []


def test_other_files_are_refused(tmp_path):
    pytest.importorskip("torch_geometric")
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_text("text")
    for name in "ab":
        with pytest.raises(GraphError, match=f"{name}.safetensors"):
            load_graphs(tmp_path / f"{name}.safetensors")
    with pytest.raises(SearchError):
        collect_songs(tmp_path)
