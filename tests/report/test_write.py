"""The model of a page, and the page as a file."""

import base64
import json
import math
import re

import grafx.processors as library
import pytest
import torch
from nodes_alone import graph_of, hear_one

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import AudioError, GraphError, RenderError, SearchError
from grafx.report import hear, write_report
from grafx.report import heard as hearing
from grafx.report import write as writing
from grafx.report.model import node_model, plain, settings_rows, to_json
from grafx.search import build_console

RATE = 16000
EVIL = '</script><script>alert("x")</script> & \u202e"\'`${1}'


def stems(count=1, seconds=0.5):
    return 0.2 * torch.randn(count, 2, int(seconds * RATE), generator=torch.Generator().manual_seed(0))


def report_of(G, sources, processors=None, target=None, **about):
    return writing.report_of(hear(G, sources, RATE, processors, target), **about)


def test_the_model_tells_all_of_a_mixing_graph():
    G = build_console(["drums", "bass"], chain=["eq", "gain"])
    metrics = {
        "chains": {"drums": ["eq"]},
        "nodes": [{"id": 2, "loss_without": 0.5, "console_id": 9}],
        "found_loss": 0.1,
        "plain_loss": math.nan,
    }
    truth = {"drums": ["eq"]}
    model, sounds = report_of(G, stems(2), target=stems(2).sum(0), metrics=metrics, truth=truth, title="Song")
    assert json.loads(to_json(model)) == model
    assert (model["title"], model["sample_rate"], model["seconds"], model["live"]) == ("Song", RATE, 0.5, False)
    assert set(model["nodes"]) == {str(node) for node in G.nodes}
    assert model["loss"]["found"] == 0.1 and model["loss"]["plain"] is None
    assert set(model["sounds"]) == set(sounds) and model["story"] is None
    assert model["chains"] == {"drums": ["eq"]} and model["truth"] == truth
    assert {node["id"] for node in model["picture"]["nodes"]} == set(G.nodes)
    used = {key for node in model["nodes"].values() for key in node["sounds"].values() if key}
    tracks = model["tracks"]
    used |= {tracks["mix"], tracks["target"], tracks["difference"], *[stem["solo"] for stem in tracks["stems"]]}
    assert used == set(sounds)
    for node, data in G.nodes(data=True):
        told = model["nodes"][str(node)]
        assert told["type"] == data["node_type"] and told["owner"] == data.get("owner")
        assert told["inputs"] == sorted(G.predecessors(node)) and told["outputs"] == sorted(G.successors(node))
        assert told["views"] and told["label"]
    assert model["nodes"]["2"]["loss_without"] == 0.5 and model["nodes"]["2"]["console_id"] == 9
    assert model["nodes"]["3"]["loss_without"] is None


def test_settings_are_told_in_numbers_and_words():
    processor = library.Compressor(style="desk", sample_rate=RATE)
    heard, node = hear_one(processor, {"threshold_db": -24.0, "attack_ms": 12.0}, rate=RATE)
    rows = {row["path"]: row for row in settings_rows(heard, node)}
    row = rows["threshold_db"]
    assert row["keys"] == ["threshold_db"] and row["name"] == "threshold" and row["unit"] == "dB"
    assert row["value"] == pytest.approx(-24, abs=1e-3) and row["text"] == "−24 dB"
    assert rows["ratio"]["unit"] == "" and rows["attack_ms"]["text"] == "12 ms"
    chain = library.SerialChain({"gain": library.StereoGain(), "eq": library.ZeroPhaseFIREqualizer(64)})
    heard, node = hear_one(chain, {"gain": {"left_gain_db": 3.0}})
    rows = {row["path"]: row for row in settings_rows(heard, node)}
    assert rows["gain.left_gain_db"]["name"] == "gain left gain" and rows["gain.left_gain_db"]["text"] == "3 dB"
    assert rows["eq.magnitude_db.1000 Hz"]["keys"] == ["eq", "magnitude_db", "1000 Hz"]
    assert rows["eq.magnitude_db.1000 Hz"]["text"]


