import json
import shutil

import pytest
import torch

from grafx.audio import read_audio
from grafx.cli.sources import find_sources
from grafx.errors import AudioError, GraphError
from grafx.search import render_mix


def test_the_audio_of_a_search_is_found(searched, material):
    sources = find_sources(searched.folder)
    mix, rate = read_audio(material.mix)
    assert sources.sample_rate == rate and torch.equal(sources.mix, mix)
    assert sources.names == [path.stem for path in material.stems]
    saved, _ = read_audio(searched.folder / "mix.wav")
    rendered = render_mix(sources.G, sources.stems, rate)
    assert (rendered - saved).abs().max() <= 1e-5 * saved.abs().max()


def test_other_audio_may_be_given(searched, material):
    given = find_sources(searched.folder / "graph.json", material.stems[::-1])
    assert given.mix is None
    assert torch.equal(given.stems, find_sources(searched.folder).stems)  # by their names
    with pytest.raises(AudioError, match="mixes"):
        find_sources(searched.folder, material.stems[:1])


def test_the_demo_keeps_its_audio_beside_the_graph(result_folder, material):
    (result_folder / "config.toml").unlink()
    with pytest.raises(AudioError, match="give the stems"):
        find_sources(result_folder)
    (result_folder / "audio").mkdir()
    for path in material.stems:
        shutil.copy(path, result_folder / "audio")
    with pytest.raises(AudioError, match="target"):
        find_sources(result_folder)
    shutil.copy(material.mix, result_folder / "audio" / "target.wav")
    sources = find_sources(result_folder)
    assert torch.equal(sources.mix, read_audio(material.mix)[0])


def test_audio_that_went_away_is_named(result_folder):
    text = (result_folder / "config.toml").read_text(encoding="utf-8")
    (result_folder / "config.toml").write_text(text.replace("mix.wav", "gone.wav"), encoding="utf-8")
    with pytest.raises(AudioError, match=r"gone\.wav.*--mix"):
        find_sources(result_folder)
    (result_folder / "config.toml").write_text("stems = 3", encoding="utf-8")
    with pytest.raises(AudioError, match="stems"):
        find_sources(result_folder)


def test_a_graph_of_other_processors_needs_them(result_folder):
    document = json.loads((result_folder / "graph.json").read_text(encoding="utf-8"))
    for node in document["nodes"]:
        if node["type"] == "gain":
            node["type"] = "mine"
    document["config"] = json.loads(json.dumps(document["config"]).replace('"gain"', '"mine"'))
    (result_folder / "graph.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(GraphError):
        find_sources(result_folder)
