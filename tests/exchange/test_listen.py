"""Listening tests: equally loud, never clipped, anchors of the recommendation, pages of webMUSHRA."""

import math
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile
import torch
import yaml
from scipy.signal import freqz
from typer.testing import CliRunner

from grafx.cli.main import app
from grafx.data import GRAFX, NodeConfigs, save_grafx
from grafx.errors import AudioError, ExchangeError
from grafx.exchange.listening import ANCHORS, low_passed, write_listening_test
from grafx.search.loudness import loudness

RATE = 44100


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def noise(seed, seconds=2.0, level=0.1):
    generator = torch.Generator().manual_seed(seed)
    return level * torch.randn(2, round(seconds * RATE), generator=generator)


def read(path):
    signal, rate = soundfile.read(path, dtype="float32")
    return torch.from_numpy(signal.T), rate


@pytest.fixture
def material(tmp_path):
    """A reference, two mixes of other levels, and a folder of a search."""
    paths = SimpleNamespace(reference=tmp_path / "song.wav", soft=tmp_path / "soft.wav", loud=tmp_path / "loud.flac")
    soundfile.write(paths.reference, noise(0).T.numpy(), RATE, "FLOAT")
    soundfile.write(paths.soft, noise(1, level=0.01).T.numpy(), RATE, "FLOAT")
    soundfile.write(paths.loud, noise(2, level=0.2).T.numpy(), RATE)
    paths.found = tmp_path / "found"
    paths.found.mkdir()
    soundfile.write(paths.found / "mix.wav", noise(3, level=0.05).T.numpy(), RATE, "FLOAT")
    return paths


