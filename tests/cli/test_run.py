import os
import signal
from pathlib import Path

import pytest
import torch

from grafx.audio import read_audio
from grafx.cli.material import parse_groups, stem_names
from grafx.data import GraphError, load_grafx, save_grafx
from grafx.search import Search
from grafx.search.mixing.console import console_processors

# Names


@pytest.mark.parametrize(
    "paths, names",
    [
        (["a/kick.wav", "b/snare.flac"], ["kick", "snare"]),
        (["a/x.wav", "b/x.wav", "c/x.wav"], ["x", "x-2", "x-3"]),
        (["x.wav", "x-2.wav", "b/x.wav"], ["x", "x-2", "x-3"]),
        (["x.wav", "b/x.wav", "x-2.wav"], ["x", "x-3", "x-2"]),
        (["x.wav", "x-3.wav", "b/x.wav", "c/x.wav"], ["x", "x-3", "x-2", "x-4"]),
        (["x-2.wav", "b/x-2.wav", "x.wav", "b/x.wav"], ["x-2", "x-2-2", "x", "x-3"]),
        (["a.b.wav", ".hidden"], ["a.b", ".hidden"]),
    ],
)
def test_stems_are_named_after_their_files(paths, names):
    assert stem_names([Path(path) for path in paths]) == names


def test_groups_are_parsed():
    assert parse_groups([]) == {}
    assert parse_groups(["a=x", "b=y,z w"]) == {"a": ["x"], "b": ["y", "z w"]}
    assert parse_groups(["a=x=y"]) == {"a": ["x=y"]}


@pytest.mark.parametrize("texts", [["a"], ["=x"], ["a="], [""], ["a=x,"], ["a=,x"], ["a=x", "a=y"]])
def test_groups_that_cannot_be_parsed(texts):
    with pytest.raises(GraphError):
        parse_groups(texts)


# Interrupts

SIGNAL_AFTER = """
import os, signal
from grafx.search import Search
step = Search._gradient_step
def stepping(search):
    progress = step(search)
    if search.step == {step}:
        os.kill(os.getpid(), signal.{signal})
    return progress
Search._gradient_step = stepping
"""


def same_results(first, second):
    """Whether two searches found the same, to the last bit."""
    graphs = [load_grafx(folder)[0] for folder in (first, second)]
    for graph, other in (graphs, graphs[::-1]):
        for node, data in graph.nodes(data=True):
            values = data["parameters"] or {}
            others = other.nodes[node]["parameters"] or {}
            if not all(torch.equal(value, others[name]) for name, value in values.items()):
                return False
    return torch.equal(*[read_audio(folder / "mix.wav")[0] for folder in (first, second)])


@pytest.mark.slow
def test_an_interrupt_leaves_a_result_and_the_next_run_goes_on(cli, search_arguments, searched, material, tmp_path):
    out = tmp_path / "out"
    stopped = cli.run_apart(*search_arguments, out, prelude=SIGNAL_AFTER.format(step=2, signal="SIGINT"))
    assert stopped.returncode == 130, stopped.stderr
    assert "Stopping after this step" in stopped.stderr and "the same command resumes" in stopped.stderr
    assert "Traceback" not in stopped.stderr and "Note:" not in stopped.stdout
    assert sorted(path.name for path in out.iterdir()) == sorted([*cli.files, "checkpoint"])
    rendered = cli.run("render", out, *material.stems, "--out", tmp_path / "a.wav")
    assert rendered.exit_code == 0
    assert torch.allclose(*[read_audio(path)[0] for path in (tmp_path / "a.wav", out / "mix.wav")], atol=1e-5)

    before = cli.snapshot(out)
    cli.refused(cli.run(*search_arguments, out, "--seed", "1"), "other audio or options")
    assert cli.snapshot(out) == before

    result = cli.run(*search_arguments, out)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "Going on after step 2 of 5." in result.output
    assert sorted(path.name for path in out.iterdir()) == sorted([*cli.files, cli.page])
    assert same_results(out, searched.folder)


@pytest.fixture
def steps(monkeypatch):
    """Calls what it is given with the search after each gradient step."""

    def watch(function):
        original = Search._gradient_step

        def stepping(search):
            progress = original(search)
            function(search)
            return progress

        monkeypatch.setattr(Search, "_gradient_step", stepping)

    return watch


