"""The console of one's own in the guide, in Python and on the command line."""

import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from grafx.audio import write_audio
from grafx.cli.main import app
from grafx.search import Options, Search

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "searching.md"
RATE = 44100


@pytest.fixture(scope="module")
def section():
    text = GUIDE.read_text(encoding="utf-8").partition("## A console of your own")[2].partition("\n## ")[0]
    found = {
        kind: re.search(rf"```{kind}[^\n]*\n(.*?)```", text, re.DOTALL) for kind in ("{code-cell}", "toml", "python")
    }
    blocks = {kind: match[1] for kind, match in found.items() if match}
    blocks["cell"] = blocks.pop("{code-cell}").partition("\n\n")[2]
    return blocks


def test_it_is_ten_lines_besides_the_processor(section):
    *_, console = section["cell"].partition("own = ")
    assert len(console.strip().splitlines()) <= 10 and len(section["toml"].strip().splitlines()) <= 10


def test_it_runs_in_python(section, stems, mix, capsys):
    names = {"torch": torch, "Options": Options, "Search": Search, "stems": stems, "mix": mix, "sample_rate": RATE}
    exec(section["cell"], names)
    assert names["search"].finished and "of 5 processors" in capsys.readouterr().out
    assert names["last"].phase == "tune"


def test_it_runs_from_a_file(section, stems, mix, tmp_path, monkeypatch):
    for name, signal in (("drums", stems[0]), ("bass", stems[1]), ("mix", mix)):
        write_audio(tmp_path / f"{name}.wav", signal, RATE)
    drive = section["cell"].partition("own = ")[0].replace("from grafx.search import build_console\n", "import torch\n")
    (tmp_path / "guide_studio.py").write_text(drive + section["python"])
    (tmp_path / "drive.toml").write_text(section["toml"].replace("studio:rack", "guide_studio:rack"))
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    result = CliRunner().invoke(app, ["search", "--config", str(tmp_path / "drive.toml"), "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    assert json.loads(result.stdout)["console_processors"] == 5
    folder, rendered = tmp_path / "found", tmp_path / "again.wav"
    monkeypatch.chdir(tmp_path)
    command = ["render", folder, "drums.wav", "bass.wav", "--processors", "guide_studio:rack", "--out", rendered]
    result = CliRunner().invoke(app, [str(word) for word in command])
    assert result.exit_code == 0 and rendered.exists(), result.output