def test_pages(material, tmp_path):
    out = tmp_path / "mixes"
    sounds = material.soft, material.loud, material.found
    for page in ("one", "two", "one"):
        result = run("listen", *sounds, "--reference", material.reference, "--out", out, "--page", page, "--start", 0.5)
        assert result.exit_code == 0, result.output
    config = yaml.safe_load((out / "listen.yaml").read_text(encoding="utf-8"))
    volume, (word, *trials), finish = config["pages"]
    assert (volume["type"], word, finish["type"]) == ("volume", "random", "finish")
    assert [trial["id"] for trial in trials] == ["one", "two"]
    assert volume["stimulus"] == trials[0]["reference"] == "configs/mixes/audio/one/reference.wav"
    for trial in trials:
        assert trial["type"] == "mushra" and trial["strict"] is True and trial["randomize"] is True
        assert not trial["createAnchor35"] and not trial["createAnchor70"]
        assert list(trial["stimuli"]) == ["soft", "loud", "found", *ANCHORS]
        files = [trial["reference"], *trial["stimuli"].values()]
        sounds_of_page = {name: read(tmp_path / path.removeprefix("configs/")) for path in files for name in [path]}
        assert {(s.shape, rate) for s, rate in sounds_of_page.values()} == {((2, round(1.5 * RATE)), RATE)}
        levels = [loudness(sounds_of_page[path][0], RATE) for path in files[:4]]
        assert max(levels) - min(levels) < 0.01
        assert max(float(s.abs().max()) for s, _ in sounds_of_page.values()) <= 10 ** (-1 / 20) + 1e-4
        excerpt = noise(0)[:, RATE // 2 :]
        one = sounds_of_page[files[0]][0]
        torch.testing.assert_close(one / one.abs().max(), excerpt / excerpt.abs().max(), atol=1e-5, rtol=1e-3)


def test_nothing_clips(tmp_path):
    """What would clip takes all down with it, so that they stay equally loud."""
    peaky = torch.zeros(2, RATE)
    peaky[:, ::4410] = 0.9
    sounds = {"peaky": peaky, "noise": noise(1, 1.0)}
    found = write_listening_test(sounds, noise(0, 1.0, 0.3), RATE, tmp_path)
    signals = {each.name: read(each.path)[0] for each in found}
    assert max(float(s.abs().max()) for s in signals.values()) == pytest.approx(10 ** (-1 / 20), abs=1e-4)
    levels = [loudness(signals[name], RATE) for name in ("reference", "peaky", "noise")]
    assert max(levels) - min(levels) < 0.01
    assert found[0].gain_db < -5


@pytest.mark.parametrize("hertz", ANCHORS.values())
@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_anchors(hertz, rate):
    """Ripple and attenuation of BS.1534-3: 0.1 dB up to 3.5 kHz, 25 dB from 4 kHz and 50 dB from 4.5 kHz on."""
    impulse = torch.zeros(1, 2**14)
    impulse[0, 2**13] = 1
    taps = low_passed(impulse, hertz, rate)[0].numpy()
    f, response = freqz(taps, worN=2**15, fs=rate)
    db = 20 * np.log10(np.abs(response) + 1e-12)
    assert np.abs(db[f <= hertz]).max() < 0.1
    assert db[f >= hertz * 4 / 3.5].max() < -25 and db[f >= hertz * 4.5 / 3.5].max() < -50
    assert taps.argmax() == 2**13  # not late


def test_graphs_are_rendered(material, tmp_path):
    """A folder without a mix, or with stems given: what its graph makes of them."""
    G = GRAFX(config=NodeConfigs(["gain"]))
    source, gain = G.add("in", name="song"), G.add("gain", {"left_gain_db": -60.0, "right_gain_db": 0.0})
    G.connect(source, gain)
    G.connect(gain, G.add("out"))
    save_grafx(G, material.found, metadata={"kind": "mixing graph", "sample_rate": RATE})
    out = tmp_path / "test"
    result = run(
        "listen", material.found, "--reference", material.reference, "--out", out, "--stem", material.reference
    )
    assert result.exit_code == 0, result.output
    left, right = read(out / "audio" / "song" / "found.wav")[0].abs().amax(-1)
    assert left < 2e-3 * right


def test_lengths_rates_and_names(material, tmp_path):
    """Another rate is converted, the shortest decides, names differ from each other and from those of the test."""
    other = tmp_path / "other" / "reference.wav"
    other.parent.mkdir()
    soundfile.write(other, noise(4, 1.5).T.numpy()[:, 0], 48000)
    again = tmp_path / "other" / "soft.wav"
    soundfile.write(again, noise(5, 1.0).T.numpy(), RATE)
    out = tmp_path / "test"
    result = run("listen", other, material.soft, again, "--reference", material.reference, "--out", out)
    assert result.exit_code == 0, result.output
    assert "in common, from 0 s to 1 s" in result.stderr and "48000 to 44100" in result.stderr
    files = sorted(path.stem for path in (out / "audio" / "song").iterdir())
    assert files == sorted(["reference", "reference-sound", "soft", "soft-2", *ANCHORS])
    assert {read(path)[0].shape for path in (out / "audio" / "song").iterdir()} == {(2, RATE)}


def test_mixes_of_excerpts(material, tmp_path):
    """The mix of a search of an excerpt lies where the excerpt is in the song, and so does what is asked for."""
    song = noise(0)
    soundfile.write(material.found / "mix.wav", song[:, RATE // 2 : RATE + RATE // 2].T.numpy(), RATE, "FLOAT")
    audio = f'stems = ["{material.soft.as_posix()}"]\nmix = "{material.reference.as_posix()}"\n'
    (material.found / "config.toml").write_text(audio + "start = 0.5\nend = 1.5\n")
    for page, span, seconds in (("all", (), (0.5, 1.5)), ("part", ("--start", 0.75, "--end", 1.25), (0.75, 1.25))):
        arguments = material.found, material.soft, "--reference", material.reference, "--out", tmp_path / "test"
        result = run("listen", *arguments, "--page", page, *span)
        assert result.exit_code == 0, result.output
        files = {name: read(tmp_path / "test" / "audio" / page / f"{name}.wav")[0] for name in ("reference", "found")}
        first, last = (round(second * RATE) for second in seconds)
        for sound in files.values():
            torch.testing.assert_close(sound, song[:, first:last], atol=1e-4, rtol=0)
    result = run("listen", *arguments, "--start", 0.25)
    assert result.exit_code == 1 and "what all have is from 0.5 s to 1.5 s" in result.stderr


def test_names_are_addresses_and_markup(material, tmp_path):
    """webMUSHRA takes paths as addresses, and writes names into HTML."""
    named = tmp_path / "it's #1 100% & über.wav"
    material.soft.rename(named)
    out = tmp_path / "tests #2 ü"
    result = run("listen", named, "--reference", material.reference, "--out", out, "--page", "page #3")
    assert result.exit_code == 0, result.output
    assert "?config=tests%20%232%20%C3%BC/listen.yaml" in result.stdout.replace("\n", "")
    trial = yaml.safe_load((out / "listen.yaml").read_text(encoding="utf-8"))["pages"][1][1]
    name, path = next(iter(trial["stimuli"].items()))
    assert not set(name) & set("'\"&<>") and not set(path) & set("#?& ")
    for address in (trial["reference"], path):
        assert (tmp_path / unquote(address).removeprefix("configs/")).is_file()
    result = run("listen", named, "--reference", material.reference, "--out", out, "--page", "it's")
    assert result.exit_code == 1 and "webMUSHRA" in result.stderr


def test_a_test_in_the_working_directory_has_its_name(material, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run("listen", material.soft, "--reference", material.reference, "--out", ".").exit_code == 0
    config = yaml.safe_load((tmp_path / "here" / "listen.yaml").read_text(encoding="utf-8"))
    assert config["testId"] == "here" and config["pages"][0]["stimulus"].startswith("configs/here/audio/")


def test_only_documented_keys(material, tmp_path):
    """Those of doc/experimenter.md of webMUSHRA."""
    assert run("listen", material.soft, "--reference", material.reference, "--out", tmp_path / "t").exit_code == 0
    config = yaml.safe_load((tmp_path / "t" / "listen.yaml").read_text(encoding="utf-8"))
    general = "testname testId bufferSize stopOnErrors showButtonPreviousPage remoteService pages"
    pages = {
        "volume": "type id name content stimulus defaultVolume",
        "mushra": "type id name content showWaveform enableLooping strict reference createAnchor35 createAnchor70"
        " randomize showConditionNames stimuli",
        "finish": "type name content showResults writeResults",
    }
    assert set(config) == set(general.split())
    volume, (_, trial), finish = config["pages"]
    for page in (volume, trial, finish):
        assert set(page) == set(pages[page["type"]].split())
    assert config["bufferSize"] in (256, 512, 1024, 2048, 4096, 8192, 16384) and 0 <= volume["defaultVolume"] <= 1


def test_beyond_the_recommendation(material, tmp_path):
    long = tmp_path / "long.wav"
    soundfile.write(long, np.tile(noise(6).T.numpy(), (7, 1)), RATE)
    result = run("listen", long, "--reference", long, "--out", tmp_path / "test", "--page", "p")
    assert result.exit_code == 0 and "14.0 s; the recommendation takes up to 12 s" in result.stderr
    config = yaml.safe_load((tmp_path / "test" / "listen.yaml").read_text())
    assert config["pages"][1][1]["strict"] is False


def test_refusals(material, tmp_path):
    reference, silent = noise(0, 1.0), torch.zeros(2, RATE)
    for sounds, said, kind in [
        ({}, "nothing to compare", ExchangeError),
        ({"a": silent}, "'a' is silent", AudioError),
        ({"a": reference[:, 1:]}, "shape", AudioError),
        ({"a": reference / 0 * math.nan}, "NaN", AudioError),
        ({"anchor35": reference}, "name it otherwise", ExchangeError),
        ({"a/b": reference}, "name of a file", ExchangeError),
    ]:
        with pytest.raises(kind, match=said):
            write_listening_test(sounds, reference, RATE, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "listen.yaml").write_text("pages: 3")
    with pytest.raises(ExchangeError, match="no configuration of webMUSHRA"):
        write_listening_test({"a": reference}, reference, RATE, tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["listen.yaml"]
    result = run("listen", material.soft, "--reference", material.reference, "--out", tmp_path / "t", "--start", 9)
    assert result.exit_code == 1 and "what all have is from 0 s to 2 s" in result.stderr
    result = run("listen", tmp_path, "--reference", material.reference, "--out", tmp_path / "t")
    assert result.exit_code == 1 and "graph.json does not exist" in result.stderr
