"""Results of many songs on the command line: ``status``, ``collect`` and ``prior``, and real searches."""

import json
import shutil

import pytest
from song_runs import write_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("many") / "runs")


def test_status(cli, runs):
    result = cli.run("songs", "status", runs)
    assert result.exit_code == 0, result.output
    assert "2 of 4 songs are done; 1 wait; 1 failed." in result.stdout and "<b>damaged</b>" in result.stdout
    numbers = json.loads(cli.run("songs", "status", runs, "--json").stdout)
    assert numbers["songs"] == {"done": 2, "failed": 1, "running": 0, "waiting": 1}
    assert numbers["failed"][0]["name"] == "Song 2"


def test_collect(cli, runs, tmp_path):
    result = cli.run("songs", "collect", runs, "--out", tmp_path / "new" / "set")
    assert result.exit_code == 0, result.output
    assert "4 songs, 2 of them done, with 18 processors" in result.stdout
    files = {path.name for path in (tmp_path / "new" / "set").iterdir()}
    assert files == {"songs.parquet", "processors.parquet", "graphs.safetensors", "atlas.html"}
    before = cli.snapshot(tmp_path / "new" / "set")
    cli.run("songs", "collect", runs, "--out", tmp_path / "new" / "set")
    assert cli.snapshot(tmp_path / "new" / "set") == before  # the same bytes


def test_prior(cli, runs, tmp_path):
    result = cli.run("songs", "prior", runs, "--out", tmp_path / "mine.toml")
    assert result.exit_code == 0, result.output
    assert "4 kinds of processors" in result.stdout and 'name = "mine"' in (tmp_path / "mine.toml").read_text()
    cli.refused(cli.run("songs", "prior", runs, "--out", tmp_path / "mine.txt"), "should end in .toml.", status=2)


@pytest.mark.parametrize("command", ["status", "collect", "prior"])
def test_folders_without_searches(cli, tmp_path, command):
    (tmp_path / "empty").mkdir()
    cli.refused(cli.run("songs", command, tmp_path / "empty"), "holds no searches")
    assert not list((tmp_path / "empty").iterdir())
    cli.refused(cli.run("songs", command, tmp_path / "none"), f"{tmp_path / 'none'}: No such file")
    assert not (tmp_path / "none").exists()


def test_a_real_search(cli, searched, search_arguments, tmp_path):
    """What ``grafx search`` leaves is collected with what each processor is worth, and its prior starts the next."""
    shutil.copytree(searched.folder, tmp_path / "runs" / "one")
    result = cli.run("songs", "collect", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    parquet = pytest.importorskip("pyarrow.parquet")
    metrics = json.loads((searched.folder / "metrics.json").read_text())
    rows = parquet.read_table(tmp_path / "runs" / "processors.parquet").to_pylist()
    assert {(row["node"], row["kind"], row["owner"], row["drywet"], row["loss_without"]) for row in rows} == {
        (node["id"], node["type"], node["owner"], node["drywet_weight"], node["loss_without"])
        for node in metrics["nodes"]
    }
    (song,) = parquet.read_table(tmp_path / "runs" / "songs.parquet").to_pylist()
    assert len(song["console"]) == metrics["console_processors"] and len(rows) == metrics["found_processors"]
    assert "one/report.html" not in (tmp_path / "runs" / "atlas.html").read_text()  # made of its parts
    assert cli.run("songs", "prior", tmp_path / "runs", "--out", tmp_path / "p.toml").exit_code == 0
    result = cli.run(*search_arguments, tmp_path / "out", "--prior", tmp_path / "p.toml")
    assert result.exit_code == 0, result.output