def test_a_bypassed_node_says_so():
    heard, node = hear_one(library.StereoGain(), drywet_weight=0.7, bypass=True)
    told = node_model(heard, node)
    assert told["bypassed"] is True and told["wet"] == 0


def test_what_json_does_not_know_becomes_text_or_none():
    value = {1: math.nan, "a": (math.inf, 1.5), "b": torch.tensor([1.0, math.nan]), "c": {2}, "d": object}
    assert plain(value) == {"1": None, "a": [None, 1.5], "b": [1.0, None], "c": [2], "d": "<class 'object'>"}


def test_hostile_names_are_text():
    G, node = graph_of(library.StereoGain())
    G.nodes[0]["name"] = EVIL
    G.nodes[node].update(owner=EVIL, name=None, note=math.nan)
    model, sounds = report_of(G, stems(), {"p": library.StereoGain()}, truth={EVIL: [EVIL]}, title=EVIL)
    assert json.loads(to_json(model)) == model
    assert model["nodes"]["0"]["name"] == EVIL and model["tracks"]["stems"][0]["name"] == EVIL
    assert all(re.fullmatch(r"[\w.-]+", key) for key in sounds)


@pytest.mark.parametrize("name", ["half \ud800", "\udfff\ud800"])
def test_half_characters_in_names_are_written(tmp_path, name):
    G, _ = graph_of(library.StereoGain())
    G.nodes[0]["name"] = name
    processors = {"p": library.StereoGain()}
    file = write_report(tmp_path / "report.html", G, stems(), RATE, processors, title=name, truth={name: [name]})
    assert f"\\u{ord(name[-1]):04x}" in file.read_text(encoding="utf-8")


def test_graphs_without_sources_and_of_many_outputs_have_models():
    processor = library.KickSynth(sample_rate=RATE)
    G, _ = graph_of(processor)
    kick = hear(G, torch.zeros(0, 1, RATE), RATE, {"p": processor}).mix
    model, _ = report_of(G, torch.zeros(0, 1, RATE), {"p": processor}, kick)
    assert model["tracks"]["stems"] == [] and model["loss"]["plain"] is None
    assert model["loss"]["found"] == pytest.approx(0, abs=1e-3)
    G, _ = graph_of(library.Send())
    report_of(G, stems(), {"p": library.Send()})


def test_a_page_has_at_most_so_many_bytes():
    G = build_console(["a"], chain=["gain"], master=())
    sources = stems(1, 3.0)
    sizes = {}
    for most in (10_000_000, 560_000):
        model, sounds = report_of(G, sources, target=0.5 * sources[0], most_bytes=most)
        size = len(to_json(model).encode()) + sum(len(base64.b64encode(file)) for file in sounds.values())
        assert size + writing.OF_PAGE <= most
        sizes[most] = size
        assert {one["codec"] for one in model["sounds"].values()} == {"flac" if most > 10**6 else "opus"}
    assert sizes[560_000] < sizes[10_000_000]


def test_a_file_has_at_most_so_many_bytes(tmp_path):
    G = build_console(["a"], chain=["gain"], master=())
    file, sources = tmp_path / "report.html", stems(1, 3.0)
    sizes = []
    for options in ({}, {"most_bytes": 500_000}):
        write_report(file, G, sources, RATE, target=0.5 * sources[0], **options)
        sizes.append(file.stat().st_size)
    assert sizes[1] <= 500_000 < sizes[0]
    before = file.read_bytes()
    for wrong in (-1, 5e5, "1 MB", True):
        with pytest.raises(SearchError, match="most_bytes is"):
            write_report(file, G, sources, RATE, most_bytes=wrong)
    with pytest.raises(AudioError, match="fit into"):
        write_report(file, G, sources, RATE, most_bytes=1000)
    assert file.read_bytes() == before


