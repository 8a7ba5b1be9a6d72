import contextlib
import itertools
import json
import os
import shutil
from dataclasses import fields

import pytest
import torch

from grafx.errors import SearchError
from grafx.search import Found, SearchState, load_checkpoint, remove_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def pruned(new_search):
    """A search stopped while it fine-tunes a pruned graph."""
    search = new_search()
    run = search.run()
    for _ in range(5):
        next(run)
    return search


@pytest.fixture(scope="module")
def saved(pruned, tmp_path_factory):
    """Its checkpoint, to be copied."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoint"
    save_checkpoint(pruned, folder)
    return folder


@pytest.fixture
def checkpoint(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "checkpoint")


def assert_same(search, other):
    assert search.history == other.history
    assert torch.equal(search.mixer.z_drywet, other.mixer.z_drywet)
    mine, theirs = search.mixer.state_dict(), other.mixer.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
    own, others = dict(search.mixer.named_parameters()), dict(other.mixer.named_parameters())
    for name, parameter in own.items():
        state, expected = search.optimizer.state[parameter], other.optimizer.state[others[name]]
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key]) for key in state)


def test_brings_everything_back(pruned, saved, new_search):
    search = new_search()
    assert load_checkpoint(search, saved)
    assert_same(search, pruned)
    assert (search.best.loss, search.console.loss) == (pruned.best.loss, pruned.console.loss)
    assert search.num_processors == pruned.num_processors
    for field in fields(SearchState):
        mine, theirs = getattr(search.state, field.name), getattr(pruned.state, field.name)
        assert type(mine) is type(theirs)
        if isinstance(mine, int | float | list):
            assert mine == theirs
        if isinstance(mine, Found):
            assert (mine.loss, mine.num_processors, mine.step) == (theirs.loss, theirs.num_processors, theirs.step)
            assert mine.G.nodes.keys() == theirs.G.nodes.keys()


def test_loading_leaves_the_checkpoint(saved, new_search):
    before = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    load_checkpoint(new_search(), saved)
    assert before == {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}


def test_nothing_to_load(new_search, tmp_path):
    search = new_search()
    assert load_checkpoint(search, tmp_path / "checkpoint") is False
    assert search.step == 0 and list(tmp_path.iterdir()) == []


def test_takes_the_place_of_an_older_one_and_leaves_nothing_beside(pruned, new_search, checkpoint):
    fresh = new_search()
    save_checkpoint(fresh, checkpoint)
    assert [path.name for path in checkpoint.parent.iterdir()] == ["checkpoint"]
    assert sorted(path.name for path in checkpoint.iterdir()) == ["current"]
    search = new_search()
    load_checkpoint(search, checkpoint)
    assert search.step == 0 and search.console is None


@pytest.mark.parametrize("change", ["tune_steps", "seed", "tolerance", "mix", "stems", "names", "groups"])
def test_another_search_is_refused(new_search, stems, mix, saved, change):
    other = {
        "tune_steps": {"tune_steps": 4},
        "seed": {"seed": 1},
        "tolerance": {"tolerance": 0.02},
        "mix": {"mix": mix * 1.0001},
        "stems": {"stems": stems.flip(0)},
        "names": {"names": ["kick", "organ"]},
        "groups": {"groups": {"bus": ["pad"]}},
    }[change]
    search = new_search(**other)
    with pytest.raises(SearchError, match=r"other audio or options.*another output folder"):
        load_checkpoint(search, saved)
    assert search.step == 0 and search.history == []


PARTS = ["current", "console", "best"]
FILES = ["graph.json", "parameters.safetensors"]


@pytest.mark.parametrize("part, file", [*itertools.product(PARTS, FILES), ("current", "optimizer.safetensors")])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise"])
def test_damaged_files_are_named(new_search, checkpoint, part, file, damage):
    path = checkpoint / part / file
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "noise": bytes(range(256)) * 8}[damage])
    with pytest.raises(SearchError, match=r"checkpoint is damaged.*remove it"):
        load_checkpoint(new_search(), checkpoint)


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_damage_and_leaves_the_search_as_it_was(new_search, checkpoint, part):
    shutil.rmtree(checkpoint / part)
    search = new_search()
    before = dict(vars(search.state))
    with pytest.raises(SearchError, match="damaged"):
        load_checkpoint(search, checkpoint)
    assert vars(search.state) == before and all(vars(search.state)[name] is before[name] for name in before)


def edit(folder, change):
    path = folder / "graph.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["metadata"].pop("fingerprint"),
        lambda document: document["metadata"].pop("history"),
        lambda document: document.update(metadata=[]),
        lambda document: document.update(nodes=[], edges=[]),
        lambda document: document["nodes"].pop(),
        lambda document: document["edges"].pop(),
        lambda document: document["nodes"][0].update(type="out"),
    ],
    ids=["fingerprint", "history", "metadata", "empty graph", "node", "edge", "type"],
)
def test_a_changed_graph_is_damage(new_search, checkpoint, change):
    edit(checkpoint / "current", change)
    with pytest.raises(SearchError, match="damaged"):
        load_checkpoint(new_search(), checkpoint)


class Crash(BaseException):
    pass


@contextlib.contextmanager
def crash_after(num_moves):
    """Crash instead of the next renaming, removing or flushing of a file or folder."""
    moves = itertools.count()

    def crashing(move):
        def moved(*args, **kwargs):
            if next(moves) == num_moves:
                raise Crash
            return move(*args, **kwargs)

        return moved

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Crash):
        patch.setattr(os, "replace", crashing(os.replace))
        patch.setattr(os, "fsync", crashing(os.fsync))
        patch.setattr(shutil, "rmtree", crashing(shutil.rmtree))
        yield


@pytest.mark.parametrize("first", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 24))])
def test_crashes_at_any_two_moves_leave_a_whole_one(pruned, new_search, checkpoint, first):
    search = new_search()
    for second in range(first % 4, 24, 4):
        for num_moves in (first, second):
            with crash_after(num_moves):
                save_checkpoint(pruned, checkpoint)
        assert load_checkpoint(search, checkpoint) and search.step == pruned.step


def test_a_crash_between_the_moves(pruned, new_search, checkpoint, monkeypatch):
    fresh = new_search()
    next(fresh.run())
    replace = os.replace

    def crashing(source, target):
        if str(target) == str(checkpoint):
            raise Crash
        replace(source, target)

    monkeypatch.setattr(os, "replace", crashing)
    with pytest.raises(Crash):
        save_checkpoint(fresh, checkpoint)
    assert not checkpoint.exists()
    search = new_search()
    assert load_checkpoint(search, checkpoint)
    assert_same(search, pruned)
    monkeypatch.undo()
    save_checkpoint(search, checkpoint)
    assert [path.name for path in checkpoint.parent.iterdir()] == ["checkpoint"]


def test_removing_leaves_nothing(checkpoint):
    keep = checkpoint.parent / "checkpoints.txt"
    keep.write_text("mine")
    for suffix in (".old", ".new"):
        shutil.copytree(checkpoint, checkpoint.with_name("checkpoint" + suffix))
    remove_checkpoint(checkpoint)
    remove_checkpoint(checkpoint)
    assert list(checkpoint.parent.iterdir()) == [keep]


def test_a_checkpoint_without_rounds_is_one_of_an_earlier_search(checkpoint, new_search):
    file = checkpoint / "current" / "graph.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["metadata"].pop("rounds")
    file.write_text(json.dumps(document), encoding="utf-8")
    search = new_search()
    assert load_checkpoint(search, checkpoint)
    assert search.rounds == []
    for _ in search.run():
        pass
    assert search.rounds


def test_entries_are_those_that_searches_have_written(saved):
    counters = {"round", "step", "step_in_round", "pruned", "second_chance", "headroom", "seconds", "history", "rounds"}
    entries = {part: json.loads((saved / part / "graph.json").read_text())["metadata"].keys() for part in PARTS}
    assert entries == {"current": counters | {"fingerprint"}} | {
        part: {"loss", "num_processors", "step"} for part in ("console", "best")
    }
