"""Many songs are searched as each alone would be, whatever happens meanwhile."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from grafx.search.songs.state import DONE, FAILED, WAITING, read_state

pytest.importorskip("distributed")

STEPS = ["--fit-steps", "4", "--rounds", "1", "--tune-steps", "2", "--method", "drywet"]
SMALL = [*STEPS, "--chain", "compressor,gain", "--master", "trim", "--processors", "reaper:rack"]
TOTAL = 6
KILLS = 10  # of workers
SONGS = "one", "two", "three"

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
    for number, name in enumerate(SONGS):
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
    out = place / ("alone, in part" if options else "alone") / folder.name
    command = ["search", *stems, "--mix", place / folder.name / "mix.wav", "--out", out, "--names", "drum,pad"]
    with contextlib.chdir(place / "work"):
        found = cli.run(*command, *SMALL, *options)
    assert found.exit_code == 0, (found.output, found.exception)
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


def test_results_are_those_of_a_single_search(cli, place, ran):
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


def test_what_is_done_is_kept(cli, place, ran, monkeypatch):
    (place / "three" / "kept.wav").replace(place / "three" / "kick.wav")
    before = {name: cli.snapshot(ran.runs / name) for name in ("one", "two")}
    again = cli.run_elsewhere(*ran.command, "--no-report", "--workers", "1", cwd=place / "work")
    told = json.loads(again.stdout)
    assert again.returncode == 0, again.stderr
    assert (told["done"], told["kept"], told["failed"]) == (1, 2, {})
    assert {name: cli.snapshot(ran.runs / name) for name in ("one", "two")} == before
    assert not (ran.runs / "three" / "report.html").exists()
    assert all(number == 1 for number in (steps_of(place) - ran.steps).values())
    monkeypatch.chdir(place / "work")
    nothing = cli.run(*ran.command[:-1], "--no-report")
    assert nothing.exit_code == 0 and "3 of 3 songs are done, 3 of them before" in nothing.stdout


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
    manifest = write_manifest(place, one)
    for more in ([], ["--scheduler", "tcp://127.0.0.1:1"]):
        result = cli.run("songs", "search", manifest, "--out", tmp_path / "a", "--device", "abacus", *more)
        cli.refused(result, "abacus")
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


# Whatever happens

PROGRAM = [sys.executable, "-c", "from grafx.cli import main; main()"]


@pytest.fixture(scope="module")
def alone(cli, place):
    """What ``grafx search`` finds for each song."""
    return {name: content(cli, twin(cli, place, place / name)) for name in SONGS}


@pytest.fixture
def begin(place):
    """Starts processes in the working directory, which end with the test at the latest."""
    started = []
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GRAFX_TEST_WORKER": "1", "PYTHONPATH": str(place / "work")}

    def begin_one(*command, **options):
        log = open(place / f"log-{len(started)}", "w+")  # noqa: SIM115 – as long as the process
        process = subprocess.Popen(
            [str(part) for part in command], cwd=place / "work", env=environment, stdout=log, stderr=log, **options
        )
        started.append((process, log))
        return process

    begin_one.logs = lambda: "\n".join(Path(log.name).read_text() for _, log in started)
    yield begin_one
    for process, log in started:
        process.kill()
        process.wait()
        log.close()


def wait_for(condition, *processes):
    """Look again and again."""
    deadline = time.monotonic() + 500
    while not condition():
        assert time.monotonic() < deadline
        with contextlib.suppress(subprocess.TimeoutExpired):
            processes[0].wait(timeout=0.1)


def steps_done(place):
    return sum(steps_of(place).values()) if (place / "work" / "steps").exists() else 0


@pytest.mark.slow(seconds=90)
def test_a_client_that_ends_leaves_songs_that_go_on(cli, place, alone, begin, tmp_path):
    """Interrupts reach the workers, too, as from a terminal; workers end with a client that is killed."""
    manifest = write_manifest(place, *(line(place / name) for name in SONGS))
    (place / "work" / "steps").unlink(missing_ok=True)
    (tmp_path / "down").mkdir()
    runs = tmp_path / "down" / "runs"
    command = [*PROGRAM, "songs", "search", manifest, "--out", runs, "--workers", "2", *SMALL, "--json"]
    ends = "SIGINT", "SIGTERM", "SIGKILL"
    for resumed, number in enumerate(ends, start=1):  # each goes on where the one before stopped
        before = steps_done(place)
        client = begin(*command, start_new_session=True)
        wait_for(lambda before=before: steps_done(place) >= before + 2, client)
        (os.killpg if number == "SIGINT" else os.kill)(client.pid, getattr(signal, number))
        assert client.wait(timeout=200) == (-signal.SIGKILL if number == "SIGKILL" else 130), begin.logs()
        assert "Traceback" not in begin.logs()
        if number != "SIGKILL":
            assert {read_state(runs, name).state for name in SONGS} <= {WAITING, DONE}
            assert begin.logs().count("the same command resumes") == resumed
    assert begin(*command).wait(timeout=500) == 0, begin.logs()
    assert {name: same_but_config(cli, runs / name) for name in SONGS} == without_config(alone)
    assert sum(steps_of(place).values()) <= len(SONGS) * TOTAL + 2 * len(ends)  # of two workers, each time


@pytest.mark.slow(seconds=90)
def test_workers_die_and_a_scheduler_and_a_client(cli, place, alone, begin, tmp_path):
    manifest = write_manifest(place, *(line(place / name) for name in SONGS))
    (place / "work" / "steps").unlink(missing_ok=True)
    for number in range(KILLS):
        (place / "work" / f"kill-at-{1 + number % (TOTAL - 1)}-{number}").touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    running = {}

    def keep_up():
        """Start what is missing, as whoever keeps a cluster does."""
        if "scheduler" not in running or running["scheduler"].poll() is not None:
            options = ["--host", "127.0.0.1", "--port", port, "--no-dashboard"]
            running["scheduler"] = begin(sys.executable, "-m", "distributed.cli.dask_scheduler", *options)
        for name in ("a", "b"):
            if name not in running or running[name].poll() is not None:
                options = ["--nthreads", 1, "--no-nanny", "--no-dashboard", "--name", f"{name}-{len(running)}"]
                running[name] = begin(sys.executable, "-m", "distributed.cli.dask_worker", address, *options)
                running[f"restart {len(running)}"] = running[name]

    runs = tmp_path / "runs"
    command = [*PROGRAM, "songs", "search", manifest, "--out", runs, "--scheduler", address, *SMALL, "--json"]
    killed = {"scheduler": 5, "client": 10}
    for _ in range(6):
        keep_up()
        client = running["client"] = begin(*command)
        while client.poll() is None:
            keep_up()
            for name in [name for name, steps in killed.items() if steps_done(place) >= steps]:
                del killed[name]
                running[name].kill()
                running[name].wait()
                if name == "scheduler":
                    assert client.wait(timeout=100) == 1 and "is gone" in begin.logs(), begin.logs()
            with contextlib.suppress(subprocess.TimeoutExpired):
                client.wait(timeout=0.2)
        if client.returncode == 0:
            break
    assert client.returncode == 0 and not killed, begin.logs()
    assert not list((place / "work").glob("kill-*")) and "Traceback" not in json.dumps(sorted(killed))
    assert {name: same_but_config(cli, runs / name) for name in SONGS} == without_config(alone)
    lost = KILLS + 2 + 2  # a step for each that dies, or loses another
    assert sum(steps_of(place).values()) <= len(SONGS) * TOTAL + lost


def same_but_config(cli, folder):
    """Paths in it count from where it is."""
    return {path: data for path, data in content(cli, folder).items() if path.name != "config.toml"}


def without_config(alone):
    return {name: {p: d for p, d in files.items() if p.name != "config.toml"} for name, files in alone.items()}
