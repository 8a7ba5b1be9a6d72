"""Many songs are searched as each alone would be, whatever happens meanwhile."""

import json
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from grafx.search.songs.state import DONE, FAILED, read_state

pytest.importorskip("distributed")

STEPS = ["--fit-steps", "4", "--rounds", "1", "--tune-steps", "2", "--method", "drywet"]
SMALL = [*STEPS, "--chain", "compressor,gain", "--master", "trim", "--processors", "reaper:rack"]
TOTAL = 6

# Processors whose module writes down each step that a worker does, and kills the worker as often as it is told to.
REAPER = """
import os, signal
from multiprocessing import parent_process
from pathlib import Path
import torch.nn as nn
import grafx.cli.progress
from grafx.search import Search

HERE = Path(__file__).parent

class Trim(nn.Module):
    def parameter_size(self):
        return {"trim": 1}

    def forward(self, x, trim):
        return x * trim.exp().unsqueeze(-1)

def rack():
    return {"trim": Trim()}

def stepping(search):
    progress = step(search)
    with open(HERE / "steps", "a") as file:
        file.write(f"{search.fingerprint} {search.step}\\n")
    for order in HERE.glob(f"kill-at-{search.step}-*"):
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return progress

if parent_process() is not None or "GRAFX_TEST_WORKER" in os.environ:
    grafx.cli.progress.SECONDS_BETWEEN_CHECKPOINTS = 0
    step = Search._gradient_step
    Search._gradient_step = stepping
"""


def line(folder, **changes):
    """A song of a manifest in a folder, whose stems have other names than their files."""
    return {
        "name": folder.name,
        "mix": f"{folder.name}/mix.wav",
        "stems": {"drum": f"{folder.name}/kick.wav", "pad": f"{folder.name}/pad.wav"},
        **changes,
    }


@pytest.fixture(scope="module")
def place(cli, tmp_path_factory):
    """A folder with songs, and a working directory with processors."""
    place = tmp_path_factory.mktemp("songs")
    (place / "work").mkdir()
    (place / "work" / "reaper.py").write_text(REAPER)
    for number, name in enumerate(("one", "two", "three")):
        kick, pad = cli.make_stems(11025)
        cli.write(place / name / "kick.wav", kick)
        cli.write(place / name / "pad.wav", pad)
        cli.write(place / name / "mix.wav", (0.5 + 0.2 * number) * kick + 0.4 * pad)
    return place