# The file


def test_the_page_is_written_whole(tmp_path):
    G, _ = graph_of(library.StereoGain())
    file = tmp_path / "report.html"
    given = {"processors": {"p": library.StereoGain()}, "target": 0.5 * stems()[0], "names": [EVIL]}
    assert write_report(file, G, stems(), RATE, **given, title="A <b>title</b>") == file
    page = file.read_text(encoding="utf-8")
    assert "<b>title" not in page and 'alert("x")' not in page and G.nodes[0]["name"] == "voice"
    keys = set(re.findall(r'data-sound="([^"]+)"', page))
    assert {"mix", "target", "difference"} <= keys
    assert list(tmp_path.iterdir()) == [file] and len(page) < writing.OF_PAGE + 1_000_000
    before = file.read_bytes()
    write_report(file, G, stems(), RATE, **given, title="A <b>title</b>")
    assert file.read_bytes() == before


def test_a_failed_page_leaves_the_one_that_was_there(tmp_path, monkeypatch):
    G, _ = graph_of(library.StereoGain())
    file = tmp_path / "report.html"
    file.write_text("before")
    import grafx.report.page

    def broken(model, sounds):
        raise MemoryError

    monkeypatch.setattr(grafx.report.page, "page_html", broken)
    with pytest.raises(MemoryError):
        write_report(file, G, stems(), RATE, {"p": library.StereoGain()})
    assert file.read_text() == "before" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"file": "report.txt"}, SearchError, "html"),
        ({"file": "none/report.html"}, OSError, "folder"),
        ({"G": "graph"}, GraphError, "GRAFX"),
        ({"sources": stems(2)}, AudioError, "sources"),
        ({"sample_rate": 0.5}, AudioError, "sample_rate"),
        ({"target": stems()}, AudioError, "target"),
        ({"sources": 1e19 * stems()}, AudioError, "full scale"),
        ({"processors": {}}, RenderError, "processor"),
        ({"names": ["a", "b"]}, SearchError, "names"),
        ({"names": "a"}, SearchError, "names"),
        ({"names": {77: "a"}}, SearchError, "77"),
        ({"metrics": []}, SearchError, "metrics"),
        ({"metrics": {"nodes": [3]}}, SearchError, "metrics"),
        ({"metrics": {"nodes": 3}}, SearchError, "metrics"),
        ({"metrics": {"chains": [3]}}, SearchError, "metrics"),
        ({"metrics": {"console": 3, "rounds": 3}}, SearchError, "metrics"),
        ({"truth": ["drums"]}, SearchError, "ground truth"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_heard(tmp_path, monkeypatch, change, error, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hearing, "played", lambda *_: pytest.fail("it was heard"))
    G, _ = graph_of(library.StereoGain())
    given = {
        "file": "report.html",
        "G": G,
        "sources": stems(),
        "sample_rate": RATE,
        "processors": {"p": library.StereoGain()},
    }
    with pytest.raises(error, match=words):
        write_report(**{**given, **change})
    assert not list(tmp_path.iterdir())


def test_more_nodes_than_a_page_holds_are_refused(tmp_path):
    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain(["in", *["gain"] * writing.MOST_NODES, "out"])
    with pytest.raises(GraphError, match="to_html"):
        write_report(tmp_path / "report.html", G, stems(), RATE)


def test_chains_are_told_also_where_no_search_has():
    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain(["in", "gain", "out"])
    (gain,) = (node for node, data in G.nodes(data=True) if data["node_type"] == "gain")
    G.nodes[gain].update(owner="drums", parameters={"left_gain_db": -3.0, "right_gain_db": -6.0})
    model, _ = report_of(G, stems(), truth={"drums": ["gain"], "bass": ["eq"]})
    assert model["chains"] == {"drums": ["gain left gain −3 dB, right gain −6 dB"]}
