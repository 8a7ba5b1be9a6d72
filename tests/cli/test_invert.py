"""A kick drum in a file becomes settings, sound and picture."""

import json

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
    assert sorted(path.name for path in out.iterdir()) == sorted(invert.INVERSION_FILES)
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
