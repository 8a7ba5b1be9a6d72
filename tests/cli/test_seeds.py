"""Several seeds of one search on the command line."""

import json
import os
import shutil
import signal
import tomllib
from types import SimpleNamespace

import pytest

from grafx.data import load_grafx
from grafx.search import Search, sureness

SMALL = ["--chain", "compressor,gain", "--master", "gain", "--tolerance", "0.1", "--json"]
SEEDS = ["--seed", "3", "--seeds", "3"]


@pytest.fixture(scope="module")
def command(search_arguments):
    return [*search_arguments[:-1], *SMALL, *SEEDS, "--out"]


@pytest.fixture(scope="module")
def found(cli, command, tmp_path_factory):
    """A finished search with three seeds; not to be changed."""
    folder = tmp_path_factory.mktemp("seeds") / "out"
    result = cli.run(*command, folder)
    assert result.exit_code == 0, (result.output, result.exception)
    return SimpleNamespace(folder=folder, metrics=json.loads(result.stdout), stderr=result.stderr)


@pytest.fixture
def copy(found, tmp_path):
    return shutil.copytree(found.folder, tmp_path / "copy")


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def timeless(cli, folder):
    """Everything in a folder but for how long it took."""
    files = {path.as_posix(): content for path, content in cli.snapshot(folder).items()}
    for path in [path for path in files if path.endswith("metrics.json")]:
        files[path] = {name: value for name, value in json.loads(files[path]).items() if name != "seconds"}
    return files


def test_the_best_seed_is_the_result(cli, found):
    out, metrics = found.folder, found.metrics
    assert sorted(path.name for path in out.iterdir()) == sorted([*cli.files, cli.page, "seeds"])
    assert metrics == {name: value for name, value in metrics_of(out).items() if name != "history"}
    each = {seed: metrics_of(out / "seeds" / str(seed)) for seed in (3, 4, 5)}
    assert metrics["finished"] and [entry["seed"] for entry in metrics["seeds"]] == list(each)
    for entry in metrics["seeds"]:
        assert {name: value for name, value in entry.items() if name != "seed"}.items() <= each[entry["seed"]].items()
    bound = min(one["console_loss"] for one in each.values()) + 0.1
    within = {seed: one for seed, one in each.items() if one["found_loss"] <= bound}
    best = min(within, key=lambda seed: (within[seed]["found_processors"], within[seed]["found_loss"]))
    assert metrics["seed"] == best
    for name in each[best]:
        assert metrics_of(out)[name] == each[best][name], name
    for name in set(cli.files) - {"metrics.json", "config.toml"}:
        assert (out / name).read_bytes() == (out / "seeds" / str(best) / name).read_bytes()


