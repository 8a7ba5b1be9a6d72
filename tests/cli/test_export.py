"""``grafx export`` and ``grafx import``."""

import csv
import json
import subprocess
import sys

import pytest
import soundfile
import torch

from grafx.data import GRAFX, NodeConfigs, load_grafx, save_grafx
from grafx.exchange import FORMATS

BOARDS = """
import pedalboard as pb


def strip():
    return pb.Pedalboard([pb.Gain(-6), pb.PeakFilter(1000, 3, 1)])


def stems():
    return {"kick": pb.Pedalboard([pb.Delay(0.01, 0.2, 0.5)]), "pad": pb.Pedalboard([pb.Gain(-3)])}


def nothing():
    return 3


board = pb.Pedalboard([pb.Gain(1)])
"""


def test_settings_of_a_found_graph(cli, searched, tmp_path):
    result = cli.run("export", searched.folder, "--to", "csv", "--out", tmp_path / "new" / "graph.csv")
    assert result.exit_code == 0, result.output
    assert f"Wrote {tmp_path / 'new' / 'graph.csv'}." in result.stdout
    G = load_grafx(searched.folder)[0]
    rows = list(csv.DictReader((tmp_path / "new" / "graph.csv").open(encoding="utf-8")))
    assert {int(row["node"]) for row in rows} == {
        i for i, d in G.nodes(data=True) if d["node_type"] not in ("mix", "out")
    }
    wet = {int(row["node"]): float(row["value"]) for row in rows if row["control"] == "wet"}
    assert wet == pytest.approx(
        {i: d["drywet_weight"] for i, d in G.nodes(data=True) if "drywet_weight" in d}, rel=1e-6
    )


