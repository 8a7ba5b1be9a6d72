"""Spectrograms, losses, the story of a search, and the ground truth."""

import base64
import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import SearchError
from grafx.report import hear, losses, read_truth
from grafx.report.losses import losses_of
from grafx.report.spectrogram import ROWS, highest, spectrogram, spectrograms
from grafx.report.story import story_of
from grafx.report.truth import truth_texts
from grafx.search.mixing.loss import MatchLoss

RATE = 44100


def sine(hertz, seconds=2.0, rate=RATE, channels=2):
    times = torch.arange(int(seconds * rate), dtype=torch.float64) / rate
    return torch.sin(2 * math.pi * hertz * times).float().expand(channels, -1)


def noise(seconds=2.0, seed=0):
    return 0.1 * torch.randn(2, int(seconds * RATE), generator=torch.Generator().manual_seed(seed))


# Spectrograms


@pytest.mark.parametrize("hertz", [100, 1000, 9000])
@pytest.mark.parametrize("rate", [RATE, 16000])
def test_a_sine_is_a_line_at_its_frequency(hertz, rate):
    if hertz > rate / 2:
        return
    levels = spectrogram(sine(hertz, rate=rate), rate)
    row = levels.median(-1).values.argmax().item()
    edges = np.geomspace(30, highest(rate), ROWS + 1)
    width = 15 / hertz  # the main lobe of frames of 80 ms
    assert edges[row] / (1.03 + width) <= hertz <= edges[row + 1] * (1.03 + width)
    power = (10 ** (levels / 10)).sum(0).median()
    assert 10 * torch.log10(power).item() == pytest.approx(-3.01, abs=0.2)


def test_a_picture_has_the_levels_in_its_colours():
    quiet = torch.cat([sine(1000, 1.0), 0.1 * sine(1000, 1.0)], -1)
    found = spectrograms(quiet, 2 * quiet, RATE)
    assert set(found) == {"mix", "target", "difference"}
    for name, one in found.items():
        image = Image.open(io.BytesIO(base64.b64decode(one["src"].removeprefix("data:image/png;base64,"))))
        assert image.mode == "P" and image.size == (spectrogram(quiet, RATE).shape[1], ROWS)
        values = one["low_db"] + np.asarray(image)[::-1] / 255 * (one["high_db"] - one["low_db"])
        step = (one["high_db"] - one["low_db"]) / 255
        levels = spectrogram(quiet, RATE).clamp(one["low_db"], one["high_db"]).numpy()
        if name == "mix":
            assert np.abs(values - levels).max() <= 0.51 * step and one["map"] == "magma"
        if name == "difference":
            loud = spectrogram(quiet, RATE).numpy() > found["mix"]["low_db"] + 10
            assert np.abs(values[loud] + 6.02).max() < step
        assert one["scale"] == "log" and one["seconds"] == 2 and len(one["src"]) < 150_000
    assert found["mix"]["high_db"] == found["target"]["high_db"]
    assert spectrograms(quiet, 2 * quiet, RATE) == found


@pytest.mark.parametrize("length", [1, 100, 5000, 40 * 16000])
def test_sounds_of_any_length_have_a_picture(length):
    found = spectrograms(torch.zeros(1, length), None, 16000)
    assert set(found) == {"mix"} and len(found["mix"]["src"]) < 3000


# Losses


def heard_of(sources, target, gain_db=0.0):
    G = GRAFX(config=NodeConfigs(["gain"]))
    stems = [G.add("in") for _ in sources]
    gain = G.add("gain", parameters={"left_gain_db": gain_db, "right_gain_db": gain_db})
    out = G.add("out")
    for stem in stems:
        G.connect(stem, gain)
    G.connect(gain, out)
    return hear(G, sources, RATE, target=target)


def test_the_losses_of_the_whole_are_match_losses():
    sources = torch.stack([noise(), noise(seed=1)])
    target = sources.sum(0) * 0.5
    found = losses_of(heard_of(sources, target, -3.0))
    loss = MatchLoss(RATE)
    assert found["found"] == pytest.approx(loss(10 ** (-3 / 20) * sources.sum(0), target).item(), rel=1e-4)
    assert found["plain"] == pytest.approx(loss(sources.sum(0), target).item(), rel=1e-4)
    assert found["console"] is None
    told = {"found_loss": 0.25, "plain_loss": 3.0, "console_loss": 0.2}
    assert [losses_of(heard_of(sources, target), told)[name] for name in ("found", "plain", "console")] == [
        0.25,
        3,
        0.2,
    ]


def test_bands_and_times_tell_where_it_differs_in_decibels():
    sources = noise()[None]
    found = losses_of(heard_of(sources, sources[0], -4.0))
    assert np.allclose(found["bands"]["values"], 4, atol=0.01) and np.allclose(found["time"]["values"], 4, atol=0.01)
    assert np.allclose(found["bands"]["plain"], 0, atol=1e-3) and found["unit"] == "dB"
    later = sources[0].clone()
    later[:, RATE:] *= 2
    found = losses_of(heard_of(sources, later))
    seconds, values = np.array(found["time"]["seconds"]), np.array(found["time"]["values"])
    assert np.allclose(values[seconds < 0.9], 0, atol=0.01) and np.allclose(values[seconds > 1.1], 6.02, atol=0.01)
    assert len(values) <= 301 and seconds[-1] <= 2
    high = sources[0] + 3 * (sine(8000) + sine(8000, 2.0) * 0)
    found = losses_of(heard_of(sources, high))
    bands = np.array(found["bands"]["values"])
    assert found["bands"]["hz"][int(bands.argmax())] == pytest.approx(8000, rel=0.1)
    assert len(bands) == len(found["bands"]["hz"]) == 64


