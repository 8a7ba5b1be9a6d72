"""Lists of songs on the command line: ``scan`` and ``check``."""

import json
import shutil

import pytest


@pytest.fixture
def songs(tmp_path, material):
    """Two songs, in folders of their own."""
    for name in ("one", "two"):
        (tmp_path / "songs" / name).mkdir(parents=True)
        for path in (*material.stems, material.mix):
            shutil.copy(path, tmp_path / "songs" / name)
    return tmp_path / "songs"


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_what_is_scanned_can_be_searched(cli, songs, tmp_path, suffix):
    (songs / "three").mkdir()
    shutil.copy(songs / "one" / "kick.wav", songs / "three")
    result = cli.run("songs", "scan", songs, "--out", tmp_path / f"list.{suffix}")
    assert result.exit_code == 0, result.output
    assert "Found 2 songs with 4 stems" in result.stdout and "three has 1 audio file" in result.stderr
    result = cli.run("songs", "check", tmp_path / f"list.{suffix}")
    assert result.exit_code == 0 and "All songs can be searched" in result.stdout


def test_a_list_is_not_overwritten(cli, songs, tmp_path):
    out = tmp_path / "list.jsonl"
    out.write_text("mine")
    cli.refused(cli.run("songs", "scan", songs, "--out", out), "left as it is", status=2)
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("out", "words", "status"), [("list.txt", ".jsonl", 2), (".", "should end in", 2), ("no/list.jsonl", "", 1)]
)
def test_lists_that_cannot_be_written(cli, songs, tmp_path, out, words, status):
    result = cli.run("songs", "scan", songs, "--out", tmp_path / out)
    if status == 2:
        cli.refused(result, words, status=2)
    else:
        assert result.exit_code != 0 and "Traceback" not in result.output


def test_a_folder_without_songs(cli, tmp_path):
    cli.refused(cli.run("songs", "scan", tmp_path, "--out", tmp_path / "x.jsonl"), "has no songs")
    assert not (tmp_path / "x.jsonl").exists()
    cli.refused(cli.run("songs", "scan", tmp_path / "no", "--out", tmp_path / "x.jsonl"), "No such file")


def test_problems_are_listed_with_their_lines(cli, songs, tmp_path):
    lines = [
        {
            "name": "one",
            "mix": "songs/one/mix.wav",
            "stems": {"kick": "songs/one/kick.wav", "pad": "songs/one/pad.wav"},
        },
        {"name": "two", "mix": "songs/two/no.wav", "stems": {"kick": "songs/one/kick.wav"}, "x": 1},
    ]
    path = tmp_path / "list.jsonl"
    path.write_text("\n".join(map(json.dumps, [*lines, lines[0]])), encoding="utf-8")
    result = cli.run("songs", "check", path)
    assert result.exit_code == 1
    *found, last = result.stdout.splitlines()
    assert [line.split(":")[0] for line in found] == ["line 2, two", "line 2, two", "line 3, one"]
    assert last == "3 problems in 2 lines."
    cli.refused(cli.run("songs", "check", tmp_path / "no.jsonl"), "No such file")
