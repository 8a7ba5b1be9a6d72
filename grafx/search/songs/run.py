"""Work on many songs, by the workers of a cluster: what is tried again, what is given up, and how it stops."""

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ...errors import SearchError
from .state import DONE, FAILED, RUNNING, WAITING, SongState

if TYPE_CHECKING:
    from distributed import Client, Future

    from .manifest import Song

SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_BETWEEN_COUNTS = 2.0
"""How often it is asked how many workers there are."""
SECONDS_BETWEEN_STEPS = 0.5
"""How often a worker tells a step."""
SECONDS_TO_STOP = 60.0
"""How long workers have to save where they are."""

LEFT = "left"
"""What a worker tells at the end, whatever that is."""

TellSong = Callable[[Mapping[str, Any]], None]
"""Takes what a view may show of the work on a song; ``"step"`` counts what a checkpoint keeps."""
Stopped = Callable[[], bool]
Work = Callable[["Song", TellSong, Stopped], Mapping[str, Any]]
"""Works on one song, in a worker. It can be pickled, ends soon where it is stopped, and goes on where it was later. It
returns plain data, with ``"finished"``."""


class BusyError(SearchError):
    """Another process still works on the song."""


@dataclass(frozen=True)
class Event:
    """What has happened to a song.

    Attributes:
        state: How far it is now.
        told: What the worker tells of it while it runs; its result when it is done.
    """

    state: SongState
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Attempt:
    """A song that has been given to the cluster, or is to be."""

    song: "Song"
    state: SongState
    step: int = 0
    died_at: int = -1
    since: float = 0.0


def run_songs(
    songs: Iterable[tuple["Song", SongState]],
    work: Work,
    client: "Client",
    *,
    heard: Callable[[Event], None],
    stopped: Stopped,
    retries: int = 0,
    resources: Mapping[str, float] | None = None,
) -> bool:
    """Work on each song, as many at a time as there are workers' threads.

    What fails is tried again, after the others. A worker that dies counts as a failure only if the song got no further
    than when one died before.

    Args:
        songs: With what is known of each. They are taken one by one, when there is a worker for them.
        work: What is done for each.
        client: Of the cluster.
        heard: Called with what happens, here and in this thread.
        stopped: Asked whether to stop. Those that run then are stopped, and waited for.
        retries: How often a song that fails is tried again.
        resources: What each needs of a worker, such as ``{"GPU": 1}``.

    Returns:
        Whether all songs have ended, rather than been stopped.

    Raises:
        SearchError: The scheduler is gone.
    """
    return _Running(songs, work, client, heard, stopped, retries, resources).run()


