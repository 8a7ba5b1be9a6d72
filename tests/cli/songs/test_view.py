"""What is seen of many searches while they run."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from grafx.cli import terminal
from grafx.cli.songs import view
from grafx.cli.songs.view import Tally, shown
from grafx.search.songs.run import Event
from grafx.search.songs.state import DONE, FAILED, RUNNING, WAITING, SongState


@pytest.fixture
def now(monkeypatch):
    clock = SimpleNamespace(time=0.0)
    monkeypatch.setattr(view.time, "monotonic", lambda: clock.time)
    return clock


def event(name, state, reason="", seconds=0.0, **told):
    return Event(SongState(name, state, reason, seconds=seconds, worker="0"), told)


def step(name, done):
    return event(name, RUNNING, step=done, total=10, phase="fitting the console", words="loss 0.5, 7 processors")


DONE_ONE = {"found_loss": 0.25, "found_processors": 3}


def seen(tally):
    screen = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    screen.print(tally)
    return screen.file.getvalue()


def test_rate_and_remaining_time_are_those_of_steps(now):
    tally = Tally(total=10, kept=2)
    tally.take(step("a", 5))
    tally.take(step("b", 5))
    now.time = 60.0  # a song in a minute
    assert tally.words() == "2 of 10 songs, 60 an hour, 7 min 0 s left"
    tally.take(event("a", DONE, **DONE_ONE))
    tally.take(event("b", FAILED, "Silent."))
    now.time = 3600.0
    assert tally.words() == "4 of 10 songs, 1 failed, 2 an hour, 3 h 0 min left" and tally.left == 6


def test_the_table_has_what_runs(now):
    tally = Tally(total=3, where="2 workers")
    tally.take(event("a [b]", RUNNING))
    tally.take(step("c", 4))
    lines = seen(tally).splitlines()
    assert lines[lines.index("a [b]") + 1].strip() == "reading"
    assert lines[lines.index("c") + 1] == " 40%  fitting the console, loss 0.5, 7 processors"
    assert "0 of 3 songs" in lines[-1] and "2 workers" in lines[-1]
    tally.take(event("c", WAITING, "Its worker died."))
    assert "40%" not in seen(tally) and tally.retried == 1
    tally.take(event("c", RUNNING))
    assert "40%" not in seen(tally)


def test_lines_without_a_terminal(now, monkeypatch, capsys):
    monkeypatch.setattr(terminal.error_terminal, "_file", None)
    tally = Tally(total=3)
    with shown(tally):
        tally.take(step("a", 1))
        tally.take(event("b", FAILED, "b.wav: No such file."))
        now.time = 61.0
        tally.take(step("a", 9))
        tally.take(event("a", DONE, seconds=75, **DONE_ONE))
        tally.take(event("c", WAITING, "Its worker died."))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" [")[0] for line in lines] == [
        "b: failed. b.wav: No such file.",
        "a 90%",
        "a: done, loss 0.2500, 3 processors, 1 min 15 s",
        "c: will be tried again. Its worker died.",
    ]


def test_numbers_add_up(now, capsys):
    tally = Tally(total=30, kept=1)
    for number in range(13):
        tally.take(event(f"song {number}", FAILED, "Silent."))
    tally.take(event("z", DONE, **DONE_ONE))
    numbers = tally.numbers()
    assert (numbers["songs"], numbers["kept"], numbers["done"], numbers["left"]) == (30, 1, 1, 15)
    assert len(numbers["failed"]) == 13
    tally.tell(SimpleNamespace(json=False, out="runs"))
    said = capsys.readouterr()
    assert said.out.count("failed. Silent.") == 10 and "3 other songs failed" in said.out
    assert "2 of 30 songs are done, 1 of them before" in said.out
