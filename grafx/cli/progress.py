"""The progress of a search, which may be interrupted: a bar or, without a terminal, lines."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing import parent_process
from pathlib import Path

from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from ..search import Search, save_checkpoint
from ..words import count
from .terminal import error_terminal, notice, remark

CHECKPOINT = "checkpoint"
SECONDS_BETWEEN_CHECKPOINTS = 20
SECONDS_BETWEEN_LINES = 10
PHASES = {"fit": "fitting the console", "prune": "pruning", "tune": "fine-tuning"}


Show = Callable[[str, int, int, str], None]
"""Takes a phase, how much is done, of how much, and more in words."""


def run_with_progress(search: Search, out: Path, interrupted: Callable[[], bool], label: str = "") -> bool:
    """Run a search until it ends or is interrupted, and return whether it was interrupted.

    Args:
        search: Has begun or not.
        out: Where its checkpoints go.
        interrupted: Tells whether to stop.
        label: Which of several searches it is.
    """
    saved = started = time.monotonic()
    before = search.seconds
    with shown_progress() as show:
        show(label + PHASES["fit"], search.step, search.total_steps, count(search.num_processors, "processor"))
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


@contextmanager
def shown_to(show: Show) -> Iterator[None]:
    """Have progress told to a function instead, in this thread."""
    token = _audience.set(show)
    try:
        yield
    finally:
        _audience.reset(token)


@contextmanager
def shown_progress() -> Iterator[Show]:
    """Show progress as a bar on a terminal, and elsewhere in lines: at each change of phase, and now and then.

    Processes that share a terminal write lines.
    """
    if (audience := _audience.get()) is not None:
        yield audience
        return
    with _bar() if error_terminal.is_terminal and parent_process() is None else _lines() as show:
        yield show


@contextmanager
def _bar() -> Iterator[Show]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
        TimeElapsedColumn(),
    )
    with ProgressBar(*columns, console=error_terminal) as bar:
        task = bar.add_task("", words="")
        yield lambda phase, done, total, words: bar.update(
            task, description=phase, completed=done, total=total, words=words
        )


@contextmanager
def _lines() -> Iterator[Show]:
    started = time.monotonic()
    said: tuple[str, float] = "", started

    def show(phase: str, done: int, total: int, words: str) -> None:
        nonlocal said
        now = time.monotonic()
        if phase != said[0] or now - said[1] >= SECONDS_BETWEEN_LINES:
            said = phase, now
            remark(f"{phase}: {done} of {total}, {words}, {now - started:.0f} s")

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
