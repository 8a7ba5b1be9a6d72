"""Audio files of a quarter of a second, and a search that has been done once for all tests that look at its results."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile
import torch
from typer.testing import CliRunner

from grafx.cli.config import CONFIG_FILE
from grafx.cli.main import app
from grafx.cli.report import REPORT_FILE
from grafx.search.mixing.report import RESULT_FILES

RATE = 44100
STEPS = ["--fit-steps", "3", "--rounds", "1", "--tune-steps", "2", "--method", "drywet"]


def make_stems(num_samples=11025):
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(num_samples) / RATE
    kick = torch.sin(2 * torch.pi * 80 * time) * torch.exp(-12 * time)
    pad = 0.3 * torch.sin(2 * torch.pi * 440 * time) + 0.05 * torch.randn(num_samples, generator=generator)
    return torch.stack([torch.stack([kick, kick]), torch.stack([pad, 0.7 * pad])])


def write(path, signal, rate=RATE, subtype="FLOAT"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, signal.T.numpy(), rate, subtype=subtype)
    return path


def write_material(folder):
    """Two stems and a mix, as files."""
    stems = make_stems()
    mix = torch.tanh(3 * stems[0]) / 3 + 0.4 * stems[1]
    return SimpleNamespace(
        stems=[write(folder / f"{name}.wav", stem) for name, stem in zip(("kick", "pad"), stems, strict=True)],
        mix=write(folder / "mix.wav", mix),
    )


def run(*arguments):
    """The command, in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run_elsewhere(*arguments, prelude="", **options):
    """The command, in a process of its own, after some lines of Python."""
    code = f"{prelude}\nfrom grafx.cli import main\nmain()"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        **options,
    )


FORKED = """
import os, sys
for stream, file in {streams}:
    os.dup2(os.open(file, os.O_RDWR), stream)
sys.argv = ["grafx", *{arguments}]
{prelude}
from grafx.cli import main
main()
"""
IMPORTED = [
    *(f"grafx.cli.commands.{name}" for name in ("search", "render", "invert")),
    *("grafx.cli.search", "grafx.report.write", "grafx.draw.web.html", "matplotlib.backends.backend_agg"),
    *("torch._dynamo", "numba.np.npyimpl", "numba.typed.typedlist", "numba.experimental.jitclass.base"),
]


def run_apart(*arguments, prelude=""):
    """The same, off a process that has imported before what takes each new one seconds, where systems fork."""
    if sys.platform != "linux":
        return run_elsewhere(*arguments, prelude=prelude)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("COLUMNS", "80")
        files = [Path(folder, name) for name in ("stdout", "stderr")]
        for file in files:
            file.touch()
        streams = [(number, str(file)) for number, file in enumerate(files, start=1)]
        code = FORKED.format(streams=streams, arguments=[str(each) for each in arguments], prelude=prelude)
        process = context.Process(target=exec, args=(code, {"__name__": "forked"}))
        process.start()
        process.join(300)
        return subprocess.CompletedProcess(arguments, process.exitcode, *(file.read_text("utf-8") for file in files))


def snapshot(folder):
    """Every file in a folder, byte for byte."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(result, *words, status=1):
    """It ended with a status and one line that says why, after notes and progress."""
    error = result.stderr
    code = result.exit_code if hasattr(result, "exit_code") else result.returncode
    assert code == status, (result.stdout, error, getattr(result, "exception", None))
    *before, last = error.splitlines()
    assert last.startswith("Error: ") and not any(line.startswith("Error") for line in before), error
    assert "Traceback" not in error + result.stdout
    for word in words:
        assert str(word) in error


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """The last bits of sums depend on the number of threads, and for so little audio one is the fastest."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def cli():
    return SimpleNamespace(
        run=run,
        run_elsewhere=run_elsewhere,
        run_apart=run_apart,
        refused=assert_refused,
        snapshot=snapshot,
        write=write,
        make_stems=make_stems,
        steps=STEPS,
        files=(*RESULT_FILES, CONFIG_FILE),
        page=REPORT_FILE,
    )


@pytest.fixture(scope="package")
def material(tmp_path_factory):
    """Not to be changed."""
    return write_material(tmp_path_factory.mktemp("audio"))


@pytest.fixture(scope="package")
def search_arguments(material):
    return ["search", *material.stems, "--mix", material.mix, *STEPS, "--out"]


@pytest.fixture(scope="package")
def searched(search_arguments, tmp_path_factory):
    """A finished search: its folder, not to be changed, and what it said."""
    folder = tmp_path_factory.mktemp("searched") / "out"
    result = run(*search_arguments, folder)
    assert result.exit_code == 0, (result.output, result.exception)
    return SimpleNamespace(folder=folder, output=result.output)


@pytest.fixture
def result_folder(searched, tmp_path):
    """A copy of what a finished search wrote."""
    return shutil.copytree(searched.folder, tmp_path / "results")


SMALLEST_RECIPE = """
[data]
examples = 24
valid = 4
seconds = 0.2
[network]
width = 16
heads = 2
channels = 4
decoder_layers = 1
[training]
steps = 20
batch_size = 8
validate_every = 10
"""


@pytest.fixture(scope="package")
def recipe(tmp_path_factory):
    """Of a model of a few seconds."""
    file = tmp_path_factory.mktemp("recipe") / "micro.toml"
    file.write_text(SMALLEST_RECIPE)
    return file


@pytest.fixture(scope="package")
def trained(recipe, tmp_path_factory):
    """The folder of a trained model, not to be changed."""
    out = tmp_path_factory.mktemp("trained") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grafx.estimate.train.MEASURED", 2)
        result = run("train", "--preset", recipe, "--out", out, "--workers", 0)
    assert result.exit_code == 0, (result.output, result.exception)
    return out
