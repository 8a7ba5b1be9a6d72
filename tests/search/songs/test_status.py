"""How far many searches are, from what they have written."""

import json
import shutil

import pytest
from song_runs import write_run

from grafx.errors import SearchError
from grafx.files import locked
from grafx.search.songs import Song, write_manifest
from grafx.search.songs.state import SongState, write_state
from grafx.search.songs.status import read_status


def test_songs_are_counted(runs):
    status = read_status(runs)
    assert status.songs == {"done": 2, "failed": 1, "waiting": 1, "running": 0}
    assert [(state.name, state.attempts) for state in status.failed] == [("Song 2", 2)]
    assert "damaged" in status.failed[0].reason and status.seconds == 120
    assert not status.active and status.remaining is None and status.again == 0


def test_what_runs_is_told_only_while_somebody_runs_it(runs, tmp_path):
    copy = shutil.copytree(runs, tmp_path / "runs")
    write_state(copy, SongState("Song 3", "running", seconds=10, worker="w"))
    status = read_status(copy)
    assert (status.songs["running"], status.songs["waiting"], status.again, status.active) == (0, 1, 1, False)


def test_remaining_time(runs, tmp_path):
    multiprocessing = pytest.importorskip("multiprocessing").get_context("spawn")
    copy = shutil.copytree(runs, tmp_path / "runs")
    write_manifest([Song(f"Song {i}", copy / "m.wav", {"a": copy / "a.wav"}) for i in range(10)], copy / "songs.jsonl")
    for i in (3, 4):
        write_state(copy, SongState(f"Song {i}", "running", worker="w"))
    with locked(copy), multiprocessing.Pool(1) as pool:  # as by another process
        status = pool.apply(read_status, (copy,))
    assert status.active and status.songs == {"done": 2, "failed": 1, "running": 2, "waiting": 5}
    assert status.remaining == 60 * 7 / 2


def test_results_that_are_gone_are_not_done(runs, tmp_path):
    copy = shutil.copytree(runs, tmp_path / "runs")
    shutil.rmtree(copy / "Song 1")
    assert read_status(copy).songs == {"done": 1, "failed": 1, "waiting": 2, "running": 0}


def test_folders_of_searches_without_a_list(tmp_path):
    write_run(tmp_path / "a", ["x"])
    write_run(tmp_path / "b", ["x"], finished=False)
    (tmp_path / "other").mkdir()
    assert read_status(tmp_path).songs == {"done": 1, "failed": 0, "waiting": 1, "running": 0}


def test_states_that_cannot_be_read_count_as_waiting(runs, tmp_path):
    copy = shutil.copytree(runs, tmp_path / "runs")
    for i, text in enumerate(["", "[1]", json.dumps({"state": "asleep"})]):
        (copy / "state" / f"Song {i}.json").write_text(text)
    assert read_status(copy).songs == {"done": 2, "failed": 0, "waiting": 2, "running": 0}


def test_no_searches(tmp_path):
    with pytest.raises(SearchError, match=r"no songs\.jsonl"):
        read_status(tmp_path)
    with pytest.raises(OSError, match="missing"):
        read_status(tmp_path / "missing")
