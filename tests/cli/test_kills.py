"""A search that is killed at any moment, and goes on, leaves the same bytes as one that was not."""

import json
import re
import signal
import time

import pytest
import torch

from grafx.audio import read_audio
from grafx.cli import progress, terminal
from grafx.data import load_grafx

TO_THE_POINT = "import grafx.cli.progress; grafx.cli.progress.SECONDS_BETWEEN_CHECKPOINTS = 0\n"

KILL_AT = """
import builtins, os, shutil, signal
operations = 0
def counted(operation):
    def operate(*arguments, **options):
        global operations
        operations += 1
        if operations == {operation}:
            os.kill(os.getpid(), signal.{signal})
        return operation(*arguments, **options)
    return operate
def arm():
    for module, name in ((os, "replace"), (os, "fsync"), (os, "mkdir"), (shutil, "rmtree")):
        setattr(module, name, counted(getattr(module, name)))
"""
WHILE_IT_RUNS = "\narm()\n"
WHILE_RESULTS_ARE_WRITTEN = """
import grafx.cli.search as command
write = command.write_results
def writing(*arguments, **options):
    arm()
    return write(*arguments, **options)
command.write_results = writing
"""


def content(folder):
    """File name to bytes, but for how long it took."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    metrics = json.loads(files["metrics.json"])
    assert metrics.pop("seconds") >= 0
    return {**files, "metrics.json": metrics}


def assert_same_bytes(cli, folder, other):
    assert sorted(path.name for path in folder.iterdir()) == sorted([*cli.files, cli.page])
    mine, theirs = content(folder), content(other)
    assert [name for name in theirs if mine[name] != theirs[name]] == []


def test_the_same_search_leaves_the_same_bytes(cli, search_arguments, searched, tmp_path):
    """In another process, later: no file carries the time, or a number that is drawn anew."""
    assert cli.run_apart(*search_arguments, tmp_path / "out").returncode == 0
    assert_same_bytes(cli, tmp_path / "out", searched.folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment, operation",
    [
        *((WHILE_IT_RUNS, number) for number in (1, 4, 9, 17, 30, 47)),
        *((WHILE_RESULTS_ARE_WRITTEN, number) for number in (1, 6, 9, 13, 17)),
    ],
)
def test_killed_between_any_two_operations_on_files(cli, search_arguments, searched, tmp_path, moment, operation):
    prelude = TO_THE_POINT + KILL_AT.replace("{operation}", str(operation)).replace("{signal}", "SIGKILL") + moment
    killed = cli.run_apart(*search_arguments, tmp_path / "out", prelude=prelude)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = cli.run(*search_arguments, tmp_path / "out")
    assert again.exit_code == 0, (again.output, again.exception)
    assert_same_bytes(cli, tmp_path / "out", searched.folder)


@pytest.mark.parametrize("number", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_an_interrupt_waits_until_results_are_written(cli, search_arguments, searched, tmp_path, number):
    prelude = KILL_AT.replace("{operation}", "3").replace("{signal}", number) + WHILE_RESULTS_ARE_WRITTEN
    found = cli.run_apart(*search_arguments, tmp_path / "out", prelude=prelude)
    assert found.returncode == 0 and "Stopping" in found.stderr
    assert_same_bytes(cli, tmp_path / "out", searched.folder)


def test_remains_of_a_run_that_was_killed_at_its_end_are_removed(cli, search_arguments, result_folder):
    for name in (".partial", "checkpoint", "checkpoint.old", "checkpoint.new"):
        (result_folder / name).mkdir()
        (result_folder / name / "mix.wav").write_bytes(b"half")
    assert "finished already" in cli.run(*search_arguments, result_folder).output
    assert sorted(path.name for path in result_folder.iterdir()) == sorted([*cli.files, cli.page])


def test_a_drawing_of_a_result_is_the_same_bytes_each_time(cli, result_folder, tmp_path):
    for suffix in (".svg", ".pdf", ".png"):
        for name in ("a", "b"):
            assert cli.run("draw", result_folder, "--out", tmp_path / (name + suffix)).exit_code == 0
        first, second = ((tmp_path / (name + suffix)).read_bytes() for name in ("a", "b"))
        assert first == second and b"Date>" not in first and b"CreationDate" not in first


# Progress without a terminal


def test_each_phase_is_a_line(searched):
    lines = [line for line in searched.output.splitlines() if " of 5, " in line]
    phases = [line.split(":")[0] for line in lines]
    assert list(dict.fromkeys(phases)) == [  # a slow machine says some of them again
        "fitting the console",
        "pruning, round 1",
        "fine-tuning, round 1",
    ]
    assert "plain sum" in lines[0] and "loss" in lines[1] and "processors" in lines[1]
    assert re.search(r"\d s, (\d+ min )?\d+ s left$", lines[1]) and re.search(r"\d s( left)?$", lines[-1])


def test_lines_come_now_and_then(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(terminal.error_terminal, "_file", None)
    with progress.shown_progress("not for lines") as show:
        for step, now[0] in enumerate([0.0, 2.0, 9.0, 12.0, 13.0, 22.4]):
            show("fitting", step, 5, f"loss {1 / (step + 1):.2f}")
        now[0] = 23.0
        show("measuring", 5, 5, "")
    assert capsys.readouterr().err.splitlines() == [
        "fitting: 0 of 5, loss 1.00, 0 s",
        "fitting: 1 of 5, loss 0.50, 2 s, 8 s left",  # the first loss, and the first time
        "fitting: 3 of 5, loss 0.25, 12 s, 8 s left",
        "fitting: 5 of 5, loss 0.17, 22 s",
        "measuring: 5 of 5, 23 s",
    ]


# Alignment


def test_a_moved_stem_renders_by_its_file_offline_and_in_blocks(cli, tmp_path):
    noise = 0.3 * torch.randn(2, 1, 66150, generator=torch.Generator().manual_seed(3)).expand(-1, 2, -1)
    early = torch.nn.functional.pad(noise[0, :, 1032:], (0, 1032))
    paths = [cli.write(tmp_path / "kick.wav", early), cli.write(tmp_path / "pad.wav", -noise[1])]
    mix = cli.write(tmp_path / "mix.wav", noise.sum(0))
    out = tmp_path / "out"
    command = ["search", *paths, "--mix", mix, "--fit-steps", "1", "--rounds", "0", "--chain", "eq,gain", "--out"]
    found = cli.run(*command, out)
    assert found.exit_code == 0, (found.output, found.exception)
    assert "kick is heard 23.4 ms later in the mix than in its file: it is moved." in found.output
    assert "pad has the opposite polarity in the mix: it is inverted, too." in found.output
    G, _, _ = load_grafx(out)
    held = {data["name"]: (data.get("delay_samples"), data.get("inverted")) for _, data in G.nodes(data=True)}
    assert held["kick"] == (1032, None) and held["pad"] == (None, True)
    for options in ([], ["--block", "5000"]):
        rendered = cli.run("render", out, *paths, "--out", tmp_path / "r.wav", *options)
        assert rendered.exit_code == 0, (rendered.output, rendered.exception)
        torch.testing.assert_close(
            *(read_audio(path)[0] for path in (tmp_path / "r.wav", out / "mix.wav")), rtol=1e-4, atol=2e-5
        )
    off = cli.run(*command, tmp_path / "off", "--no-align")
    assert "let the search align it" in off.output
    assert "delay_samples" not in (tmp_path / "off" / "graph.json").read_text()
