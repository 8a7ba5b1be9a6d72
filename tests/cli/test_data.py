"""``grafx data``: what it writes, that it goes on, and what it refuses."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from grafx.estimate.dataset import GraphDataset
from grafx.estimate.prior import load_prior
from grafx.estimate.shards import ShardDataset
from grafx.estimate.sounds import GeneratedSounds

SMALL = ["--count", "3", "--valid", "1", "--test", "1", "--seconds", "0.05", "--batch", "2"]


@pytest.fixture
def folder_of_sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(4):
        sound = np.random.default_rng(number).uniform(-0.5, 0.5, 4000)
        soundfile.write(folder / f"{number}.wav", sound, 22050)
    (folder / "broken.wav").write_text("no sound")
    return folder


def test_it_writes_all_splits(cli, tmp_path):
    result = cli.run("data", "drums", "--out", tmp_path / "out", *SMALL, "--sounds", "tones", "--by", "settings")
    assert result.exit_code == 0, result.output
    assert "3 examples for train, 1 example for valid, 1 example for test" in result.output
    for split, count in (("train", 3), ("valid", 1), ("test", 1)):
        made = GraphDataset(
            load_prior("drums"), GeneratedSounds("tones"), count, 0.05, split=split, by="settings", batch_size=2
        )
        written = ShardDataset(tmp_path / "out", split)
        pairs = zip((e for b in written for e in b), (e for b in made for e in b), strict=True)
        for one, other in pairs:
            assert one.seed == other.seed
            assert list(one.G.nodes(data=True)) == list(other.G.nodes(data=True))
            assert (one.output - other.output).abs().max() < 1e-5


def test_it_takes_folders_of_sounds_and_tells_of_broken_files(cli, folder_of_sounds, tmp_path):
    result = cli.run("data", "drums", "--out", tmp_path / "out", *SMALL, "--sounds", folder_of_sounds)
    assert result.exit_code == 0, result.output
    assert result.output.count("broken.wav") == 1
    names = {
        split: {n for b in ShardDataset(tmp_path / "out", split) for e in b for n in e.sounds}
        for split in ("train", "test")
    }
    assert names["train"] and not names["train"] & names["test"]


def test_sizes_are_a_tenth_by_default_and_may_be_none(cli, tmp_path):
    result = cli.run("data", "drums", "--out", tmp_path / "out", *SMALL[:2], "--valid", "0", *SMALL[6:], "--json")
    assert json.loads(result.stdout) == {
        "folder": str(tmp_path / "out"),
        "prior": "drums",
        "train": 3,
        "valid": 0,
        "test": 1,
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["test", "train"]


def test_quiet_says_nothing(cli, folder_of_sounds, tmp_path):
    result = cli.run("data", "drums", "--out", tmp_path / "out", *SMALL, "--sounds", folder_of_sounds, "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_interrupted_command_goes_on(cli, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    arguments = ["data", "drums", *SMALL]
    assert cli.run(*arguments, "--out", whole).exit_code == 0

    class Interrupt:
        def __enter__(self):
            self.left = 2
            return self.interrupted

        def interrupted(self):
            self.left -= 1
            return self.left < 0

        def __exit__(self, *_):
            pass

    with monkeypatch.context() as patch:
        patch.setattr("grafx.cli.data.interrupts", Interrupt)
        result = cli.run(*arguments, "--out", stopped)
    assert result.exit_code == 130
    assert "the same command resumes" in result.output
    assert 0 < len(content(stopped)) < len(content(whole))
    result = cli.run(*arguments, "--out", stopped)
    assert result.exit_code == 0
    assert content(stopped) == content(whole)
    shutil.rmtree(whole / "train")
    assert cli.run(*arguments, "--out", whole).exit_code == 0
    assert content(stopped) == content(whole)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (["--sounds", "flutes"], "flutes is no folder"),
        (["--seconds", "0"], "seconds"),
        (["--loudness", "9"], "LUFS"),
    ],
)
def test_what_is_impossible_is_said_before_anything_is_written(cli, tmp_path, changes, text):
    result = cli.run("data", "drums", "--out", tmp_path / "out", *SMALL, *changes)
    assert result.exit_code == 1
    assert text in result.output
    assert not (tmp_path / "out").exists()


def test_unknown_priors_and_other_data_are_refused(cli, tmp_path):
    result = cli.run("data", "bagpipes", "--out", tmp_path / "out", *SMALL)
    assert result.exit_code == 1
    assert "bagpipes" in result.output
    assert cli.run("data", "drums", "--out", tmp_path / "out", *SMALL).exit_code == 0
    result = cli.run("data", "drums", "--out", tmp_path / "out", *SMALL, "--seed", "1")
    assert result.exit_code == 1
    assert "seed 0, not 1" in result.output
    (tmp_path / "empty").mkdir()
    result = cli.run("data", "drums", "--out", tmp_path / "out2", *SMALL, "--sounds", tmp_path / "empty")
    assert result.exit_code == 1
    assert "no audio files" in result.output
