import json
import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.fixture(autouse=True)
def few_measured(monkeypatch):
    """What has learned nothing says long graphs, whose comparison takes long."""
    monkeypatch.setattr("grafx.estimate.train.MEASURED", 2)


def about(folder):
    return json.loads((folder / "model.json").read_text())["about"]


def test_a_model_is_trained_and_measured(cli, trained, recipe):
    again = cli.run("train", "--preset", recipe, "--out", trained, "--workers", 0)
    assert again.exit_code == 0
    assert "With the dry sound" in again.output
    assert "Without the dry sound" in again.output
    printed = cli.run("train", "--preset", recipe, "--out", trained, "--workers", 0, "--json", "--quiet")
    assert json.loads(printed.stdout)["measures"] == about(trained)["measures"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--preset", "tinny"], "no preset 'tinny'"),
        (["--sounds", "EMPTY"], "has no audio files"),
        (["--sounds", "EMPTY/none"], "is no folder"),
        (["--prior", "none"], "no prior 'none'"),
        (["--data", "EMPTY"], "EMPTY"),
        (["--precision", "8"], "cannot be trained like this"),
        (["--accelerator", "abacus"], "cannot be trained like this"),
        (["--out", "FILE"], "is a file"),
        (["--examples", "0"], "examples"),
        (["--dry", "maybe"], "maybe"),
        (["--data", "EMPTY", "--prior", "drums"], "--prior would make data"),
        (["--data", "EMPTY", "--sounds", "drums", "--examples", "3"], "--sounds, --examples would make data"),
        (["--tensorboard", "FILE"], "is a file"),
    ],
)
def test_what_cannot_be_trained_is_said_and_nothing_is_left(cli, recipe, tmp_path, options, says):
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "FILE").write_text("kept")
    places = {name: str(tmp_path / name) for name in ("EMPTY", "EMPTY/none", "FILE")}
    options = [places.get(option, option) for option in options]
    result = cli.run("train", "--preset", recipe, "--out", tmp_path / "out", "--workers", 0, *options)
    assert result.exit_code != 0
    assert says in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "out" / "model.json").exists()
    assert (tmp_path / "FILE").read_text() == "kept"


@pytest.mark.parametrize(("options", "seeds"), [([], (3, 7)), (["--seed", 0], (0, 0)), (["--seed", 5], (5, 5))])
def test_the_seeds_of_a_recipe_hold_unless_another_is_given(cli, tmp_path, monkeypatch, options, seeds):
    asked = []
    monkeypatch.setattr("grafx.cli.train.run_train", lambda recipe, *_others: asked.append(recipe))
    (tmp_path / "mine.toml").write_text("[data]\nseed = 3\n[training]\nseed = 7\n")
    result = cli.run("train", "--preset", tmp_path / "mine.toml", "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert (asked[0].data.seed, asked[0].training.seed) == seeds


def test_another_model_is_left_as_it_is(cli, trained, recipe):
    before = (trained / "model.safetensors").read_bytes()
    result = cli.run("train", "--preset", recipe, "--out", trained, "--seed", 1, "--workers", 0)
    assert result.exit_code == 1
    assert "left as it is" in " ".join(result.output.split())
    assert (trained / "model.safetensors").read_bytes() == before


def test_shards_are_learned_from(cli, recipe, tmp_path):
    made = cli.run(
        "data", "drums", "--out", tmp_path / "data", "--count", 10, "--valid", 4, "--test", 0, "--seconds", 0.2
    )
    assert made.exit_code == 0, made.output
    result = cli.run(
        "train", "--preset", recipe, "--data", tmp_path / "data", "--out", tmp_path / "out", "--workers", 0
    )
    assert result.exit_code == 0, result.output
    assert about(tmp_path / "out")["seconds"] == 0.2


def test_progress_is_written_for_tensorboard(cli, recipe, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = cli.run(
        "train", "--preset", recipe, "--out", tmp_path / "out", "--workers", 0, "--tensorboard", tmp_path / "runs"
    )
    assert result.exit_code == 0, result.output
    events = EventAccumulator(str(tmp_path / "runs"))
    events.Reload()
    said = about(tmp_path / "out")
    curve = [[one.step, pytest.approx(one.value)] for one in events.Scalars("loss/train")]
    assert curve == [row[:2] for row in said["curve"]]
    assert [one.step for one in events.Scalars("loss/valid")] == [10, 20]


def test_without_lightning_the_extra_is_named(cli, recipe, tmp_path):
    prelude = "import sys; sys.modules['lightning_fabric'] = None"
    result = cli.run_elsewhere("train", "--preset", recipe, "--out", tmp_path / "out", "--workers", 0, prelude=prelude)
    assert result.returncode == 1
    assert "extra 'estimate'" in " ".join(result.stderr.split())


def test_the_command_starts_without_heavy_packages(cli):
    code = "import sys, grafx.cli.main; print([m for m in ('lightning_fabric', 'tensorboard') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_training_goes_on_to_the_same_curve(cli, trained, recipe, tmp_path):
    command = [sys.executable, "-m", "grafx", "train", "--preset", recipe, "--out", tmp_path / "out", "--workers", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for file in ("data/train/00000.safetensors", "checkpoint.safetensors"):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while not (tmp_path / "out" / file).exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.wait()
    result = cli.run("train", "--preset", recipe, "--out", tmp_path / "out", "--workers", 0)
    assert result.exit_code == 0, result.output
    assert about(tmp_path / "out")["curve"] == about(trained)["curve"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_have_the_losses_of_one(trained, recipe, tmp_path):
    options = [
        "--preset",
        recipe,
        "--out",
        tmp_path / "out",
        "--workers",
        "0",
        "--accelerator",
        "cpu",
        "--devices",
        "2",
    ]
    result = subprocess.run(
        [sys.executable, "-m", "grafx", "train", *map(str, options)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for name in ("curve", "valid"):
        for one, two in zip(about(trained)[name], about(tmp_path / "out")[name], strict=True):
            assert two == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("precision", ["bf16-mixed"])
def test_training_in_mixed_precision(cli, recipe, tmp_path, precision):
    result = cli.run(
        "train", "--preset", recipe, "--out", tmp_path / "out", "--workers", 0, "--precision", precision,
        "--accelerator", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert all(row[1] < 50 for row in about(tmp_path / "out")["curve"])
