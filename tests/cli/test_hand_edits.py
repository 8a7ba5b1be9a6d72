"""graph.json in the hands of a person: what is changed there is heard, or refused with what to do."""

import json
import math

import pytest
import torch

from grafx.audio import read_audio
from grafx.data import GRAFX, save_grafx
from grafx.search import console_processors, render_mix
from grafx.search.mixing.mixer import Mixer

RATE = 44100
SETTINGS = {
    "eq": {"magnitude_db": 2.0},
    "gain": {"left_gain_db": -7.1378, "right_gain_db": -3.0},
    "compressor": {"threshold_db": -25.0, "ratio": 3.1},
    "reverb": {"decay_ms": 300.0},
    "delay": {"focus": 0.95},
}
CHAIN = ("eq", "gain", "compressor", "delay", "reverb")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two stems through all kinds of processors, saved as a search saves them."""
    folder = tmp_path_factory.mktemp("console")
    G = GRAFX()
    master = G.add("mix", name="master")
    for name in ("kick", "pad"):
        nodes = [{"node_type": kind, "parameters": SETTINGS[kind]} for kind in CHAIN]
        _, last = G.add_serial_chain([{"node_type": "in", "name": name}, *nodes])
        G.connect(last, master)
    G.connect(master, G.add("out"))
    G = Mixer(G).graph()
    for _, data in G.nodes(data=True):
        if data["node_type"] in SETTINGS:
            data.update(owner="kick", drywet_weight=0.9)
    G.forget_schedule()
    metadata = {"kind": "mixing graph", "sample_rate": RATE, "num_samples": 11025}
    save_grafx(G, folder, metadata=metadata)
    return folder


@pytest.fixture
def edited(written, cli, material, tmp_path):
    """Edits a copy of graph.json; ``render`` and ``draw`` run the commands on it."""

    class Edited:
        folder = tmp_path / "graph"
        path = folder / "graph.json"

        def __init__(self):
            self.folder.mkdir()
            for path in written.iterdir():
                (self.folder / path.name).write_bytes(path.read_bytes())
            self.document = json.loads(self.path.read_text())

        def node(self, kind, index=0):
            return [node for node in self.document["nodes"] if node["type"] == kind][index]

        def settings(self, kind):
            return self.node(kind)["attributes"]["settings"]

        def run(self, *options):
            self.path.write_text(json.dumps(self.document))
            return cli.run("render", self.folder, *material.stems, "--out", tmp_path / "a.wav", *options)

        def render(self, *options):
            result = self.run(*options)
            assert result.exit_code == 0, (result.output, result.exception)
            return read_audio(tmp_path / "a.wav")[0], result.stderr

        def refused(self, *words, command=None):
            result = self.run()
            cli.refused(result, *words)
            return result.stderr

        def draw(self, **options):
            self.path.write_text(json.dumps(self.document))
            return cli.run("draw", self.folder, "--out", tmp_path / "a.svg", "--above", "settings")

    return Edited()


def reference(cli, written, change):
    """The mix of the same graph, edited in Python by ``change(G)``, without files."""
    from grafx.data import load_grafx

    G, _, _ = load_grafx(written)
    change(G)
    return render_mix(G, cli.make_stems(), RATE)


def set_raw(kind, **settings):
    """Physical values through the controls, element by element; of the first node of a type."""

    def change(G):
        processor = console_processors()[kind]
        data = next(data for _, data in sorted(G.nodes(data=True)) if data["node_type"] == kind)
        raw = {name: value[None] for name, value in data["parameters"].items()}
        values = {**processor.raw_to_dsp(raw), **{k: torch.tensor(v) for k, v in settings.items()}}
        values = {k: v.expand(1, *processor.raw_to_dsp(raw)[k].shape[1:]) for k, v in values.items()}
        data["parameters"] = {name: v[0] for name, v in processor.values_to_raw(values, 1, torch.zeros(1)).items()}

    return change


def near(mix, other, tolerance=1e-4):
    return mix.shape == other.shape and (mix - other).norm() < tolerance * other.norm()


def test_untouched_it_is_as_before_and_nothing_is_said(cli, edited, written):
    mix, said = edited.render()
    assert near(mix, reference(cli, written, lambda G: None), 1e-6) and said == ""


EDITS = [
    ("gain", "left_gain_db", -40),
    ("gain", "left_gain_db", -7.2),
    ("gain", "right_gain_db", 6),
    ("compressor", "ratio", 20),
    ("compressor", "threshold_db", -45.5),
    ("compressor", "attack_ms", 90),
    ("reverb", "decay_ms", 2000),
    ("eq", "magnitude_db", -12),
]


@pytest.mark.parametrize("options", [[], ["--block", "3000"]], ids=["whole", "blocks"])
@pytest.mark.parametrize("kind, name, value", EDITS)
def test_an_edited_setting_counts_and_is_said(cli, edited, written, kind, name, value, options):
    edited.settings(kind)[name] = value
    node = edited.node(kind)["id"]
    mix, said = edited.render(*options)
    assert said.replace("\n", " ").count("Note: ") == 1
    assert f"Node {node} of type '{kind}'" in said and f"{name} {value:g}" in said and "in place of its tensors" in said
    expected = reference(cli, written, set_raw(kind, **{name: float(value)}))
    assert near(mix, expected, 1e-4)
    assert not near(mix, reference(cli, written, lambda G: None), 1e-4)
    assert edited.draw().exit_code == 0


def test_one_octave_of_a_spectrum(cli, edited, written):
    bands = edited.settings("eq")["magnitude_db"]
    bands["500 Hz"] = bands["500 Hz"] + 6
    mix, said = edited.render()
    assert "magnitude_db.500 Hz" in said

    def change(G):
        (eq, *_) = (data for _, data in sorted(G.nodes(data=True)) if data["node_type"] == "eq")
        hertz = torch.arange(1024) * RATE / 2047
        inside = (hertz > 500 / math.sqrt(2)) & (hertz < 500 * math.sqrt(2))
        eq["parameters"] = {"log_magnitude": eq["parameters"]["log_magnitude"] + inside * 6 * math.log(10) / 20}

    assert near(mix, reference(cli, written, change))


@pytest.mark.parametrize("where", ["settings", "parameters"])
@pytest.mark.parametrize(
    "kind, values, words",
    [
        ("gain", {"left_gain_db": 100}, ["left_gain_db is 100", "from -60 to 24 dB"]),
        ("gain", {"left_gain_db": "loud"}, ["left_gain_db must be a number", "'loud'"]),
        ("gain", {"left_gain_db": True}, ["left_gain_db must be a number", "True"]),
        ("gain", {"left_gain_db": None}, ["left_gain_db is null"]),
        ("gain", {"left_gain_db": [1, 2]}, ["left_gain_db has the shape (2,)"]),
        ("gain", {"left_gain_db": {"a": 1}}, ["left_gain_db must be a number"]),
        ("gain", {"left_gain_db": 10**400}, ["left_gain_db"]),
        ("gain", {"gain_db": 1}, ["no control 'gain_db'", "left_gain_db, right_gain_db"]),
        ("eq", {"magnitude_db": {"500 Hz": 99}}, ["magnitude_db is 99", "from -60 to 24 dB"]),
        ("eq", {"magnitude_db": {"440 Hz": 1}}, ["no octave '440 Hz'", "500 Hz"]),
        ("eq", {"magnitude_db": {"500 Hz": "x"}}, ["magnitude_db must be a number"]),
        ("delay", {"loudest_db": {"1 ms left": 0}}, ["loudest_db", "cannot be set", "delay_ms"]),
        ("compressor", {"ratio": 0.5}, ["ratio is 0.5", "from 1 to 20"]),
    ],
)
def test_what_cannot_be_set_is_refused(edited, where, kind, values, words):
    if where == "settings":
        edited.settings(kind).update(values)
    else:
        edited.node(kind)["parameters"] = values
    said = edited.refused(f"Node {edited.node(kind)['id']} of type '{kind}'", *words)
    assert "log_gain" not in said


def test_physical_parameters_beside_tensors_count(cli, edited, written):
    edited.node("gain")["parameters"] = {"left_gain_db": -40}
    mix, said = edited.render()
    assert "left_gain_db -40 (was -7.1378)" in said
    assert near(mix, reference(cli, written, set_raw("gain", left_gain_db=-40.0)))


def test_raw_values_as_numbers_are_refused(edited):
    edited.node("gain")["parameters"] = {"log_gain": [0, 0]}
    edited.refused("log_gain", "both a tensor and something else")


@pytest.mark.parametrize("bypass", [{"bypass": True}, {"drywet_weight": 0}])
@pytest.mark.parametrize("kind", ["gain", "eq", "reverb"])
def test_bypassing(cli, edited, written, bypass, kind):
    edited.node(kind)["attributes"].update(bypass)
    mix, said = edited.render()
    node = edited.node(kind)["id"]
    assert near(mix, reference(cli, written, lambda G: G.bypass(node))) and said == ""
    assert edited.draw().exit_code == 0
    edited.node(kind)["attributes"]["bypass"] = False
    edited.node(kind)["attributes"]["drywet_weight"] = 0.9
    assert near(edited.render()[0], reference(cli, written, lambda G: None))


@pytest.mark.parametrize(
    "kind, attributes, word",
    [
        ("gain", {"bypass": "yes"}, "true or false"),
        ("gain", {"bypass": 1}, "true or false"),
        ("gain", {"drywet_weight": True}, "from 0 to 1"),
        ("gain", {"drywet_weight": 2}, "from 0 to 1"),
        ("mix", {"bypass": True}, "no processor"),
        ("in", {"settings": {"gain_db": -3}}, "has no settings"),
    ],
)
def test_bypassing_as_it_is_not_meant(edited, kind, attributes, word):
    edited.node(kind).setdefault("attributes", {}).update(attributes)
    edited.refused(word)


def around(document, node):
    (before,) = [e for e in document["edges"] if e["dest"] == node]
    (after,) = [e for e in document["edges"] if e["source"] == node]
    return before, after


@pytest.mark.parametrize("kind", CHAIN)
def test_deleting_a_node_and_joining_its_ends(cli, edited, written, kind):
    node = edited.node(kind)["id"]
    before, after = around(edited.document, node)
    edited.document["nodes"].remove(edited.node(kind))
    edited.document["edges"].remove(after)
    before["dest"] = after["dest"]
    mix, said = edited.render()
    assert f"has no node {node} any more" in said
    assert near(mix, reference(cli, written, lambda G: G.bypass(node)))
    assert edited.draw().exit_code == 0


def test_deleting_a_node_and_not_its_edges(edited, cli):
    node = edited.node("gain")["id"]
    edited.document["nodes"].remove(edited.node("gain"))
    edited.refused(f"there is no node {node}", "delete this edge too, or lead it")
    cli.refused(edited.draw(), f"there is no node {node}")


def test_deleting_an_edge(cli, edited, written):
    node = edited.node("gain")["id"]
    _, after = around(edited.document, node)
    edited.document["edges"].remove(after)
    edited.refused(str(after["dest"]))
    assert edited.draw().exit_code == 0


def add(edited, kind, node_id=50, **attributes):
    (last,) = [e for e in edited.document["edges"] if e["dest"] == edited.node("out")["id"]]
    entry = {"id": node_id, "type": kind}
    edited.document["nodes"].append(entry | ({"attributes": attributes} if attributes else {}))
    edited.document["edges"].append({**last, "source": node_id})
    last["dest"] = node_id


@pytest.mark.parametrize("how", ["settings", "parameters"])
def test_adding_a_node(cli, edited, written, how):
    add(edited, "gain", settings={"left_gain_db": -6, "right_gain_db": -12})
    if how == "parameters":
        values = edited.document["nodes"][-1].pop("attributes")["settings"]
        edited.document["nodes"][-1]["parameters"] = values
    mix, said = edited.render()
    gains = 10 ** (torch.tensor([[-6.0], [-12.0]]) / 20)
    assert near(mix, gains * reference(cli, written, lambda G: None)) and said == ""
    assert edited.draw().exit_code == 0


def test_adding_a_node_without_settings(cli, edited, written):
    add(edited, "gain")
    assert near(edited.render()[0], reference(cli, written, lambda G: None))


def test_adding_a_node_in_the_place_of_a_deleted_id(cli, edited, written):
    """A new node gets no tensors of a node that was there."""
    node = edited.node("gain")["id"]
    edited.node("gain")["id"] = 77
    for edge in edited.document["edges"]:
        for end in ("source", "dest"):
            edge[end] = 77 if edge[end] == node else edge[end]
    mix, said = edited.render()
    assert near(mix, reference(cli, written, lambda G: None))  # from its settings
    assert f"no node {node} any more" in said


def test_changing_a_type(cli, edited, written):
    edited.node("gain")["type"] = "eq"
    edited.refused("log_gain", "of another type", "log_magnitude", "new id")
    node = edited.node("eq", 1)["id"]
    entry = next(n for n in edited.document["nodes"] if n["id"] == node)
    other = [n for n in edited.document["nodes"] if n["type"] == "eq" and "left_gain_db" in n["attributes"]["settings"]]
    (entry,) = other
    node, entry["id"] = entry["id"], 77
    for edge in edited.document["edges"]:
        for end in ("source", "dest"):
            edge[end] = 77 if edge[end] == node else edge[end]
    edited.refused("no control 'left_gain_db'", "magnitude_db")
    entry["attributes"]["settings"] = {"magnitude_db": -6}
    mix, _ = edited.render()

    def change(G):
        G.replace(node, "eq", parameters={"magnitude_db": -6.0})

    assert near(mix, reference(cli, written, change))


def test_swapping_two_nodes(cli, edited, written):
    """Exchange two nodes by their edges."""
    first, second = edited.node("gain")["id"], edited.node("compressor")["id"]
    (into, _), (middle, out) = around(edited.document, first), around(edited.document, second)
    assert middle["source"] == first
    into["dest"], middle["source"], middle["dest"], out["source"] = second, second, first, first

    def change(G):
        a, c = into["source"], out["dest"]
        for ends in ((a, first), (first, second), (second, c)):
            G.remove_edge(*ends)
        for ends in ((a, second), (second, first), (first, c)):
            G.connect(*ends)

    mix, said = edited.render()
    assert near(mix, reference(cli, written, change)) and said == ""


def test_names_and_the_order_of_lines_are_free(cli, edited, written):
    edited.document["nodes"].reverse()
    edited.document["edges"].reverse()
    edited.node("mix")["name"] = "the sum"
    edited.node("gain")["name"] = "fader"
    mix, said = edited.render()
    assert near(mix, reference(cli, written, lambda G: None)) and said == ""


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('"edges": [\n', '"edges": [ // cables\n', ["line", "JSON has no comments"]),
        ('"nodes": [\n', '"nodes": [ # all\n', ["line", "JSON has no comments"]),
        ('"inlet": "main"}\n ],', '"inlet": "main"},\n ],', ["line", "delete the comma"]),
        ('"format": "grafx",', "'format': 'grafx',", ["line", "double quotes"]),
        ('"format": "grafx",', '"format": "grafx"', ["line", "comma missing"]),
        ('"version": 2', '"version": 9', ["format version 9", "update grafx"]),
        ('{"id": 1,', '{"id": 0,', ["the id 0 is not a new number"]),
        ('{"id": 1,', '{"id": "one",', ["'id' is 'one'", "whole number"]),
        (
            '{"id": 1,',
            '{"id": 1, "settings": {"a": 1},',
            ["unknown entries ['settings']", "others go into 'attributes'"],
        ),
    ],
)
def test_text_that_is_not_meant(cli, edited, material, tmp_path, old, new, words):
    text = edited.path.read_text()
    assert old in text
    edited.path.write_text(text.replace(old, new, 1))
    for command, rest in (("render", material.stems), ("draw", [])):
        cli.refused(cli.run(command, edited.folder, *rest, "--out", tmp_path / "x.svg"), "graph.json", *words)


def test_a_mark_of_the_byte_order_and_other_ends_of_lines(cli, edited, material, tmp_path):
    text = edited.path.read_text()
    edited.path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    result = cli.run("render", edited.folder, *material.stems, "--out", tmp_path / "a.wav")
    assert result.exit_code == 0, result.output


def test_tensors_that_are_missing_or_of_another_graph(cli, edited, written):
    path = edited.folder / "parameters.safetensors"
    path.unlink()
    edited.refused("parameters.safetensors does not exist", "belongs beside graph.json")
    save_grafx(GRAFX(), edited.folder / "other")
    path.write_bytes((edited.folder / "other" / path.name).read_bytes())
    edited.refused("is not the file that graph.json beside it was saved with")
    edited.document["parameters_sha256"] = None
    edited.refused("loudest_db", "delete it")
    for node in edited.document["nodes"]:
        node.get("attributes", {}).get("settings", {}).pop("loudest_db", None)
    mix, said = edited.render()  # from settings alone
    assert mix.isfinite().all() and said == ""


def test_numbers_of_older_files_are_not_taken_for_edits(cli, edited, written):
    """Their ratios and times were not always those that are heard."""
    del edited.document["graph"]["settings_version"]
    edited.settings("compressor")["ratio"] = 1.51
    mix, said = edited.render()
    assert near(mix, reference(cli, written, lambda G: None)) and said == ""


def test_all_settings_at_once(cli, edited, written):
    for node in edited.document["nodes"]:
        if node["type"] == "gain":
            node["attributes"]["settings"] = {"left_gain_db": -60, "right_gain_db": -60}
            node["attributes"]["drywet_weight"] = 1
        if node["type"] == "compressor":
            node["attributes"]["bypass"] = True
    mix, said = edited.render()
    assert said.count("Note: ") == 2
    before = reference(cli, written, lambda G: None)
    assert 20 * math.log10(mix.norm() / before.norm()) < -35
