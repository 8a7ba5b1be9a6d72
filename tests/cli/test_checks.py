"""Commands refuse impossible requests before any work, and report likely mistakes."""

import os
import subprocess
import sys

import pytest
import torch

import grafx.cli.outputs
from grafx.audio import read_audio

SHORT = ["--fit-steps", "0", "--rounds", "0"]


@pytest.fixture
def no_work(monkeypatch):
    """Work of any kind fails a test."""

    def working(*arguments, **options):
        pytest.fail("work has begun")

    work = {
        "render": ("render_mix", "MixStream", "StemStream"),
        "sources": ("read_stems", "read_audio"),
        "search": ("Search",),
        "material": ("read_stems", "read_audio"),
        "invert": ("read_audio",),
        "demo": ("read_excerpt", "mix_elsewhere", "Search"),
    }
    for module, names in work.items():
        for name in names:
            monkeypatch.setattr(f"grafx.cli.{module}.{name}", working)


BAD_FILES = ["out", "out.mp4x", "out.raw", ".wav", "/dev/null/out.wav", "folder.wav"]


@pytest.mark.parametrize("out", BAD_FILES)
@pytest.mark.parametrize("options", [[], ["--block", "1000"], ["--tail"]])
def test_renders_that_cannot_be_written(cli, material, searched, tmp_path, no_work, out, options):
    (tmp_path / "folder.wav").mkdir()
    result = cli.run("render", searched.folder, *material.stems, "--out", tmp_path / out, *options)
    cli.refused(result, "/dev/null" if "/dev" in out else out)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.wav"]


@pytest.mark.parametrize("out", ["out", "out.bmp", "/dev/null/out.svg", "folder.svg"])
def test_drawings_that_cannot_be_written(cli, searched, tmp_path, no_work, out):
    (tmp_path / "folder.svg").mkdir()
    result = cli.run("draw", searched.folder, "--out", tmp_path / out)
    cli.refused(result, "/dev/null" if "/dev" in out else out, status=1 if out.endswith(".svg") else 2)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"]


@pytest.mark.parametrize("command", ["search", "invert", "demo"])
@pytest.mark.parametrize("out", ["/dev/null/out", "file", "file/out"])
def test_folders_that_cannot_be_written_to(cli, material, tmp_path, no_work, command, out):
    (tmp_path / "file").write_text("mine")
    arguments = {
        "search": ["search", *material.stems, "--mix", material.mix],
        "invert": ["invert", material.stems[0]],
        "demo": ["demo"],
    }
    cli.refused(cli.run(*arguments[command], "--out", tmp_path / out), "/dev/null" if "/dev" in out else "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_read_only_folder_is_named_and_nothing_is_made(tmp_path, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", f"{dir}/tmp123")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OSError, match="Permission denied") as caught:
        grafx.cli.outputs.check_folder(tmp_path / "a" / "b", ValueError)
    assert caught.value.filename == str(tmp_path / "a" / "b") and list(tmp_path.iterdir()) == []


# Files


def test_groups_are_read_before_audio(cli, search_arguments, tmp_path, no_work):
    cli.refused(cli.run(*search_arguments, tmp_path / "out", "--group", "drums"), "NAME=STEM", status=2)


def test_the_mix_among_the_stems_is_refused(cli, material, tmp_path):
    copy = tmp_path / "copy.wav"
    copy.write_bytes(material.mix.read_bytes())
    (tmp_path / "link.wav").symlink_to(material.mix)
    for path in (material.mix, copy, tmp_path / "link.wav"):
        stems = [*material.stems, path]
        result = cli.run("search", *stems, "--mix", material.mix, *SHORT, "--out", tmp_path / "out")
        cli.refused(result, path, "is among the stems", "leave it out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_mix_of_one_stem_may_be_that_stem(cli, material, tmp_path):
    result = cli.run("search", material.mix, "--mix", material.mix, *SHORT, "--out", tmp_path / "out")
    assert result.exit_code == 0, (result.output, result.exception)


@pytest.mark.slow
def test_a_stem_that_is_given_twice_is_said(cli, material, tmp_path):
    copy = tmp_path / "other.flac"
    cli.write(copy, read_audio(material.stems[0])[0], subtype="PCM_24")
    cli.write(tmp_path / "kick.wav", read_audio(copy)[0])
    stems = [tmp_path / "kick.wav", copy, tmp_path / "kick.wav", material.stems[1]]
    result = cli.run("search", *stems, "--mix", material.mix, *SHORT, "--out", tmp_path / "out")
    assert result.exit_code == 0, (result.output, result.exception)
    assert f"{copy} holds the same as {tmp_path / 'kick.wav'}" in result.output
    assert f"{tmp_path / 'kick.wav'} is given twice" in result.output
    assert "pad.wav" not in result.output


def test_a_result_that_is_worse_than_the_plain_sum_is_said(cli, tmp_path):
    kick, pad = cli.make_stems()
    paths = [cli.write(tmp_path / "kick.wav", kick), cli.write(tmp_path / "pad.wav", pad)]
    mix = cli.write(tmp_path / "mix.wav", 0.99 * (kick + pad))
    result = cli.run("search", *paths, "--mix", mix, *SHORT, "--out", tmp_path / "out")
    assert result.exit_code == 0 and "worse than the plain sum" in result.output


def test_what_does_not_belong_together_is_said_before_the_search(cli, tmp_path):
    generator = torch.Generator().manual_seed(0)
    stems = 0.1 * torch.randn(2, 2, 60000, generator=generator)
    paths = [cli.write(tmp_path / f"{name}.wav", stem) for name, stem in zip("ab", stems, strict=True)]
    mix = cli.write(tmp_path / "mix.wav", torch.nn.functional.pad(stems[0] - stems[1], (441, 0))[:, :60000])
    result = cli.run("search", *paths, "--mix", mix, *SHORT, "--out", tmp_path / "out")
    assert result.exit_code == 0, (result.output, result.exception)
    assert "The mix is 10.0 ms later" in result.output and "b has the opposite polarity" in result.output


# Homes and caches that cannot be written

UNWRITABLE = {
    "HOME": "/dev/null",
    "NUMBA_CACHE_DIR": "/dev/null/numba",
    "MPLCONFIGDIR": "/dev/null/matplotlib",
    "XDG_CACHE_HOME": "/dev/null/cache",
    "XDG_CONFIG_HOME": "/dev/null/config",
    "OMP_NUM_THREADS": "1",
}
WITHOUT_FOLDERS = """
from numba.core.caching import CacheImpl
CacheImpl._locator_classes = [c for c in CacheImpl._locator_classes if "UserProvided" in c.__name__]
import torch
from grafx.draw import draw_grafx
from grafx.search import MatchLoss, build_console
draw_grafx(build_console(["a"]))
print(MatchLoss(44100)(torch.ones(2, 5000), torch.ones(2, 5000)).item())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs /dev/null")
@pytest.mark.slow
def test_without_a_home_and_caches():
    """As if no folder beside the packages could be written to either; that costs time, so no command is run."""
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_FOLDERS],
        capture_output=True,
        text=True,
        env=os.environ | UNWRITABLE,
        timeout=300,
    )
    assert result.returncode == 0 and float(result.stdout) == 0, result.stderr