@pytest.mark.parametrize("piece", [2**14, 2**15])
def test_long_songs_are_compared_in_pieces(monkeypatch, piece):
    sources = noise()[None]
    whole = losses_of(heard_of(sources, noise(seed=2)))
    monkeypatch.setattr(losses, "PIECE", piece)
    parts = losses_of(heard_of(sources, noise(seed=2)))
    assert len(parts["time"]["values"]) == len(whole["time"]["values"])
    assert np.allclose(parts["bands"]["values"], whole["bands"]["values"], rtol=0.2)
    assert np.mean(np.isclose(parts["time"]["values"], whole["time"]["values"], rtol=1e-4)) > 0.7


def test_without_a_target_there_are_no_losses():
    assert losses_of(heard_of(noise()[None], None)) is None
    assert losses_of(heard_of(noise(0.01)[None], noise(0.01))) is None
    assert losses_of(heard_of(noise()[None], torch.zeros(2, 2 * RATE))) is None


def test_mono_is_compared_on_both_channels():
    found = losses_of(heard_of(noise()[None], noise()[:1]))
    json.dumps(found, allow_nan=False)
    assert max(found["bands"]["values"]) > 0


# The story

METRICS = {
    "plain_loss": 3.0,
    "found_step": 40,
    "console": {
        "nodes": [
            {"id": 0, "type": "in", "owner": None, "name": "drums"},
            {"id": 1, "type": "eq", "owner": "drums", "name": None},
            {"id": 2, "type": "gain", "owner": "drums", "name": None},
            {"id": 3, "type": "out", "owner": None, "name": "mix"},
        ],
        "edges": [[0, 1, "main", "main"], [1, 2, "main", "main"], [2, 3, "main", "main"]],
    },
    "rounds": [
        {"round": 0, "step": 20, "loss": 0.5, "left": [1, 2]},
        {"round": 1, "step": 30, "loss": 0.9, "left": []},
        {"round": 2, "step": 40, "loss": 0.4, "left": [2]},
    ],
}


def test_the_rounds_tell_what_went():
    story = story_of(METRICS, lambda G: sorted(G.edges(data="inlet")))
    assert story["picture"] == [(0, 1, "main"), (1, 2, "main"), (2, 3, "main")] and story["plain_loss"] == 3
    assert [one["removed"] for one in story["rounds"]] == [[], [1, 2], []]
    assert [one["left"] for one in story["rounds"]] == [[1, 2], [], [2]]
    assert [one["chosen"] for one in story["rounds"]] == [False, False, True]
    assert [one["processors"] for one in story["rounds"]] == [2, 0, 1]


@pytest.mark.parametrize("metrics", [None, {}, {"history": []}, {"console": METRICS["console"]}])
def test_earlier_metrics_have_no_story(metrics):
    assert story_of(metrics, lambda G: None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"rounds": [{"round": 1}]},
        {"rounds": [{"round": 0, "step": 1, "loss": 1.0, "left": [7]}]},
        {"console": {"nodes": [{"id": 0}], "edges": []}},
        {"console": {"nodes": [], "edges": [[0, 1, "main", "main"]]}},
        {"console": "none"},
        {"rounds": 3},
    ],
)
def test_metrics_of_another_form_are_refused(change):
    with pytest.raises(SearchError, match="metrics"):
        story_of({**METRICS, **change}, lambda G: None)


# The ground truth


def test_texts_are_taken_as_they_are():
    truth = {"drums": ["compressor over -24 dB", "<b>"], "master": []}
    assert truth_texts(truth) == truth and truth_texts(None) is None


def test_processors_are_put_in_words(tmp_path):
    truth = {
        "chains": {
            "bass": [
                {"kind": "compressor", "plugin": "Compressor", "threshold_db": -30.9, "ratio": 4.42, "attack_ms": 16.1},
                {"kind": "gain", "plugin": "pan", "p": 0.25, "note": "left", "on": True, "bands": [1, 2.5]},
            ],
            "drums": ["as they are"],
        },
        "master": [{"type": "eq", "cutoff_frequency_hz": 8000}],
        "seed": 3,
    }
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(truth), encoding="utf-8")
    assert read_truth(file) == truth_texts(truth)
    assert truth_texts(truth) == {
        "bass": [
            "compressor threshold −30.9 dB, ratio 4.42, attack 16.1 ms",
            "gain (pan) p 0.25, note left, on true, bands 1, 2.5",
        ],
        "drums": ["as they are"],
        "master": ["eq cutoff frequency 8000 Hz"],
    }


@pytest.mark.parametrize(
    "truth, words",
    [
        ([], "ground truth"),
        ("drums", "ground truth"),
        ({"drums": "compressor"}, "'drums'"),
        ({"drums": {"kind": "eq"}}, "'drums'"),
        ({"drums": 3}, "'drums'"),
        ({"drums": ["a", 3]}, "place 1"),
        ({"chains": {"drums": [{"ratio": 3}]}}, "'drums'.*place 0"),
        ({"chains": {}, "master": [None]}, "'master'"),
    ],
)
def test_a_truth_of_another_form_is_refused(truth, words):
    with pytest.raises(SearchError, match=f"(?s){words}.*kind"):
        truth_texts(truth)


def test_a_file_that_is_no_truth_is_named(tmp_path):
    for content in ("{", "[]", "null", '{"drums": 3}', "NaN", "\udcff"):
        file = tmp_path / "truth.json"
        file.write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(SearchError, match=r"truth\.json"):
            read_truth(file)
    with pytest.raises(OSError):
        read_truth(tmp_path / "none.json")
