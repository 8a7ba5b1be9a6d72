"""What becomes of songs: tried again, given up, stopped, and no more of them at a time than there are workers."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from grafx.errors import SearchError
from grafx.search.songs.cluster import GPU
from grafx.search.songs.manifest import Song
from grafx.search.songs.run import BusyError, run_songs
from grafx.search.songs.state import DONE, FAILED, RUNNING, WAITING, SongState, read_state, write_state

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    """Two workers, in threads of this process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", memory_limit=0
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        yield client


def songs_of(*names):
    for name in names:
        yield Song(name, Path("mix.wav"), {}), SongState(name)


def run(client, songs, work, retries=0, stopped=lambda: False, **options):
    events = []
    ended = run_songs(songs, work, client, heard=events.append, stopped=stopped, retries=retries, **options)
    return ended, events


def last_of(events):
    return {event.state.name: event.state for event in events}


def work_well(song, tell, stopped):
    tell({"step": 1})
    return {"finished": True, "name": song.name}


def test_each_song_is_worked_on_once(client):
    ended, events = run(client, songs_of("a", "b", "c", "d", "e"), work_well)
    assert ended
    results = {event.state.name: event.told for event in events if event.state.state == DONE}
    assert results == {name: {"finished": True, "name": name} for name in "abcde"}
    assert len([event for event in events if event.state.state == DONE]) == 5
    assert {event.told["step"] for event in events if "step" in event.told and event.state.state == RUNNING} == {1}
    assert all(state.attempts == 1 and state.worker for state in last_of(events).values())


def test_songs_are_taken_when_there_is_a_worker(client):
    taken, ended, held = [], [], []

    def counted():
        for song, state in songs_of(*(f"song {number}" for number in range(60))):
            taken.append(song.name)
            assert len(taken) - len(ended) <= 3  # two that run, and one that is next
            yield song, state

    def heard(event):
        if event.state.state == DONE:
            ended.append(event.state.name)
            held.append(len(client.futures))

    assert run_songs(counted(), work_well, client, heard=heard, stopped=lambda: False)
    assert len(ended) == 60
    assert max(held) <= 4  # what is done is not kept


class Failing:
    """Fails some times for each song, then works."""

    def __init__(self, **times):
        self.left, self.error = times, ValueError("The audio is silent.")

    def __call__(self, song, tell, stopped):
        if self.left.get(song.name, 0):
            self.left[song.name] -= 1
            raise self.error
        return {"finished": True}

    def __reduce__(self):  # the workers are in this process
        return _same, (_known.setdefault(id(self), self) and id(self),)


_known = {}


def _same(number):
    return _known[number]


def test_what_fails_is_tried_again_as_told(client):
    ended, events = run(client, songs_of("a", "b", "c"), Failing(a=1, b=5), retries=2)
    states = last_of(events)
    assert ended and (states["c"].state, states["c"].attempts) == (DONE, 1)
    assert (states["a"].state, states["a"].attempts, states["a"].reason) == (DONE, 2, "")
    assert (states["b"].state, states["b"].attempts, states["b"].reason) == (FAILED, 3, "The audio is silent.")
    again = [event.state for event in events if event.state.state == WAITING]
    assert sorted(state.name for state in again) == ["a", "b", "b"]
    assert {state.reason for state in again} == {"The audio is silent."}


@pytest.mark.parametrize(
    "error, reason",
    [
        (OSError(2, "No such file or directory", "kick.wav"), "kick.wav: No such file or directory."),
        (RuntimeError("out of memory"), "RuntimeError: out of memory"),
    ],
)
def test_reasons_are_lines(client, error, reason):
    work = Failing(a=1)
    work.error = error
    _, events = run(client, songs_of("a"), work)
    assert last_of(events)["a"].reason == reason


def test_a_song_that_another_process_still_has_waits_without_counting(client):
    work = Failing(a=3)
    work.error = BusyError("Another process is still writing.")
    _, events = run(client, songs_of("a"), work)
    assert (last_of(events)["a"].state, last_of(events)["a"].attempts) == (DONE, 1)


def wait_until_stopped(song, tell, stopped):
    tell({"step": 1})
    deadline = time.monotonic() + 60
    while not stopped() and time.monotonic() < deadline:
        time.sleep(0.01)
    Path(song.mix).write_text("saved" if stopped() else "never stopped")
    return {"finished": False}


def test_those_that_run_are_stopped_and_save(client, tmp_path):
    begun = []
    songs = [(Song(name, tmp_path / name, {}), SongState(name)) for name in "abc"]
    ended = run_songs(
        iter(songs),
        wait_until_stopped,
        client,
        heard=lambda event: begun.append(event.state.name) if event.state.state == RUNNING else None,
        stopped=lambda: len(set(begun)) == 2,
    )
    assert not ended
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "saved", "b": "saved"}


def test_a_client_that_goes_stops_its_songs(cluster, tmp_path):
    """As one that is killed, whose connection ends."""
    with distributed.Client(cluster) as watched:
        began = threading.Event()
        watched.subscribe_topic("began", lambda _: began.set())
        first = distributed.Client(cluster)
        first.submit(_begin, wait_until_stopped, tmp_path / "a", key="grafx-test-1")
        assert began.wait(30)
        first.close()
        for _ in range(500):
            if (tmp_path / "a").exists():
                break
            time.sleep(0.02)
    assert (tmp_path / "a").read_text() == "saved"


def _begin(work, path):
    from grafx.search.songs.run import _work_on

    distributed.get_worker().log_event("began", "now")
    return _work_on(work, Song("a", path, {}), "topic", "grafx-test-1")


def test_a_scheduler_that_goes_is_told(tmp_path):
    place = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    options = ["--scheduler-file", place, "--no-dashboard"]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as scheduler:
        try:
            with distributed.Client(scheduler_file=str(place), timeout=60) as client:
                looks = iter([lambda: None, scheduler.kill])

                def stopped():
                    next(looks, lambda: None)()
                    return False

                with pytest.raises(SearchError, match=r"127.0.0.1.*gone.*goes on"):
                    run_songs(songs_of("a", "b"), work_well, client, heard=print, stopped=stopped)
        finally:
            scheduler.kill()


def test_songs_that_need_a_gpu_wait_for_one(client):
    begun = []
    ended = run_songs(
        songs_of("a"),
        work_well,
        client,
        heard=begun.append,
        stopped=iter([False, False, True]).__next__,
        resources={GPU: 1},
    )
    assert not ended and not begun


def test_states_are_read_back(tmp_path):
    state = SongState("a song", RUNNING, "It is cold.", 2, 3.5, "worker 1", "abc")
    write_state(tmp_path, state)
    assert read_state(tmp_path, "a song") == state
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["a song.json"]
    assert read_state(tmp_path, "another") == SongState("another")
    for broken in ("", "[]", '{"state": "odd"}', '{"state": 3}', "\x00"):
        (tmp_path / "state" / "a song.json").write_text(broken)
        assert read_state(tmp_path, "a song") == SongState("a song")
    (tmp_path / "state" / "a song.json").write_text('{"state": "done", "attempts": "two", "seconds": 1}')
    assert read_state(tmp_path, "a song") == SongState("a song", DONE, seconds=1)
