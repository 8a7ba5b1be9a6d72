"""Several searches at a time, each in a process of its own."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any

import torch
import typer

SECONDS_BETWEEN_LOOKS = 0.2


def run_in_processes(
    work: Callable[..., None], tasks: Sequence[tuple[Any, ...]], interrupted: Callable[[], bool]
) -> None:
    """Run each task in a process with a single thread, which ends with this one, however that ends.

    An interrupt of this process is passed on once.

    Args:
        work: A function of a module, which says itself what is wrong and then exits with a status.
        tasks: Arguments of each call.
        interrupted: Tells whether to stop.

    Raises:
        typer.Exit: One has failed; the others are ended.
    """
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    running, told = [context.Process(target=_work, args=(work, task)) for task in tasks], False
    started = []
    try:
        for process in running:
            process.start()
            started.append(process)
        while running:
            wait([process.sentinel for process in running], SECONDS_BETWEEN_LOOKS)
            if interrupted() and not told:
                told = True
                for process in running:
                    process.terminate()
            ended = [process for process in running if process.exitcode is not None]
            running = [process for process in running if process not in ended]
            if not told and (failed := [process.exitcode for process in ended if process.exitcode]):
                raise typer.Exit(max(failed[0] or 1, 1))
    finally:
        for process in started:
            process.kill()
            process.join()


def _work(work: Callable[..., None], task: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the first process that passes interrupts on
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    try:
        work(*task)
    except typer.Exit as end:
        sys.exit(end.exit_code)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
