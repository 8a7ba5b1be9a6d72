"""How far the searches of many songs are."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from ...files import LockedError, locked
from .runs import is_finished, songs_of
from .state import DONE, FAILED, RUNNING, STATES, WAITING, SongState, read_state


@dataclass(frozen=True)
class Status:
    """How far the searches of many songs are.

    Attributes:
        songs: How many of each of the states ``"waiting"``, ``"running"``, ``"done"``, ``"failed"``.
        failed: Those that failed, with their reasons, in the order of the list.
        again: How many of those that wait failed before, or began on workers that are gone.
        seconds: How long the songs that are done took, all together, as far as it is known.
        remaining: How long the others are going to take at this rate, in seconds; ``None`` if nobody runs them, or
            nothing is known yet.
        active: Whether somebody runs them.
    """

    songs: dict[str, int]
    failed: tuple[SongState, ...]
    again: int
    seconds: float
    remaining: float | None
    active: bool


def read_status(runs: str | os.PathLike) -> Status:
    """Count how far the searches in a folder are, from what is written there, in seconds for thousands of them.

    Raises:
        SearchError: The folder holds no searches.
        OSError: It cannot be read.
    """
    runs = Path(runs)
    runs.stat()  # or else it is its lock that is said to be missing
    active = _is_locked(runs)
    counts: dict[str, int] = dict.fromkeys(STATES, 0)
    failed, again, times = [], 0, []
    for name, _ in songs_of(runs):
        state = state_of(runs, name, active)
        counts[state.state] += 1
        if state.state == FAILED:
            failed.append(state)
        again += state.state == WAITING and bool(state.attempts or state.worker)
        if state.state == DONE and state.seconds > 0:
            times.append(state.seconds)
    left = counts[WAITING] + counts[RUNNING]
    known = active and times and counts[RUNNING]
    remaining = sum(times) / len(times) * left / counts[RUNNING] if known else None
    return Status(counts, tuple(failed), again, sum(times), remaining, active)


def state_of(runs: Path, name: str, active: bool) -> SongState:
    """What is known of a song, next to whether its results are there and whether somebody runs it."""
    state, finished = read_state(runs, name), is_finished(runs / name)
    if state == SongState(name) and finished:  # as by grafx search alone
        return replace(state, state=DONE)
    if state.state == DONE and not finished:
        return replace(state, state=WAITING)
    return replace(state, state=WAITING) if state.state == RUNNING and not active else state


def _is_locked(runs: Path) -> bool:
    """Whether a run writes into the folder, on this machine."""
    try:
        with locked(runs, timeout=0):
            return False
    except LockedError:
        return True