@pytest.mark.parametrize(
    "step, number",
    [
        (4, signal.SIGINT),
        pytest.param(5, signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(3, signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_stopped_at_any_step_it_ends_as_if_it_had_not_been(
    cli, search_arguments, searched, tmp_path, monkeypatch, steps, step, number
):
    steps(lambda search: search.step == step and os.kill(os.getpid(), number))
    handler = signal.getsignal(number)
    result = cli.run(*search_arguments, tmp_path / "out")
    assert result.exit_code == 130 and "Stopped." in result.output
    assert signal.getsignal(number) is handler
    monkeypatch.undo()
    assert cli.run(*search_arguments, tmp_path / "out").exit_code == 0
    assert same_results(tmp_path / "out", searched.folder)


def test_a_second_interrupt_leaves_at_once(cli, search_arguments, tmp_path, steps):
    def interrupt_twice(search):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    steps(interrupt_twice)
    result = cli.run(*search_arguments, tmp_path / "out")
    assert result.exit_code != 0 and "Traceback" not in result.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["checkpoint"]


@pytest.mark.slow
def test_killed_it_goes_on_from_the_last_checkpoint(cli, search_arguments, searched, tmp_path):
    prelude = "import grafx.cli.progress; grafx.cli.progress.SECONDS_BETWEEN_CHECKPOINTS = 0\n"
    killed = cli.run_apart(
        *search_arguments, tmp_path / "out", prelude=prelude + SIGNAL_AFTER.format(step=4, signal="SIGKILL")
    )
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["checkpoint"]
    result = cli.run(*search_arguments, tmp_path / "out")
    assert "Going on after step 3 of 5." in result.output
    assert same_results(tmp_path / "out", searched.folder)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*cli.files, cli.page])


@pytest.mark.slow
def test_a_failure_while_writing_results_loses_nothing(cli, search_arguments, searched, tmp_path, monkeypatch):
    def fail(search):
        raise OSError(28, "No space left on device", "loss.svg")

    monkeypatch.setattr("grafx.search.mixing.report.plot_losses", fail)
    cli.refused(cli.run(*search_arguments, tmp_path / "out"), "No space left")
    monkeypatch.undo()
    result = cli.run(*search_arguments, tmp_path / "out")
    assert result.exit_code == 0 and "Going on after step 5 of 5." in result.output
    assert same_results(tmp_path / "out", searched.folder)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*cli.files, cli.page])


def test_a_damaged_checkpoint_is_named(cli, search_arguments, tmp_path, steps):
    steps(lambda search: os.kill(os.getpid(), signal.SIGINT))
    cli.run(*search_arguments, tmp_path / "out")
    graph = tmp_path / "out" / "checkpoint" / "current" / "graph.json"
    graph.write_text(graph.read_text()[:1000])
    before = cli.snapshot(tmp_path / "out")
    cli.refused(cli.run(*search_arguments, tmp_path / "out"), "checkpoint is damaged", "remove it")
    assert cli.snapshot(tmp_path / "out") == before


def test_damaged_metrics_are_those_of_another_search(cli, search_arguments, result_folder):
    for content in ("", "[]", '{"finished": true}', "null"):
        (result_folder / "metrics.json").write_text(content)
        before = cli.snapshot(result_folder)
        cli.refused(cli.run(*search_arguments, result_folder), "another search")
        assert cli.snapshot(result_folder) == before


# Rendering


@pytest.mark.slow
def test_stems_that_were_padded_and_cut_render_as_they_did_then(cli, material, tmp_path):
    kick, pad = cli.make_stems()
    paths = [
        cli.write(tmp_path / "kick.wav", kick[:, :9000]),
        cli.write(tmp_path / "pad.wav", torch.cat([pad, pad[:, :2000]], dim=1)),
    ]
    out = tmp_path / "out"
    searched = cli.run("search", *paths, "--mix", material.mix, *cli.steps, "--out", out)
    assert searched.exit_code == 0, (searched.output, searched.exception)
    same = cli.run("render", out, *paths, "--out", tmp_path / "same.wav")
    assert same.exit_code == 0 and "padded" in same.output and "cut" in same.output
    assert torch.allclose(read_audio(tmp_path / "same.wav")[0], read_audio(out / "mix.wav")[0], atol=1e-6)
    # Another take keeps its own length.
    cli.write(paths[0], 0.5 * kick[:, :9000])
    other = cli.run("render", out, *paths, "--out", tmp_path / "other.wav")
    assert other.exit_code == 0 and "cut" not in other.output
    assert read_audio(tmp_path / "other.wav")[0].shape == (2, 13025)


@pytest.mark.parametrize("left", [[("kick", "eq")], [("pad", "eq"), ("master", "delay")], []])
def test_pruned_graphs_render_in_blocks_and_with_their_tail(cli, result_folder, material, tmp_path, left):
    G, _, metadata = load_grafx(result_folder)
    for node in [node for node, data in G.nodes(data=True) if "owner" in data]:
        G.bypass(node)
    for owner, node_type in left:
        bus = next(node for node, data in G.nodes(data=True) if data["name"] == owner)
        added = G.insert(node_type, bus, next(G.successors(bus)))
        size = {name: torch.zeros(n) for name, n in console_processors()[node_type].parameter_size().items()}
        G.nodes[added].update(owner=owner, parameters=size, drywet_weight=0.7)
    save_grafx(G, result_folder, metadata=metadata)
    found = {}
    for name, options in {"whole": [], "small": ["--block", 999], "large": ["--block", 20000, "--tail"]}.items():
        result = cli.run("render", result_folder, *material.stems, "--out", tmp_path / f"{name}.wav", *options)
        assert result.exit_code == 0, (result.output, result.exception)
        found[name] = read_audio(tmp_path / f"{name}.wav")[0]
    torch.testing.assert_close(found["small"], found["whole"], rtol=1e-4, atol=1e-5)
    same = found["whole"].shape[1] - 1024  # before the equalizer hears what is cut off there
    torch.testing.assert_close(found["large"][:, :same], found["whole"][:, :same], rtol=1e-4, atol=1e-5)


def test_a_render_does_not_replace_a_stem(cli, result_folder, material):
    before = material.stems[0].read_bytes()
    cli.refused(cli.run("render", result_folder, *material.stems, "--out", material.stems[0]), "one of the stems")
    assert material.stems[0].read_bytes() == before
