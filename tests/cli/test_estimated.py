"""Estimated graphs go through the commands for graphs of searches: their processors and their level are saved."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import soundfile
import torch

from grafx.cli.estimated import about_estimate
from grafx.data import GRAFX, save_grafx
from grafx.errors import GraphError
from grafx.estimate.prior import load_prior
from grafx.estimate.rendering import render_graphs

RATE, GAIN = 44100, 4.0


@pytest.fixture
def prior():
    return load_prior("drums")


@pytest.fixture
def dry():
    time = torch.arange(5001) / RATE
    noise = torch.randn(2, 5001, generator=torch.Generator().manual_seed(0))
    return 0.1 * noise * torch.exp(-30 * time)


@pytest.fixture
def folder(prior, tmp_path):
    """A plain processor, one that depends on the level, and one with a dry/wet control of its own."""
    G = GRAFX(config=prior.config)
    G.add_serial_chain(
        [
            "in",
            {"node_type": "compressor", "parameters": {"threshold_db": -30.0, "ratio": 8.0}},
            {"node_type": "bell", "parameters": {"gain_db": 9.0}},
            {"node_type": "echo", "parameters": {"time_ms": 20.0, "drywet": 0.4}},
            "out",
        ]
    )
    found = SimpleNamespace(probability=0.5, gain=GAIN)
    save_grafx(G, tmp_path / "found", metadata=about_estimate(SimpleNamespace(sample_rate=RATE, prior=prior), found))
    return tmp_path / "found", G


@pytest.fixture
def expected(folder, prior, dry):
    return render_graphs([folder[1]], [GAIN * dry[None]], prior.processors)[0] / GAIN


@pytest.mark.parametrize("options", [(), ("--block", 700), ("--tail",)])
def test_render(cli, folder, dry, expected, tmp_path, options):
    source = cli.write(tmp_path / "dry.wav", dry)
    result = cli.run("render", folder[0], source, "--out", tmp_path / "out.wav", *options)
    assert result.exit_code == 0, result.output
    sound = torch.from_numpy(soundfile.read(tmp_path / "out.wav", dtype="float32")[0].T)
    assert sound.shape[1] > 5001 if options == ("--tail",) else sound.shape[1] == 5001
    torch.testing.assert_close(sound[:, :5001], expected, atol=1e-6, rtol=1e-5)


def test_export(cli, folder, dry, expected, tmp_path):
    pytest.importorskip("pedalboard")
    source, script = cli.write(tmp_path / "dry.wav", dry), tmp_path / "mix.py"
    result = cli.run("export", folder[0], "--to", "pedalboard", "--out", script, "--stem", source, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {each["type"]: each["how"] for each in told["carried"]} == {
        "level": "exact",
        "compressor": "fitted",
        "bell": "exact",
        "echo": "rendered",
    }
    subprocess.run([sys.executable, script, source, tmp_path / "out.wav"], check=True, timeout=100)
    sound = torch.from_numpy(soundfile.read(tmp_path / "out.wav", dtype="float32")[0].T)
    away = 10 * ((sound - expected).square().sum() / expected.square().sum()).log10()
    assert away == pytest.approx(told["distance"]["db"], abs=0.5) and away < -15


@pytest.mark.parametrize("to", ["faust", "dawproject"])
def test_export_to_what_has_the_level_of_files(cli, folder, dry, expected, tmp_path, to):
    if to == "faust":
        pytest.importorskip("cyfaust")
    source, out = cli.write(tmp_path / "dry.wav", dry), tmp_path / f"mix.{'dsp' if to == 'faust' else to}"
    result = cli.run("export", folder[0], "--to", to, "--out", out, "--stem", source, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["distance"]["db"] < -80
    if to == "dawproject":
        assert cli.run("import", out, "--out", tmp_path / "again").exit_code == 0
        audio = sorted((tmp_path / "again" / "audio").iterdir())
        assert cli.run("render", tmp_path / "again", *audio, "--out", tmp_path / "again.wav").exit_code == 0
        sound = torch.from_numpy(soundfile.read(tmp_path / "again.wav", dtype="float32")[0].T)
        torch.testing.assert_close(sound[:, :5001], expected, atol=1e-4, rtol=1e-3)
    else:
        assert [each["how"] for each in told["carried"]] == ["exact"] * 5


def test_report(cli, folder, dry, expected, tmp_path):
    files = [cli.write(tmp_path / f"{name}.wav", signal) for name, signal in (("dry", dry), ("mix", expected))]
    result = cli.run("report", folder[0], files[0], "--mix", files[1], "--out", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert "echo" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_open_edit_save_and_render(cli, folder, dry, expected, tmp_path):
    pytest.importorskip("uvicorn")
    from grafx.cli.open import desk_of

    source = cli.write(tmp_path / "dry.wav", dry)
    desk = desk_of(folder[0], [source], None)
    torch.testing.assert_close(desk.heard.mix, GAIN * expected, atol=1e-5, rtol=1e-4)
    nodes = {data["node_type"]: node for node, data in desk.session.G.nodes(data=True)}
    with pytest.raises(GraphError, match="dry/wet control of its own"):
        desk.edit({"op": "bypass", "node": nodes["echo"], "on": True})
    desk.edit({"op": "bypass", "node": nodes["bell"], "on": True})
    heard = desk.heard.mix / GAIN
    assert (heard - expected).abs().max() > 1e-3
    saved = desk.save()["saved"]
    result = cli.run("render", saved, source, "--out", tmp_path / "out.wav")
    assert result.exit_code == 0, result.output
    sound = torch.from_numpy(soundfile.read(tmp_path / "out.wav", dtype="float32")[0].T)
    torch.testing.assert_close(sound, heard, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prior": None}, "prior"),
        ({"prior": {"name": "x"}}, "prior"),
        ({"gain": 0}, "gain"),
        ({"gain": "loud"}, "gain"),
        ({"sample_rate": -1}, "mixing graph"),
        ({"kind": "something"}, "mixing graph"),
    ],
)
def test_what_is_damaged_is_said(cli, folder, dry, tmp_path, change, words):
    path = folder[0] / "graph.json"
    saved = json.loads(path.read_text())
    saved["metadata"].update(change)
    path.write_text(json.dumps(saved))
    source = cli.write(tmp_path / "dry.wav", dry)
    result = cli.run("render", folder[0], source, "--out", tmp_path / "out.wav")
    cli.refused(result, words)


def test_a_bypassed_node_with_a_control_of_its_own(cli, folder, dry, tmp_path):
    path = folder[0] / "graph.json"
    saved = json.loads(path.read_text())
    (echo,) = [node for node in saved["nodes"] if node["type"] == "echo"]
    echo["attributes"] = {"bypass": True}
    path.write_text(json.dumps(saved))
    result = cli.run("render", folder[0], cli.write(tmp_path / "dry.wav", dry), "--out", tmp_path / "out.wav")
    cli.refused(result, "control of its own")