@pytest.mark.parametrize("given", [False, True])
def test_a_found_graph_as_a_script_mixes_its_stems(cli, searched, material, tmp_path, given):
    pytest.importorskip("pedalboard")
    stems = [f"--stem={stem}" for stem in reversed(material.stems)] if given else []
    script = tmp_path / "mix.py"
    result = cli.run("export", searched.folder, "--to", "pedalboard", "--out", script, *stems, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["files"][0] == str(script)
    G = load_grafx(searched.folder)[0]
    assert [each["node"] for each in told["carried"]] == [i for i, d in G.nodes(data=True) if "drywet_weight" in d]
    assert told["distance"]["match_loss"] >= 0
    subprocess.run([sys.executable, script, *map(str, material.stems), tmp_path / "out.wav"], check=True, timeout=100)
    ours, _ = soundfile.read(searched.folder / "mix.wav")
    theirs, _ = soundfile.read(tmp_path / "out.wav")
    away = 10 * torch.tensor(((ours - theirs[: len(ours)]) ** 2).sum() / (ours**2).sum()).log10()
    assert away == pytest.approx(told["distance"]["db"], abs=0.5)


def save_chain(folder, node_type, metadata=None, **parameters):
    G = GRAFX(config=NodeConfigs([node_type]))
    G.add_serial_chain([{"node_type": "in", "name": "kick"}, {"node_type": node_type, "parameters": parameters}, "out"])
    save_grafx(G, folder, metadata=metadata or {})


def test_a_graph_made_by_hand_is_fitted_on_noise(cli, tmp_path):
    pytest.importorskip("pedalboard")
    save_chain(tmp_path / "graph", "LowPassFilter", frequency_hz=500)
    result = cli.run("export", tmp_path / "graph" / "graph.json", "--to", "pedalboard", "--out", tmp_path / "mix.py")
    assert result.exit_code == 0, result.output
    assert "noise" in result.stderr and "44100 Hz" in result.stderr
    said = " ".join(result.stdout.split())
    assert "2 LowpassFilter, PeakFilter" in said and "What was carried over" in said and "The whole differs by" in said


def test_formats_and_files_are_checked_before_any_work(cli, searched, tmp_path):
    def refused(*words, to="csv", out="graph.csv", status=2, folder=searched.folder, more=()):
        result = cli.run("export", folder, "--to", to, "--out", tmp_path / out, *more)
        cli.refused(result, *words, status=status)

    refused("'midi'", *FORMATS, to="midi")
    refused(".csv", out="graph.txt")
    refused("graph.json", "does not exist", folder=tmp_path / "none", status=1)
    refused("--responses is for pedalboard", more=["--responses"])
    refused("no module nowhere", more=["--processors", "nowhere:make"], status=2)
    assert not list(tmp_path.iterdir())


def test_wrong_stems_are_refused(cli, searched, material, tmp_path):
    pytest.importorskip("pedalboard")
    arguments = ["export", searched.folder, "--to", "pedalboard", "--out", tmp_path / "mix.py"]
    cli.refused(cli.run(*arguments, "--stem", material.stems[0]), "2 stems (kick, pad)", "1 were given")
    cli.refused(cli.run(*arguments, "--stem", tmp_path / "no.wav", "--stem", material.stems[0]), "no.wav")
    assert not list(tmp_path.iterdir())


def test_a_node_that_cannot_be_carried_over_is_named(cli, tmp_path):
    pytest.importorskip("pedalboard")
    save_chain(tmp_path / "graph", "Tremolo")
    result = cli.run("export", tmp_path / "graph", "--to", "pedalboard", "--out", tmp_path / "mix.py")
    cli.refused(result, "Node 1 of type 'Tremolo'", "bypass")
    assert not (tmp_path / "mix.py").exists()


def test_a_project_without_stems_is_refused_with_the_remedy(cli, tmp_path):
    save_chain(tmp_path / "graph", "gain")
    result = cli.run("export", tmp_path / "graph", "--to", "dawproject", "--out", tmp_path / "a.dawproject")
    cli.refused(result, "holds the sound of the inputs", "give the stems")
    assert "noise" not in result.stderr and not (tmp_path / "a.dawproject").exists()


def test_settings_of_an_inversion(cli, tmp_path):
    """The synthesizer that they set, at the level of the sound that was inverted."""
    from grafx.processors import KickSynth

    said = {"synth": "kick", "settings": {}, "sample_rate": 44100, "lead": 0, "num_samples": 4000, "gain": 0.5}
    (tmp_path / "kick").mkdir()
    (tmp_path / "kick" / "settings.json").write_text(json.dumps(said))
    result = cli.run("export", tmp_path / "kick", "--to", "dawproject", "--out", tmp_path / "kick.dawproject", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["distance"]["db"] < -90
    assert cli.run("import", tmp_path / "kick.dawproject", "--out", tmp_path / "again").exit_code == 0
    audio = sorted((tmp_path / "again" / "audio").iterdir())
    assert cli.run("render", tmp_path / "again", *audio, "--out", tmp_path / "again.wav").exit_code == 0
    synth = KickSynth(use_modal=True, sample_rate=44100)
    with torch.no_grad():
        ours = 0.5 * synth(num_samples=4000, **synth.dsp_to_raw({}, 1))[0]
    theirs = torch.from_numpy(soundfile.read(tmp_path / "again.wav", dtype="float32")[0].T)
    torch.testing.assert_close(theirs, ours.expand(2, -1), atol=1e-5, rtol=1e-4)
    arguments = ["export", tmp_path / "kick", "--to", "csv", "--out", tmp_path / "kick.csv"]
    cli.refused(cli.run(*arguments, "--stem", audio[0]), "has no inputs", "leave them out")
    assert cli.run(*arguments).exit_code == 0 and "exponential" in (tmp_path / "kick.csv").read_text()
    cli.refused(
        cli.run("export", tmp_path / "kick", "--to", "faust", "--out", tmp_path / "kick.dsp"), "WhiteNoise", "stem"
    )
    assert not (tmp_path / "kick.dsp").exists()


def test_how_long_a_graph_without_inputs_plays(cli, tmp_path):
    G = GRAFX(config=NodeConfigs({"SineOscillator": {"inlets": []}}))
    G.connect(G.add("SineOscillator"), G.add("out"))
    save_grafx(G, tmp_path / "graph", metadata={"sample_rate": 44100})
    arguments = ["export", tmp_path / "graph", "--to", "dawproject", "--out", tmp_path / "a.dawproject"]
    cli.refused(cli.run(*arguments), "--seconds")
    assert not (tmp_path / "a.dawproject").exists()
    assert cli.run(*arguments, "--seconds", "0.25").exit_code == 0
    assert cli.run("import", tmp_path / "a.dawproject", "--out", tmp_path / "again").exit_code == 0
    (audio,) = (tmp_path / "again" / "audio").iterdir()
    assert soundfile.info(audio).frames == 11025
    csv_arguments = ["export", tmp_path / "graph", "--to", "csv", "--out", tmp_path / "a.csv", "--seconds", "1"]
    cli.refused(cli.run(*csv_arguments), "--seconds is for dawproject", status=2)


def test_imports_keep_graphs_that_are_there(cli, boards):
    assert cli.run("import", "my_boards:strip", "--out", "graph").exit_code == 0
    before = cli.snapshot(boards / "graph")
    cli.refused(cli.run("import", "my_boards:board", "--out", "graph"), "holds a graph already", "another folder")
    assert cli.snapshot(boards / "graph") == before


def test_without_the_package_the_extra_is_named(cli, searched, tmp_path):
    prelude = "import sys\nsys.modules['pedalboard'] = None"
    arguments = ["export", searched.folder, "--to", "pedalboard", "--out", tmp_path / "mix.py"]
    cli.refused(cli.run_elsewhere(*arguments, prelude=prelude), "pedalboard", "extra 'exchange'")


@pytest.fixture
def boards(tmp_path, monkeypatch):
    pytest.importorskip("pedalboard")
    (tmp_path / "my_boards.py").write_text(BOARDS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("my_boards", None)


@pytest.mark.parametrize("name, types", [("strip", ["gain", "PeakingFilter"]), ("board", ["gain"])])
def test_a_board_becomes_a_graph_that_renders(cli, boards, material, name, types):
    result = cli.run("import", f"my_boards:{name}", "--out", "graph")
    assert result.exit_code == 0, result.output
    assert "Wrote graph: " in result.stdout
    G = load_grafx(boards / "graph")[0]
    assert [d["node_type"] for _, d in sorted(G.nodes(data=True))] == ["in", *types, "out"]
    result = cli.run("render", "graph", material.stems[0], "--out", "out.wav")
    assert result.exit_code == 0, result.output
    ours, rate = soundfile.read("out.wav", dtype="float32")
    import my_boards

    made = getattr(my_boards, name)
    board = made() if name == "strip" else made
    theirs = board(soundfile.read(material.stems[0], dtype="float32")[0].T, rate)
    assert abs(ours.T - theirs).max() < 1e-4


def test_processors_that_a_console_lacks_are_named(cli, boards, material):
    assert cli.run("import", "my_boards:stems", "--out", "graph").exit_code == 0
    own = "grafx.exchange.pedalboard:counterparts"
    cli.refused(cli.run("render", "graph", *material.stems, "--out", "out.wav"), f"--processors {own}")
    result = cli.run("render", "graph", *material.stems, "--out", "out.wav", "--processors", own)
    assert result.exit_code == 0, result.output
    result = cli.run("export", "graph", "--to", "pedalboard", "--out", "mix.py", "--processors", own)
    assert result.exit_code == 0, result.output
    assert "Delay(delay_seconds=0.01, feedback=0.2, mix=0.5)" in (boards / "mix.py").read_text()


@pytest.mark.parametrize(
    "source, words, status",
    [
        ("my_boards:missing", ["my_boards", "missing"], 1),
        ("my_boards:nothing", ["int", "Pedalboard"], 1),
        ("no_such_module:board", ["no_such_module"], 1),
        ("graph.mid", ["graph.mid", "MODULE:FUNCTION"], 2),
    ],
)
def test_what_is_no_board_is_refused(cli, boards, source, words, status):
    cli.refused(cli.run("import", source, "--out", "graph"), *words, status=status)
    assert not (boards / "graph").exists()