def test_what_is_sure_is_that_of_the_graphs(found):
    graphs = [load_grafx(found.folder / "seeds" / str(seed))[0] for seed in (3, 4, 5)]
    parts = {(part.owner, part.type): part for part in sureness(graphs)}
    sure = {(part["owner"], part["type"]): part for part in found.metrics["sure"]}
    console = [("kick", "compressor"), ("kick", "gain"), ("pad", "compressor"), ("pad", "gain"), ("master", "gain")]
    assert sorted(sure) == sorted(console)
    for place, part in sure.items():
        assert part["of"] == 3 and part["survived"] == (parts[place].survived if place in parts else 0)
        for name, spread in part["settings"].items():
            values = [
                node["settings"][name]
                for seed in (3, 4, 5)
                for node in metrics_of(found.folder / "seeds" / str(seed))["nodes"]
                if (node["owner"], node["type"]) == place
            ]
            assert (spread["lowest"], spread["highest"]) == (min(values), max(values))
            assert sorted(values)[(len(values) - 1) // 2] <= spread["median"] <= sorted(values)[len(values) // 2]
    assert any(spread["lowest"] < spread["highest"] for part in sure.values() for spread in part["settings"].values())


def test_progress_says_which_seed(found):
    for number, seed in enumerate((3, 4, 5), 1):
        assert f"seed {seed} ({number} of 3), fitting the console: 0 of " in found.stderr


def test_a_seed_of_several_is_that_seed_alone(cli, command, found, tmp_path):
    alone = [*command[: -len(SEEDS) - 1], "--seed", "4", "--out", tmp_path / "alone"]
    assert cli.run(*alone).exit_code == 0
    one, several = timeless(cli, tmp_path / "alone"), timeless(cli, found.folder / "seeds" / "4")
    assert one.pop(cli.page)  # which of several only the best has
    assert {name for name in one if one[name] != several[name]} <= {"config.toml"}  # paths
    assert tomllib.loads(several["config.toml"].decode())["seeds"] == 1


def test_the_config_repeats_it(cli, copy, monkeypatch):
    config = tomllib.loads((copy / "config.toml").read_text())
    assert (config["seed"], config["seeds"]) == (3, 3)
    before = cli.snapshot(copy)
    monkeypatch.setattr(Search, "_gradient_step", None)  # nothing is run again
    again = cli.run("search", "--config", copy / "config.toml")
    assert again.exit_code == 0, (again.output, again.exception)
    assert "finished already" in again.output and "What is sure" in again.output and " of 3" in again.output
    assert cli.snapshot(copy) == before


def test_seeds_that_are_finished_are_not_run_again(cli, command, copy, found, monkeypatch):
    wanted = timeless(cli, found.folder)
    shutil.rmtree(copy / "seeds" / "5")
    for name in cli.files:
        (copy / name).unlink()
    ran = []
    step = Search._gradient_step
    monkeypatch.setattr(Search, "_gradient_step", lambda search: (ran.append(search.options.seed), step(search))[1])
    assert cli.run(*command, copy).exit_code == 0
    assert set(ran) == {5} and timeless(cli, copy) == wanted


def test_more_seeds_go_on_from_fewer(cli, command, found, tmp_path, monkeypatch):
    out = shutil.copytree(found.folder, tmp_path / "out")
    shutil.rmtree(out / "seeds" / "5")
    shutil.rmtree(out / "seeds" / "4")
    fewer = [*command[:-1], "--seeds", "2", "--out", out]
    assert cli.run(*fewer).exit_code == 0 and len(metrics_of(out)["seeds"]) == 2
    assert cli.run(*command, out).exit_code == 0
    assert timeless(cli, out) == timeless(cli, found.folder)


KILL = """
import os, signal
from grafx.search import Search
import grafx.cli.progress
grafx.cli.progress.SECONDS_BETWEEN_CHECKPOINTS = 0
step = Search._gradient_step
def stepping(search):
    progress = step(search)
    if (search.options.seed, search.step) == (4, 4):
        os.kill(os.getpid(), signal.SIGKILL)
    return progress
Search._gradient_step = stepping
"""


def test_killed_in_the_second_seed_it_ends_as_if_it_had_not_been(cli, command, found, tmp_path):
    out = tmp_path / "out"
    killed = cli.run_apart(*command, out, prelude=KILL)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(path.name for path in out.iterdir()) == ["seeds"]
    again = cli.run(*command, out)
    assert again.exit_code == 0 and "Going on after step 3 of" in again.stderr
    assert timeless(cli, out) == timeless(cli, found.folder)


@pytest.mark.parametrize("seed", [3, pytest.param(5, marks=pytest.mark.slow)])
def test_an_interrupt_leaves_the_best_so_far(cli, command, found, tmp_path, monkeypatch, seed):
    step = Search._gradient_step

    def stepping(search):
        if (search.options.seed, search.step) == (seed, 3):
            os.kill(os.getpid(), signal.SIGINT)
        return step(search)

    monkeypatch.setattr(Search, "_gradient_step", stepping)
    out = tmp_path / "out"
    stopped = cli.run(*command, out)
    assert stopped.exit_code == 130 and "the same command resumes" in stopped.stderr
    metrics = json.loads(stopped.stdout)
    assert not metrics["finished"] and [one["seed"] for one in metrics["seeds"]] == list(range(3, seed + 1))
    assert load_grafx(out)[0].number_of_nodes() > 0
    monkeypatch.undo()
    assert cli.run(*command, out).exit_code == 0
    assert timeless(cli, out) == timeless(cli, found.folder)


def test_a_folder_with_other_results_is_left_as_it_is(cli, command, search_arguments, copy, result_folder):
    plain = search_arguments[:-1]
    cases = [
        ([*plain, "--seeds", "2", "--out", result_folder], "another search"),  # of one seed
        ([*command[:-1], "--seed", "4", "--out", copy], "3, which are left"),
        ([*command[:-1], "--seeds", "2", "--out", copy], "5, which are left"),
        ([*command[:-1], "--tolerance", "0.2", "--out", copy], "another search"),
        ([*plain, "--out", copy], "another search"),
    ]
    for arguments, words in cases:
        folder = arguments[-1]
        before = cli.snapshot(folder)
        cli.refused(cli.run(*arguments), words)
        assert cli.snapshot(folder) == before


def test_a_search_of_one_seed_that_waits_is_not_mixed_with_several(cli, command, copy):
    (copy / "checkpoint").mkdir()
    before = cli.snapshot(copy)
    cli.refused(cli.run(*command, copy), "checkpoint", "another folder")
    assert cli.snapshot(copy) == before


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "x"])
def test_numbers_of_seeds_that_are_none(cli, search_arguments, tmp_path, number):
    result = cli.run(*search_arguments, tmp_path / "out", "--seeds", number)
    assert result.exit_code == 2 and not (tmp_path / "out").exists()


