"""A kick drum in a file becomes settings, sound and picture."""

import json
import os
import signal

import pytest
import soundfile
import torch
from grafx.processors import KickSynth

from grafx.audio import read_audio
from grafx.cli import invert
from grafx.search import Effort


@pytest.fixture
def kick(cli, tmp_path, monkeypatch):
    """A stereo file; searches are as short as can be."""
    monkeypatch.setattr(invert, "Effort", lambda: Effort(64, 8, 1, 2, 1, 1, 1, 0, 1))
    with torch.no_grad():
        sound = KickSynth()(num_samples=3000, dsp_params={"f_start": 200.0})[0]
    return cli.write(tmp_path / "kick.wav", torch.nn.functional.pad(sound, (400, 0)).expand(2, -1))


def test_settings_sound_and_picture_are_written(cli, kick, tmp_path):
    out = tmp_path / "out"
    result = cli.run("invert", kick, "--synth", "kick", "--out", out, "--seed", 1)
    assert result.exit_code == 0, (result.output, result.exception)
    assert sorted(path.name for path in out.iterdir()) == sorted([*invert.INVERSION_FILES, cli.page])
    found = json.loads((out / "settings.json").read_text())
    assert found["synth"] == "kick" and found["seed"] == 1 and found["loss"] < found["starting_loss"]
    played = KickSynth(use_modal=True)(num_samples=3400 - found["lead"], dsp_params=found["settings"])[0]
    sound, rate = read_audio(out / "found.wav")
    assert rate == 44100 and sound.shape == (1, 3400)
    torch.testing.assert_close(sound[:, found["lead"] :], found["gain"] * played.detach(), atol=1e-3, rtol=1e-2)
    assert (out / "spectrogram.png").read_bytes().startswith(b"\x89PNG")
    for words in ("mixed down", "begins 9.", "f_start", "spectral loss", "gain of"):
        assert words in result.output


def test_refusals(cli, kick, tmp_path):
    out = tmp_path / "out"
    cli.refused(cli.run("invert", tmp_path / "none.wav", "--out", out), "none.wav")
    cli.refused(cli.run("invert", kick, "--out", kick), "is a file")
    out.mkdir()
    (out / "settings.json").write_text("{}")
    cli.refused(cli.run("invert", kick, "--out", out), "settings.json", "another folder")
    soundfile.write(tmp_path / "silent.wav", torch.zeros(1000).numpy(), 44100)
    cli.refused(cli.run("invert", tmp_path / "silent.wav", "--out", tmp_path / "other"), "silent")


# Stopping and going on

STOP_AFTER = """
import os, signal
import grafx.cli.invert as command
from grafx.search import Effort
from grafx.search.inversion.invert import Inverting
command.Effort = lambda: Effort(130, 8, 2, 2, 2, 2, 2, 1, 2)
command.SECONDS_BETWEEN_CHECKPOINTS = {seconds}
run = Inverting.run
def running(inverting):
    for number, step in enumerate(run(inverting)):
        if number == {number}:
            os.kill(os.getpid(), signal.{signal})
        yield step
Inverting.run = running
"""


@pytest.fixture(scope="module")
def sound(cli, tmp_path_factory):
    """Silence and a kick whose beginning is soft, so that two beginnings are tried."""
    with torch.no_grad():
        sound = KickSynth()(num_samples=1500, dsp_params={"f_start": 200.0})[0]
    sound = torch.nn.functional.pad(sound * (torch.arange(1500) / 400).clamp(max=1), (300, 0))
    return cli.write(tmp_path_factory.mktemp("sound") / "kick.wav", sound)


@pytest.fixture
def longer(monkeypatch):
    monkeypatch.setattr(invert, "Effort", lambda: Effort(130, 8, 2, 2, 2, 2, 2, 1, 2))


