"""What is seen of many searches while they run: a live table or, without a terminal, lines."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...search.songs.run import Event
from ...search.songs.state import DONE, FAILED, RUNNING, WAITING
from ...text import printable
from ...words import clock, count, duration
from ..config import Request
from ..live import LONGEST, SteadyLive
from ..progress import is_seen
from ..search import print_json
from ..terminal import error_terminal, notice, remark, say
from ..wrapping import wrapped

SECONDS_BETWEEN_LINES = 60
"""How often a line tells how far the songs are that run, where none ends."""
FAILURES_SHOWN = 10


@dataclass
class Tally:
    """How many songs there are, and how far they are.

    Attributes:
        total: All songs.
        kept: Those that were done before.
        done: Those that have been done.
        failed: Name to the reason.
        retried: How often a song was given back, for a failure or a worker that died.
        running: Name to what its worker has told last.
        where: What works on them.
    """

    total: int
    kept: int = 0
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    retried: int = 0
    running: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    where: str = ""
    started: float = field(default_factory=lambda: time.monotonic())
    said: float = field(default_factory=lambda: time.monotonic())
    live: bool = False

    @property
    def left(self) -> int:
        """How many have not ended."""
        return self.total - self.kept - self.done - len(self.failed)

    def begin(self, client: Any) -> None:
        """Take the time from now on, when there are workers."""
        workers = client.scheduler_info()["workers"].values()
        self.started = self.said = time.monotonic()
        self.where = count(sum(worker["nthreads"] for worker in workers), "worker")
        if not workers:
            notice(f"The scheduler at {client.scheduler.address} has no workers yet; songs begin when one comes.")
        if not self.live:
            remark(f"{count(self.total, 'song')}, {self.kept} of them done before; {self.where}.")

    def take(self, event: Event) -> None:
        """Count what has happened, and say it."""
        state = event.state
        if state.state == RUNNING:
            known = self.running.get(state.name, {})
            self.running[state.name] = {**(known if event.told.get("step") else {}), **event.told}
        else:
            self.running.pop(state.name, None)
        if state.state == DONE:
            self.done += 1
            self._line(f"{state.name}: done, {_result(event.told)}, {duration(state.seconds)}")
        elif state.state == FAILED:
            self.failed[state.name] = state.reason
            self._line(f"{state.name}: failed. {state.reason}")
        elif state.state == WAITING and state.reason:
            self.retried += 1
            self._line(f"{state.name}: will be tried again. {state.reason}")
        elif not self.live and time.monotonic() - self.said > SECONDS_BETWEEN_LINES:
            self._line(", ".join(f"{name} {_share(told):.0%}" for name, told in self.running.items()))

    def _line(self, text: str) -> None:
        self.said = time.monotonic()
        remark(text if self.live else f"{text} [{self.words()}]")

    def words(self) -> str:
        """How far all is, in words."""
        ended = self.kept + self.done + len(self.failed)
        words = [f"{ended} of {count(self.total, 'song')}"]
        words += [f"{len(self.failed)} failed"] if self.failed else []
        seconds = time.monotonic() - self.started
        worked = self.done + len(self.failed) + sum(map(_share, self.running.values()))
        if worked and seconds > 1 and self.left:
            words += [f"{3600 * worked / seconds:.3g} an hour"]
            words += [f"{duration(seconds * max(self.total - self.kept - worked, 0) / worked)} left"]
        return ", ".join(words)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, most = options.max_width, max((options.size.height - 4) // 2, 1)
        for name, told in sorted(self.running.items())[:most]:
            yield Text("\n".join(wrapped(printable(name), width)), "bold")
            words = ", ".join(text for text in (told.get("phase", ""), told.get("words", "")) if text)
            place = f"{_share(told):4.0%}  {words}" if "total" in told else "      reading"
            yield Text("\n".join(wrapped(place, width)))
        if len(self.running) > most:
            yield Text(f"and {count(len(self.running) - most, 'other song')}")
        ended = self.kept + self.done + len(self.failed)
        whole = Table.grid()
        whole.add_row(ProgressBar(self.total, ended, width=min(width, LONGEST), pulse=not self.where))
        yield whole
        words = f"{self.words()}; {self.where or 'starting workers'}; {clock(time.monotonic() - self.started)}"
        yield Text("\n".join(wrapped(words, width)))

    def tell(self, request: Request) -> None:
        """Print the result as it is asked for."""
        if self.left:
            notice(f"Stopped with {count(self.left, 'song')} left; the same command resumes.")
        if request.json:
            print_json(self.numbers())
            return
        for name, reason in list(self.failed.items())[:FAILURES_SHOWN]:
            say(f"{name} failed. {reason}")
        if len(self.failed) > FAILURES_SHOWN:
            say(f"{count(len(self.failed) - FAILURES_SHOWN, 'other song')} failed: see grafx songs status.")
        say(
            f"{self.kept + self.done} of {count(self.total, 'song')} are done, {self.kept} of them before; their"
            f" results are in {request.out}."
        )

    def numbers(self) -> dict[str, Any]:
        """All that programs may want to know."""
        return {
            "songs": self.total,
            "done": self.done,
            "kept": self.kept,
            "failed": self.failed,
            "left": self.left,
            "retried": self.retried,
            "seconds": round(time.monotonic() - self.started, 3),
        }


@contextmanager
def shown(tally: Tally) -> Iterator[None]:
    """Show a tally while it changes, where there is a terminal."""
    if not is_seen():
        yield
        return
    with SteadyLive(tally, error_terminal, transient=True):
        tally.live = True
        yield
    tally.live = False


def _share(told: Mapping[str, Any]) -> float:
    return min(told.get("step", 0) / told["total"], 1.0) if told.get("total") else 0.0


def _result(told: Mapping[str, Any]) -> str:
    loss = f"loss {told['found_loss']:.4f}" if told.get("found_loss") is not None else "no loss"
    return f"{loss}, {count(told.get('found_processors') or 0, 'processor')}"
