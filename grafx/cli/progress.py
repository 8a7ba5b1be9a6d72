"""The progress of what takes its time, and may be interrupted: a bar or, without a terminal, lines."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..text import printable
from ..words import clock, count, duration
from .live import LONGEST, SteadyLive
from .pace import Pace
from .terminal import error_terminal, notice, remark
from .wrapping import wrapped

if TYPE_CHECKING:
    from ..search import Search

CHECKPOINT = "checkpoint"
SECONDS_BETWEEN_CHECKPOINTS = 20
SECONDS_BETWEEN_LINES = 10
NARROWEST_BAR = 4
PHASES = {"fit": "fitting the console", "prune": "pruning", "tune": "fine-tuning"}


Show = Callable[[str, int, int, str], None]
"""Takes a phase, how much is done, of how much (0 where nobody knows), and more in words."""


def run_with_progress(search: "Search", out: Path, interrupted: Callable[[], bool], label: str = "") -> bool:
    """Run a search until it ends or is interrupted, and return whether it was interrupted.

    Args:
        search: Has begun or not.
        out: Where its checkpoints go.
        interrupted: Tells whether to stop.
        label: Which of several searches it is.
    """
    from ..search import save_checkpoint

    saved = started = time.monotonic()
    before = search.seconds
    with shown_progress() as show:
        words = f"plain sum {search.plain_loss:.4f}, {count(search.num_processors, 'processor')}"
        show(label + PHASES["fit"], search.step, search.total_steps, words)
        for progress in search.run():
            search.state.seconds = before + time.monotonic() - started
            phase = label + PHASES[progress.phase] + (f", round {progress.round}" if progress.round else "")
            words = f"loss {progress.loss:.4f}, {count(progress.num_processors, 'processor')}"
            show(phase, progress.step, search.total_steps, words)
            if interrupted():
                return True
            if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                save_checkpoint(search, out / CHECKPOINT)
                saved = time.monotonic()
    search.state.seconds = before + time.monotonic() - started
    return False


_audience: ContextVar[Show | None] = ContextVar("_audience", default=None)
_in_lines: ContextVar[bool] = ContextVar("_in_lines", default=False)


@contextmanager
def shown_to(show: Show) -> Iterator[None]:
    """Have progress told to a function instead, in this thread."""
    token = _audience.set(show)
    try:
        yield
    finally:
        _audience.reset(token)


@contextmanager
def in_lines(wanted: bool) -> Iterator[None]:
    """Show progress in lines even on a terminal, where this is wanted, as beside what programs read."""
    token = _in_lines.set(wanted or _in_lines.get())
    try:
        yield
    finally:
        _in_lines.reset(token)


@contextmanager
def shown_progress(beginning: str = "") -> Iterator[Show]:
    """Show progress as a bar on a terminal, and elsewhere in lines: at each change of phase, and now and then.

    Processes that share a terminal write lines.

    Args:
        beginning: What is done first, until there is more to show; lines tell nothing of it.
    """
    if (audience := _audience.get()) is not None:
        yield audience
    elif is_seen():
        bar = Bar(beginning)
        with SteadyLive(bar, error_terminal, transient=True) as live:
            try:
                yield bar.show
            finally:
                live.transient = not bar.pace.total
    else:
        with _lines() as show:
            yield show


def is_seen() -> bool:
    """Whether somebody sees what changes in place, and wants it."""
    seen = error_terminal.is_interactive and not error_terminal.quiet and parent_process() is None
    return seen and not _in_lines.get() and _audience.get() is None


@contextmanager
def busy(words: str) -> Iterator[None]:
    """Show on a terminal that something is done, of which nobody knows how far it is."""
    with shown_progress(words):
        yield


class Bar:
    """A bar, with what is done above it, and beside it how far that is and how long it may still take.

    Args:
        phase: What is done.
    """

    def __init__(self, phase: str = "") -> None:
        self.phase, self.words, self.pace = phase, "", Pace()

    def show(self, phase: str, done: int, total: int, words: str) -> None:
        """A :data:`Show`."""
        self.phase, self.words = phase, words
        self.pace.reach(done, total)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        pace, width = self.pace, options.max_width
        said = _words(self.phase, pace, self.words) if pace.total else self.phase
        yield Text("\n".join(wrapped(printable(said), width)))
        share = f"{pace.done / pace.total:4.0%}  " if pace.total else ""
        left = f", {clock(pace.seconds_left)} left" if pace.total > pace.done else ""
        beside = f"{share}{clock(pace.seconds)}{left}"
        room = min(width, LONGEST) - len(beside) - 2
        if room < NARROWEST_BAR:
            yield Text("\n".join(wrapped(beside, width)))
            return
        unmoved = not pace.total or (pace.done == 0 and pace.seconds_left is None)
        bar = ProgressBar(pace.total or None, pace.done, width=room, pulse=unmoved)
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_row(bar, Text(beside, no_wrap=True))
        yield row


def _words(phase: str, pace: Pace, words: str) -> str:
    return ", ".join([f"{phase}: {pace.done} of {pace.total}", *([words] if words else [])])


@contextmanager
def _lines() -> Iterator[Show]:
    pace = Pace()
    said, at = "", pace.started

    def show(phase: str, done: int, total: int, words: str) -> None:
        nonlocal said, at
        unknown = pace.seconds_left is None
        now, left = pace.reach(done, total), pace.seconds_left
        if phase != said or now - at >= SECONDS_BETWEEN_LINES or (unknown and left is not None):
            said, at = phase, now
            times = [f"{pace.seconds:.0f} s", *([f"{duration(left)} left"] if left else [])]
            remark(", ".join([_words(phase, pace, words), *times]))

    yield show


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Collect interrupts so that a step, or the writing of results, can finish; raise the second one."""
    received: list[int] = []

    def collect(number: int, _frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        notice("Stopping after this step, round of pruning, or file. Interrupt again to leave at once.")

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # SIGHUP comes from a closed terminal, unless it is ignored, as under nohup.
    old = {n: signal.signal(n, collect) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
