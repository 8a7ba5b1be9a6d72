"""What the guide says of many songs is so."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from grafx.search.songs import read_manifest
from grafx.search.songs.collect import collect_songs

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "songs.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_line_of_a_list_is_one(tmp_path):
    (line,) = blocks("json")
    (tmp_path / "songs.jsonl").write_text(line)
    (song,) = read_manifest(tmp_path / "songs.jsonl")
    assert song.name == json.loads(line)["name"] and song.groups == {"rhythm": ("drums", "bass")}


@pytest.mark.parametrize(("library", "number"), [("pandas", 0), ("torch_geometric", 1)])
def test_code_reads_what_was_collected(runs, tmp_path, monkeypatch, library, number):
    pytest.importorskip(library)
    collect_songs(runs, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    exec(blocks("python")[number], {})


def test_workers_have_the_resource_that_the_guide_names():
    pytest.importorskip("distributed")
    from grafx.search.songs.cluster import GPU

    assert f"--resources {GPU}=1" in GUIDE