def test_seeds_beyond_the_last_are_refused_before_any_work(cli, search_arguments, tmp_path):
    result = cli.run(*search_arguments, tmp_path / "out", "--seed", str(2**63 - 2), "--seeds", "3")
    cli.refused(result, "seed", status=1)
    assert not (tmp_path / "out").exists()


# Several at a time

TWO_AT_A_TIME = "import torch; torch.set_num_threads(2)\n"

INTERRUPTED = """
import os, signal, threading, time
from pathlib import Path
def interrupt():
    while not list(Path({out!r}).glob("seeds/*/checkpoint")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.{signal})
threading.Thread(target=interrupt, daemon=True).start()
"""


@pytest.mark.slow
def test_several_at_a_time_find_the_same(cli, command, found, tmp_path):
    result = cli.run_apart(*command, tmp_path / "out", prelude=TWO_AT_A_TIME)
    assert result.returncode == 0, result.stderr
    assert timeless(cli, tmp_path / "out") == timeless(cli, found.folder)
    assert result.stderr.count("fitting the console: 0 of ") == 3
    metrics = json.loads(result.stdout)
    assert {**metrics, "seconds": 0} == {**found.metrics, "seconds": 0}


@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
@pytest.mark.slow
def test_several_at_a_time_end_and_go_on(cli, command, found, tmp_path, number):
    out = tmp_path / "out"
    prelude = TWO_AT_A_TIME + INTERRUPTED.format(out=str(out), signal=number)
    stopped = cli.run_apart(*command, out, prelude=prelude)
    assert stopped.returncode == (130 if number == "SIGTERM" else -signal.SIGKILL), stopped.stderr
    assert "Traceback" not in stopped.stderr and (out / "seeds").is_dir()
    again = cli.run_apart(*command, out, prelude=TWO_AT_A_TIME)
    assert again.returncode == 0, again.stderr
    assert timeless(cli, out) == timeless(cli, found.folder)


@pytest.mark.slow
def test_several_at_a_time_refuse_the_same(cli, command, copy):
    before = cli.snapshot(copy)
    result = cli.run_apart(*command[:-1], "--tolerance", "0.2", "--out", copy, prelude=TWO_AT_A_TIME)
    cli.refused(result, "another search")
    assert cli.snapshot(copy) == before