def write_manifest(place, *lines):
    (place / "songs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return place / "songs.jsonl"


def steps_of(place):
    """How often each step of each song was done."""
    return Counter((place / "work" / "steps").read_text().splitlines())


def twin(cli, place, folder, *options):
    """The same by ``grafx search``, as far from the audio."""
    stems = [place / folder.name / "kick.wav", place / folder.name / "pad.wav"]
    out = place / "alone" / folder.name
    command = ["search", *stems, "--mix", place / folder.name / "mix.wav", "--out", out, "--names", "drum,pad"]
    found = cli.run_elsewhere(*command, *SMALL, *options, cwd=place / "work")
    assert found.returncode == 0, found.stderr
    return out


def content(cli, folder):
    """Every file of a folder, but for how long it took."""
    files = cli.snapshot(folder)
    for path in [path for path in files if path.name == "metrics.json"]:
        files[path] = {name: value for name, value in json.loads(files[path]).items() if name != "seconds"}
    return files


def assert_same(cli, folder, other):
    mine, theirs = content(cli, folder), content(cli, other)
    assert set(mine) == set(theirs)
    assert [path for path in theirs if mine[path] != theirs[path]] == []


@pytest.fixture(scope="module")
def ran(cli, place):
    """Three songs, of which one is an excerpt with a group and one has no audio, and two workers, of which one dies."""
    (place / "three" / "kick.wav").rename(place / "three" / "kept.wav")
    (place / "three" / "kick.wav").write_text("no audio")
    manifest = write_manifest(
        place,
        line(place / "one"),
        line(place / "two", start=0.05, end=0.2, groups={"all": ["drum", "pad"]}),
        line(place / "three"),
    )
    (place / "work" / "kill-at-3-1").touch()
    runs = place / "runs"
    command = ["songs", "search", manifest, "--out", runs, "--workers", "2", *SMALL, "--json"]
    result = cli.run_elsewhere(*command, cwd=place / "work")
    assert result.stdout, result.stderr
    return SimpleNamespace(result=result, runs=runs, command=command, steps=steps_of(place))


def test_the_results_are_those_of_single_searches(cli, place, ran):
    assert_same(cli, ran.runs / "one", twin(cli, place, ran.runs / "one"))
    excerpt = ["--start", "0.05", "--end", "0.2", "--group", "all=drum,pad"]
    assert_same(cli, ran.runs / "two", twin(cli, place, ran.runs / "two", *excerpt))


def test_only_steps_after_a_checkpoint_are_done_twice(place, ran):
    assert not list((place / "work").glob("kill-*"))  # it was killed
    assert len(ran.steps) == 2 * TOTAL
    twice = {key: number for key, number in ran.steps.items() if number > 1}
    assert [key.split()[1] for key in twice] == ["3"] and set(twice.values()) == {2}


def test_a_song_that_fails_is_told_with_its_reason(ran):
    told = json.loads(ran.result.stdout)
    assert ran.result.returncode == 1 and "Traceback" not in ran.result.stderr
    assert (told["songs"], told["done"], told["kept"], told["left"]) == (3, 2, 0, 0)
    assert list(told["failed"]) == ["three"] and "kick.wav" in told["failed"]["three"]
    state = read_state(ran.runs, "three")
    assert (state.state, state.attempts) == (FAILED, 2) and "kick.wav" in state.reason
    for name in ("one", "two"):
        state = read_state(ran.runs, name)
        assert (state.state, state.attempts, state.reason) == (DONE, 1, "") and state.seconds > 0
    assert "3 songs, 0 of them done before; 2 workers." in ran.result.stderr
    assert "will be tried again. Its worker died." in ran.result.stderr


def test_what_is_done_is_kept(cli, place, ran):
    (place / "three" / "kept.wav").replace(place / "three" / "kick.wav")
    before = {name: cli.snapshot(ran.runs / name) for name in ("one", "two")}
    again = cli.run_elsewhere(*ran.command, "--no-report", cwd=place / "work")
    told = json.loads(again.stdout)
    assert again.returncode == 0, again.stderr
    assert (told["done"], told["kept"], told["failed"]) == (1, 2, {})
    assert {name: cli.snapshot(ran.runs / name) for name in ("one", "two")} == before
    assert not (ran.runs / "three" / "report.html").exists()
    assert all(number == 1 for number in (steps_of(place) - ran.steps).values())
    nothing = cli.run_elsewhere(*ran.command[:-1], "--no-report", cwd=place / "work")
    assert nothing.returncode == 0 and "3 of 3 songs are done, 3 of them before" in nothing.stdout


def test_refusals_come_before_any_work(cli, place, tmp_path):
    one = line(place / "one")
    manifest = write_manifest(place, one, {**one, "name": "ONE"})
    config = tmp_path / "options.toml"
    config.write_text("start = 1\n")
    cases = [
        ([manifest, "--out", tmp_path / "a"], "ONE"),
        ([manifest], "--out"),
        ([place / "none.jsonl", "--out", tmp_path / "a"], "none.jsonl"),
        ([manifest, "--out", tmp_path / "a", "--config", config], "start"),
        ([manifest, "--out", tmp_path / "a", "--chain", "eqq"], "eqq"),
        ([manifest, "--out", tmp_path / "a", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "--workers"),
    ]
    for arguments, word in cases:
        result = cli.run("songs", "search", *arguments)
        cli.refused(result, word, status=1 if "none.jsonl" in str(arguments[0]) else 2)
    assert not (tmp_path / "a").exists()


def test_one_run_at_a_time(cli, place, tmp_path):
    manifest = write_manifest(place, line(place / "one"))
    runs = tmp_path / "runs"
    runs.mkdir()
    holder = "import sys; from grafx.files import locked\nwith locked(sys.argv[1]): print('held', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", holder, runs], **pipes) as other:
        assert other.stdout.readline()
        cli.refused(cli.run("songs", "search", manifest, "--out", runs), "Another run")
        other.stdin.close()