@pytest.fixture(scope="module")
def inverted(cli, sound, tmp_path_factory):
    """Results of an uninterrupted inversion."""
    out = tmp_path_factory.mktemp("inverted") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(invert, "Effort", lambda: Effort(130, 8, 2, 2, 2, 2, 2, 1, 2))
        result = cli.run("invert", sound, "--out", out)
    assert result.exit_code == 0, (result.output, result.exception)
    return out


def same(folder, other):
    sounds = [read_audio(path / "found.wav")[0] for path in (folder, other)]
    settings = [(path / "settings.json").read_text() for path in (folder, other)]
    return torch.equal(*sounds) and settings[0] == settings[1]


@pytest.mark.parametrize("number, name", [(0, "SIGINT"), (9, "SIGTERM")])
@pytest.mark.slow
def test_stopped_it_leaves_the_best_and_goes_on(cli, sound, inverted, longer, tmp_path, monkeypatch, number, name):
    run = invert.Inverting.run

    def running(inverting):
        for index, step in enumerate(run(inverting)):
            if index == number:
                os.kill(os.getpid(), getattr(signal, name))
            yield step

    monkeypatch.setattr(invert.Inverting, "run", running)
    out = tmp_path / "out"
    result = cli.run("invert", sound, "--out", out)
    assert result.exit_code == 130 and "Stopped." in result.output, (result.output, result.exception)
    assert sorted(path.name for path in out.iterdir()) == sorted([*invert.INVERSION_FILES, "checkpoint"])
    assert json.loads((out / "settings.json").read_text())["finished"] is False
    before = cli.snapshot(out)
    cli.refused(cli.run("invert", sound, "--out", out, "--seed", 1), "other audio or options")
    assert cli.snapshot(out) == before
    monkeypatch.setattr(invert.Inverting, "run", run)
    result = cli.run("invert", sound, "--out", out)
    assert result.exit_code == 0 and "Going on after" in result.output, (result.output, result.exception)
    assert sorted(path.name for path in out.iterdir()) == sorted([*invert.INVERSION_FILES, cli.page])
    assert same(out, inverted)


@pytest.mark.slow
def test_killed_it_goes_on_from_the_last_checkpoint(cli, sound, inverted, longer, tmp_path):
    number = 12
    prelude, out = STOP_AFTER.format(seconds=0, number=number, signal="SIGKILL"), tmp_path / "out"
    killed = cli.run_apart("invert", sound, "--out", out, prelude=prelude)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in out.iterdir()] == ["checkpoint"]
    result = cli.run("invert", sound, "--out", out)
    assert result.exit_code == 0 and f"Going on after {number} steps." in result.output
    assert same(out, inverted)


@pytest.mark.slow
def test_a_finished_inversion_is_told_again_and_changes_nothing(cli, sound, inverted, longer):
    before = cli.snapshot(inverted)
    result = cli.run("invert", sound, "--out", inverted)
    assert result.exit_code == 0 and "finished already" in result.output
    assert cli.snapshot(inverted) == before
    cli.refused(cli.run("invert", sound, "--out", inverted, "--seed", 1), "already holds", "another folder")


def test_a_damaged_checkpoint_of_an_inversion_is_named(cli, sound, longer, tmp_path):
    (tmp_path / "out" / "checkpoint").mkdir(parents=True)
    for content in (b"", b"x" * 100):
        (tmp_path / "out" / "checkpoint" / "inversion.safetensors").write_bytes(content)
        cli.refused(cli.run("invert", sound, "--out", tmp_path / "out"), "is damaged", "remove it")


def test_an_output_that_cannot_be_written_is_found_before_the_search(cli, sound, monkeypatch):
    monkeypatch.setattr(invert.Inverting, "run", lambda inverting: pytest.fail("the search has begun"))
    cli.refused(cli.run("invert", sound, "--out", "/dev/null/out"), "/dev/null")
    cli.refused(cli.run("invert", sound, "--out", sound), "is a file")
