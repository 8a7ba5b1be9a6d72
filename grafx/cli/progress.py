"""A search with a progress bar, which may be interrupted."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from ..search import Search, save_checkpoint
from ..words import count
from .terminal import error_terminal, notice

CHECKPOINT = "checkpoint"
SECONDS_BETWEEN_CHECKPOINTS = 20
PHASES = {"fit": "fitting the console", "prune": "pruning", "tune": "fine-tuning"}


def run_with_progress(search: Search, out: Path) -> bool:
    """Run a search until it ends or is interrupted, and return whether it was interrupted."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[processors]}"),
        TimeElapsedColumn(),
    )
    saved = started = time.monotonic()
    before = search.seconds
    with interrupts() as interrupted, ProgressBar(*columns, console=error_terminal) as bar:
        task = bar.add_task(
            PHASES["fit"], total=search.total_steps, loss="–", processors=count(search.num_processors, "processor")
        )
        for progress in search.run():
            search.state.seconds = before + time.monotonic() - started
            bar.update(
                task,
                completed=progress.step,
                description=PHASES[progress.phase] + (f", round {progress.round}" if progress.round else ""),
                loss=f"{progress.loss:.4f}",
                processors=count(progress.num_processors, "processor"),
            )
            if interrupted():
                return True
            if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                save_checkpoint(search, out / CHECKPOINT)
                saved = time.monotonic()
    search.state.seconds = before + time.monotonic() - started
    return False


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Collect interrupts so that a step can finish; raise the second one."""
    received: list[int] = []

    def collect(number: int, _frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        notice("Stopping after this step, or round of pruning. Interrupt again to leave at once.")

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # SIGHUP comes from a closed terminal, unless it is ignored, as under nohup.
    old = {n: signal.signal(n, collect) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
