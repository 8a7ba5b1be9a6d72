"""GraphBench: its tasks are what they were, and entries are scored as they deserve."""

import copy
import json
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch):
    """The package ``benchmarks.graphbench``, which is not installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    import benchmarks.graphbench.__main__
    import benchmarks.graphbench.entry
    import benchmarks.graphbench.tasks

    return benchmarks.graphbench


@pytest.fixture
def entry(bench):
    """One that knows the truth of the first two chains of drum effects."""
    task = bench.tasks.TASKS["drums"]
    truths = {split: [example.G for example in task.test(split, 2)] for split in bench.tasks.SPLITS}
    tasks = {"drums": bench.entry.task_entry(task, truths)}
    return {"benchmark": "GraphBench", "version": 1, "model": "Truth", "hears": "output", "tasks": tasks}


def written(entry, tmp_path):
    path = tmp_path / "entry.json"
    path.write_text(json.dumps(entry))
    return path


def test_a_task_does_not_change_unnoticed(bench):
    """Entries are compared over the years: a change of a task is a new task."""
    digests = {name: task.digest for name, task in bench.tasks.TASKS.items()}
    assert digests == DIGESTS


DIGESTS = {"drums": "857188ee4f7d01d1", "tones": "366fb14472318aed", "consoles": "7b17952d88f9cdfb"}


@pytest.mark.parametrize("name", DIGESTS)
def test_splits_have_dry_sounds_of_their_own_and_graphs_too(bench, name):
    task = bench.tasks.TASKS[name]
    seen, unseen = (set(task.dry_sounds(split).names) for split in bench.tasks.SPLITS)
    assert seen and unseen and not seen & unseen
    (learned, *_) = task.training(2)
    for split, allowed in zip(bench.tasks.SPLITS, (seen, unseen), strict=True):
        (example,) = task.test(split, 1)
        assert set(example.sounds) <= allowed and example.output.shape == (2, 88200)
        assert all(example.seed != other.seed for other in learned)
        assert set(learned[0].sounds) <= seen


def test_the_truth_scores_best_and_a_wrong_graph_worse(bench, entry, tmp_path):
    scores = bench.entry.score_entry(bench.entry.read_entry(written(entry, tmp_path)))["drums"]
    for split in bench.tasks.SPLITS:
        assert scores[split]["node_type_error"] == scores[split]["parameter_error"] == 0
        assert scores[split]["node_f1"] == scores[split]["edge_f1"] == 1
        assert scores[split]["mel"] == pytest.approx(0, abs=1e-5)
    swapped = copy.deepcopy(entry)
    swapped["tasks"]["drums"]["unseen"].reverse()
    worse = bench.entry.score_entry(swapped)["drums"]["unseen"]
    assert worse["node_type_error"] > 0 and worse["mel"] > 0.1


def test_a_command_checks_claims(bench, entry, tmp_path, capsys):
    entry["scores"] = bench.entry.score_entry(entry)
    bench.__main__.main(["check", str(written(entry, tmp_path))])
    assert json.loads(capsys.readouterr().out) == entry["scores"]
    entry["scores"]["drums"]["seen"]["node_f1"] = 0.9
    del entry["scores"]["drums"]["unseen"]["mel"]
    with pytest.raises(SystemExit) as refusal:
        bench.__main__.main(["check", str(written(entry, tmp_path))])
    first, second = str(refusal.value.code).splitlines()
    assert first == "drums, seen: node_f1 is 1, but the entry says 0.9."
    assert second.startswith("drums, unseen: mel is") and second.endswith("says nothing.")


CLAIMS = {
    "of a task without graphs": (
        {"drums": {"seen": {"mel": 0.5}}, "tones": {"seen": {"mel": 0.1}}},
        "tones, seen: mel",
    ),
    "of another score": ({"drums": {"seen": {"mel": 0.5, "fame": 1.0}}}, "drums, seen: fame"),
    "of a number where there is none": ({"drums": {"seen": {"mel": 0.5, "parameter_error": 0.0}}}, "parameter_error"),
    "of true for a number": ({"drums": {"seen": {"mel": True}}}, "mel"),
    "of nothing": (None, "mel"),
    "of a list": ([0.5], "mel"),
    "of not a number": ({"drums": {"seen": {"mel": float("nan")}}}, "mel"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_claims_that_nothing_supports_are_told(bench, case):
    claimed, text = CLAIMS[case]
    computed = {"drums": {"seen": {"mel": 0.5, "parameter_error": None}}}
    assert not bench.entry.check_scores(computed, computed)
    assert any(text in line for line in bench.entry.check_scores(claimed, computed))


def spoiled(entry, change):
    entry = copy.deepcopy(entry)
    change(entry)
    return entry


WRONG = {
    "of another benchmark": (lambda e: e.update(benchmark="Other"), "no entry"),
    "of a later version": (lambda e: e.update(version=2), "version"),
    "hears what nobody knows": (lambda e: e.update(hears="all"), "hears"),
    "without a name": (lambda e: e.update(model=""), "model"),
    "without tasks": (lambda e: e.update(tasks={}), "drums, tones, consoles"),
    "of another task": (lambda e: e["tasks"].update(bells=e["tasks"]["drums"]), "drums, tones, consoles"),
    "of a task as it was": (lambda e: e["tasks"]["drums"].update(digest="0"), "857188ee4f7d01d1"),
    "without one split": (lambda e: e["tasks"]["drums"].pop("seen"), "seen must be a list"),
    "too many": (lambda e: e["tasks"]["drums"].update(seen=[{}] * 201), "200 graphs"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_entry_is_refused(bench, entry, tmp_path, case):
    change, text = WRONG[case]
    with pytest.raises(bench.entry.EntryError, match=text):
        bench.entry.read_entry(written(spoiled(entry, change), tmp_path))


@pytest.mark.parametrize("content", ["", "[]", "3", "{", '"drums"', "[" * 10**5, '{"model": "A", "model": "B"}'])
def test_what_is_no_object_is_refused(bench, tmp_path, content):
    path = tmp_path / "entry.json"
    path.write_text(content)
    with pytest.raises(bench.entry.EntryError, match=r"entry\.json"):
        bench.entry.read_entry(path)


GRAPHS = {
    "no graph": [3, None, [], "graph", {"nodes": []}, {"nodes": None, "edges": None}, {"nodes": [], "edges": []}],
    "a node or an edge of another form": [
        {"nodes": [["in", {}], second, ["out", {}]], "edges": [[0, 1, "main", "main"], edge]}
        for second, edge in (
            (["bell", None], [1, 2, "main", "main"]),
            (["bell", []], [1, 2, "main", "main"]),
            (["bell"], [1, 2, "main", "main"]),
            ([3, {}], [1, 2, "main", "main"]),
            (["bell", {}], [True, 2, "main", "main"]),
            (["bell", {}], [1, 2.0, "main", "main"]),
            (["bell", {}], [1, 2, None, "main"]),
            (["bell", {}], [1, 2, "main"]),
        )
    ],
    "an inlet that nothing feeds": [
        {"nodes": [["in", {}], ["bell", {}], ["out", {}]], "edges": [[0, 2, "main", "main"]]}
    ],
    "an unknown type": [{"nodes": [["in", {}], ["bell2", {}], ["out", {}]], "edges": [[0, 1, "main", "main"]]}],
    "a cycle": [
        {
            "nodes": [["in", {}], ["bell", {}], ["lowpass", {}], ["out", {}]],
            "edges": [[1, 2, "main", "main"], [2, 1, "main", "main"], [0, 1, "main", "main"], [2, 3, "main", "main"]],
        }
    ],
    "a setting out of range": [
        {
            "nodes": [["in", {}], ["bell", {"gain_db": 1e9}], ["out", {}]],
            "edges": [[0, 1, "main", "main"], [1, 2, "main", "main"]],
        }
    ],
}


@pytest.mark.parametrize("case", GRAPHS)
def test_a_graph_that_cannot_be_rendered_is_named(bench, entry, case):
    for graph in GRAPHS[case]:
        changed = spoiled(entry, lambda e, graph=graph: e["tasks"]["drums"]["seen"].__setitem__(1, graph))
        with pytest.raises(bench.entry.EntryError, match=r"drums: seen\[1\]"):
            bench.entry.score_entry(changed)


def test_graphs_survive_entries(bench):
    """Also with several inputs, sends and side chains, and settings of several values."""
    task = bench.tasks.TASKS["consoles"]
    for example in task.test("seen", 2):
        plain = json.loads(json.dumps(bench.entry.plain_graph(example.G)))
        again = bench.entry.read_graph(plain, task.prior.config, "here")
        before, after = (
            sorted((u, v, data["outlet"], data["inlet"]) for u, v, data in G.edges(data=True))
            for G in (example.G, again)
        )
        assert before == after and sum(t == "in" for _, t in again.nodes(data="node_type")) > 1
        for node, data in example.G.nodes(data=True):
            assert again.nodes[node]["node_type"] == data["node_type"]
            assert (again.nodes[node]["parameters"] or {}) == (data["parameters"] or {})


def test_sounds_are_written_for_other_programs(bench, tmp_path):
    from grafx.audio import read_audio

    bench.__main__.write_test("drums", tmp_path, count=1)
    (example,) = bench.tasks.TASKS["drums"].test("unseen", 1)
    for name, sound in (("000", example.output), ("000-dry0", example.sources[0])):
        read, rate = read_audio(tmp_path / "drums" / "unseen" / f"{name}.wav")
        assert rate == 44100 and torch.equal(read, sound)