class _Running:
    def __init__(self, songs, work, client, heard, stopped, retries, resources) -> None:
        self.waiting: Iterator[tuple[Song, SongState]] = iter(songs)
        self.upcoming: _Attempt | None = None
        self.again: deque[_Attempt] = deque()
        self.running: dict[str, tuple[_Attempt, Future]] = {}
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.work, self.client, self.heard, self.stopped = work, client, heard, stopped
        self.retries, self.resources = retries, dict(resources or {})
        self.name, self.number = f"grafx-songs-{uuid4().hex[:12]}", 0
        self.slots, self.counted = 0, float("-inf")

    def run(self) -> bool:
        self.client.subscribe_topic(self.name, lambda event: self.inbox.put(event[1]))
        try:
            while self._fill() or self.running:
                if self.stopped():
                    self._stop()
                    return False
                self._hear(SECONDS_BETWEEN_LOOKS)
                self._check_scheduler()
            return True
        finally:
            for _, future in self.running.values():
                future.release()
            self._unsubscribe()

    def _unsubscribe(self) -> None:
        if self.client.status == "running":
            self.client.unsubscribe_topic(self.name)

    # Giving out

    def _fill(self) -> bool:
        """Give songs to idle workers, and return whether any song waits."""
        while (attempt := self._next()) is not None:
            if len(self.running) >= self._slots():
                self.upcoming = attempt
                return True
            self._submit(attempt)
        return False

    def _slots(self) -> int:
        """How many songs can run at a time."""
        if time.monotonic() - self.counted > SECONDS_BETWEEN_COUNTS:
            self.counted = time.monotonic()
            workers = self._asked(self.client.scheduler_info)["workers"].values()
            self.slots = sum(min([worker["nthreads"], *self._shares(worker)]) for worker in workers)
        return self.slots

    def _shares(self, worker: Mapping[str, Any]) -> list[int]:
        return [int(worker["resources"].get(name, 0) // number) for name, number in self.resources.items()]

    def _next(self) -> _Attempt | None:
        if (upcoming := self.upcoming) is not None:
            self.upcoming = None
            return upcoming
        for song, state in self.waiting:
            return _Attempt(song, state)
        return self.again.popleft() if self.again else None

    def _submit(self, attempt: _Attempt) -> None:
        self.number += 1
        key = f"{self.name}-{self.number}"
        future = self.client.submit(
            _work_on,
            self.work,
            attempt.song,
            self.name,
            key,
            key=key,
            pure=False,
            resources=self.resources or None,
        )
        self.running[key] = attempt, future
        future.add_done_callback(self.inbox.put)

    # Hearing

    def _hear(self, timeout: float) -> None:
        """Take in all that has been told meanwhile, or wait for it."""
        try:
            while True:
                message = self.inbox.get(timeout=timeout)
                timeout = 0.0
                if isinstance(message, tuple | list):
                    self._told(*message)
                else:
                    self._ended(message)
        except queue.Empty:
            return

    def _told(self, key: str, told: Mapping[str, Any]) -> None:
        if key not in self.running or LEFT in told:
            return
        attempt, _ = self.running[key]
        attempt.step = max(attempt.step, told.get("step", 0))
        attempt.since = attempt.since or time.monotonic()
        attempt.state = replace(attempt.state, state=RUNNING, worker=told["worker"], reason="")
        self.heard(Event(attempt.state, told))

    def _ended(self, future: "Future") -> None:
        if future.key not in self.running or future.status in ("cancelled", "lost"):
            return
        attempt, _ = self.running.pop(future.key)
        seconds = attempt.state.seconds + (time.monotonic() - attempt.since if attempt.since else 0.0)
        attempt.state, attempt.since = replace(attempt.state, seconds=round(seconds, 3)), 0.0
        error: Any = future.exception() if future.status == "error" else None
        result = {} if error else future.result()
        future.release()
        if error is None and result["finished"]:
            self._end(attempt, DONE, result=result)
        elif error is None or isinstance(error, BusyError):  # stopped by whoever had it before, or not yet by them
            self._again(attempt, "" if error is None else str(error))
        elif type(error).__name__ == "KilledWorker" and attempt.step > attempt.died_at:
            attempt.died_at = attempt.step
            self._again(attempt, "Its worker died.")
        else:
            attempt.died_at = attempt.step
            self._failed(attempt, _reason(error))

    def _failed(self, attempt: _Attempt, reason: str) -> None:
        if attempt.state.attempts < self.retries:
            attempt.state = replace(attempt.state, attempts=attempt.state.attempts + 1)
            self._again(attempt, reason)
        else:
            self._end(attempt, FAILED, reason)

    def _again(self, attempt: _Attempt, reason: str) -> None:
        attempt.state = replace(attempt.state, state=WAITING, reason=reason)
        self.again.append(attempt)
        self.heard(Event(attempt.state))

    def _end(self, attempt: _Attempt, state: str, reason: str = "", result: Mapping[str, Any] | None = None) -> None:
        attempts = attempt.state.attempts + 1
        self.heard(Event(replace(attempt.state, state=state, reason=reason, attempts=attempts), result or {}))

    # Ending

    def _stop(self) -> None:
        """Stop what runs, and wait until it has saved where it is."""
        left = {key for key, (attempt, _) in self.running.items() if attempt.since}
        self.client.cancel([future for _, future in self.running.values()], force=True)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while left and time.monotonic() < deadline and self.client.status == "running":
            try:
                message = self.inbox.get(timeout=SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                here = {w["name"] for w in self._asked(self.client.scheduler_info)["workers"].values()}
                left = {key for key in left if self.running[key][0].state.worker in map(str, here)}
                continue
            if isinstance(message, tuple | list) and LEFT in message[1]:
                left.discard(message[0])
        for attempt, _ in self.running.values():
            self.heard(Event(replace(attempt.state, state=WAITING, reason="")))
        self.running.clear()

    def _check_scheduler(self) -> None:
        if self.client.status != "running" or any(f.status in ("cancelled", "lost") for _, f in self.running.values()):
            self._gone()

    def _asked(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except (OSError, TimeoutError):
            self._gone()

    def _gone(self) -> None:
        for attempt, _ in self.running.values():
            self.heard(Event(replace(attempt.state, state=WAITING, reason="The scheduler was lost.")))
        self.running.clear()
        raise SearchError(
            f"The scheduler at {self.client.scheduler.address if self.client.scheduler else 'its address'} is gone;"
            " what was done is kept. Start it and its workers, and the same command goes on."
        ) from None


def _reason(error: BaseException) -> str:
    """An error in a line."""
    if type(error).__name__ == "KilledWorker":
        return "Its worker died, and it got no further than when one died before: is there enough memory?"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror or error}."
    text = " ".join([str(error), *getattr(error, "__notes__", [])]).strip()
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


# In a worker


def _work_on(work: Work, song: "Song", topic: str, key: str) -> dict[str, Any]:
    """Work on a song, and tell how far it is, until nobody wants it any longer, or the worker is to end."""
    from distributed import get_worker

    worker = get_worker()
    last = float("-inf")

    def send(told: Mapping[str, Any]) -> None:
        worker.log_event(topic, (key, {**told, "worker": str(worker.name)}))

    def tell(told: Mapping[str, Any]) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_STEPS:
            last = time.monotonic()
            send(told)

    def stopped() -> bool:
        task = worker.state.tasks.get(key)
        wanted = task is not None and task.state in ("executing", "long-running")
        return not wanted or worker.status.name not in ("running", "paused")

    send({})
    try:
        return dict(work(song, tell, stopped))
    finally:
        send({LEFT: True})
