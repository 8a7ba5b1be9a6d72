import importlib.metadata
import json
import sys

import pytest
import torch

from grafx.audio import read_audio
from grafx.cli import demo
from grafx.errors import AudioError
from grafx.search import Options

pytest.importorskip("av")
pytest.importorskip("pedalboard")


@pytest.fixture(scope="module")
def excerpt():
    return demo.read_excerpt()


def test_the_excerpt_is_six_seconds_of_four_stems(excerpt):
    stems, sample_rate = excerpt
    assert sample_rate == 44100 and stems.dtype == torch.float32
    assert stems.shape[:2] == (4, 2) and 5 < stems.shape[2] / sample_rate < 8
    assert stems.isfinite().all()
    assert all(0.01 < stem.abs().max() <= 1.2 for stem in stems)
    assert stems.abs().max() > 0.3


def test_the_stems_are_all_different_and_neither_is_their_sum(excerpt):
    stems, _ = excerpt
    correlations = torch.corrcoef(stems.flatten(1))
    assert (correlations - torch.eye(4)).abs().max() < 0.5


def test_the_names_fit_the_sound(excerpt):
    """The bass is low, and drums have the sharpest peaks."""
    stems, sample_rate = excerpt
    spectra = torch.fft.rfft(stems.mean(1)).abs().square()
    frequencies = torch.fft.rfftfreq(stems.shape[-1], 1 / sample_rate)
    centers = dict(zip(demo.NAMES, (spectra @ frequencies / spectra.sum(-1)).tolist(), strict=True))
    assert centers["bass"] == min(centers.values())


def test_the_mix_is_the_same_each_time_and_leaves_the_stems(excerpt):
    stems, sample_rate = excerpt
    kept = stems.clone()
    mix = demo.mix_elsewhere(stems, sample_rate)
    assert torch.equal(mix, demo.mix_elsewhere(stems, sample_rate)) and torch.equal(stems, kept)
    assert mix.shape == stems.shape[1:] and mix.dtype == torch.float32
    assert mix.isfinite().all() and 0.1 < mix.abs().max() < 2


def test_the_mix_is_not_the_plain_sum_at_any_level(excerpt):
    stems, sample_rate = excerpt
    mix, plain = demo.mix_elsewhere(stems, sample_rate), stems.sum(0)
    gain = (mix * plain).sum() / plain.square().sum()
    assert (mix - gain * plain).norm() > 0.1 * mix.norm()


@pytest.mark.parametrize("name", demo.NAMES)
def test_each_stem_is_mixed_as_the_truth_says(excerpt, name):
    """Alone, a stem comes out with the gains that its chain and the master have, and with what else it has."""
    stems, sample_rate = excerpt
    alone = torch.zeros_like(stems)
    index = demo.NAMES.index(name)
    alone[index] = stems[index]
    mixed = demo.mix_elsewhere(alone, sample_rate)
    decibels = 10 * (mixed.square().sum(-1) / stems[index].square().sum(-1)).log10() - demo.MASTER_GAIN_DB
    words = " ".join(demo.TRUTH[name])
    if name == "other":
        assert decibels[0] - decibels[1] == pytest.approx(7, abs=0.5) and "-2.0 dB left, -9.0 dB right" in words
    if name == "drums":
        assert -12 < decibels.mean() < -3 and "compressor" in words
    if name == "bass":
        assert -5 < decibels.mean() < 0.1 and "low shelf +5 dB" in words
    if name == "vocals":
        assert decibels.mean() == pytest.approx(0, abs=3) and "reverb" in words


def test_the_truth_names_what_the_search_names():
    assert set(demo.TRUTH) == {*demo.NAMES, "master"}


@pytest.fixture
def tiny(monkeypatch, excerpt):
    """A demo of a moment's length, which hardly searches."""
    stems, sample_rate = excerpt
    monkeypatch.setattr(demo, "OPTIONS", Options(fit_steps=1, rounds=0))
    monkeypatch.setattr(demo, "read_excerpt", lambda: (stems[..., 44100:55125].clone(), sample_rate))


def test_the_demo_prints_the_truth_beside_what_was_found(cli, tiny, tmp_path):
    out = tmp_path / "demo"
    result = cli.run("demo", "--out", out)
    assert result.exit_code == 0, (result.output, result.exception)
    assert {path.name for path in out.iterdir()} == {*cli.files, cli.page, "audio", "truth.json"} - {"config.toml"}
    names = {f"{name}.wav" for name in (*demo.NAMES, "target")}
    assert {path.name for path in (out / "audio").iterdir()} == names
    signals = {name: read_audio(out / "audio" / name)[0] for name in names}
    assert all(signal.shape == (2, 11025) for signal in signals.values())
    stems = torch.stack([signals[f"{name}.wav"] for name in demo.NAMES])
    assert torch.allclose(signals["target.wav"], demo.mix_elsewhere(stems, 44100))
    table = result.output[result.output.index("truth") :]
    said = " ".join(table.replace("│", " ").split())
    for name in (*demo.NAMES, "master"):
        assert name in said
    for word in ("compressor over -24", "low shelf", "high shelf", "reverb, 20 %", "wet"):
        assert word in said
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["finished"] and metrics["console_processors"] == 35


def test_the_demo_leaves_other_results_alone(cli, tiny, result_folder):
    (result_folder / "audio").mkdir()
    (result_folder / "audio" / "drums.wav").write_text("mine")
    before = cli.snapshot(result_folder)
    cli.refused(cli.run("demo", "--out", result_folder), "another search")
    assert cli.snapshot(result_folder) == before


@pytest.mark.parametrize("package", ["av", "pedalboard"])
def test_without_its_extra_the_demo_says_what_to_install(cli, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    cli.refused(cli.run("demo", "--out", tmp_path / "out"), package, "install grafx with its extra 'demo'")
    assert not (tmp_path / "out").exists()


def test_without_the_package_that_carries_the_stems(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(demo, "distribution", missing)
    with pytest.raises(AudioError, match=r"stempeg.*demo"):
        demo.read_excerpt()


def test_a_package_without_stems(monkeypatch):
    class Empty:
        files = None

    monkeypatch.setattr(demo, "distribution", lambda name: Empty())
    with pytest.raises(AudioError, match="no stems"):
        demo.read_excerpt()


def test_stempeg_is_not_imported():
    """Importing it needs an ffmpeg program."""
    assert "stempeg" not in sys.modules
