"""Access to the shared library of torch's operators and its threads, on Linux."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from threading import Thread

import torch

from .switches import is_on

PROCESS = os.getpid()
CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_kept: ContextVar[int | None] = ContextVar("kept", default=None)


def kernel_threads() -> int:
    """How many threads kernels may run on: as many as torch's operators, unless a context of this module says else."""
    return _kept.get() or torch.get_num_threads()


@contextmanager
def one_thread_if(wanted: bool) -> Iterator[None]:
    """Run kernels on one thread where this is wanted, as where none may wait for another that waits for its core."""
    token = _kept.set(1) if wanted else None
    try:
        yield
    finally:
        if token is not None:
            _kept.reset(token)


@contextmanager
def sums_in_one_order() -> Iterator[None]:
    """Give torch's own operators one thread, and kernels as many as before.

    Torch shares out a long sum among its threads, so that its rounding depends on their number. Kernels share out whole
    rows, which does not change what they compute.
    """
    threads = torch.get_num_threads()
    token = _kept.set(kernel_threads())
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _kept.reset(token)


@cache
def torch_library() -> ctypes.CDLL | None:
    """Return the library for symbol lookup, including its dependencies, or ``None`` if unknown."""
    path = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    return ctypes.CDLL(str(path)) if sys.platform == "linux" and path.exists() else None


def run_concurrently(function: Callable[[int], None], count: int) -> None:
    """Call ``function(0)``, …, ``function(count - 1)``, each in a separate thread if possible.

    The threads are those of torch. After each operator these look out for the next one for a while, and would keep
    other threads from their cores. They do not survive a fork, which data-loader workers are; there, where torch works
    without GNU OpenMP, and with ``GRAFX_THREADS=0``, threads are started that live for one call.

    Raises:
        Exception: An exception raised by a call.
    """
    if count == 1:
        function(0)
        return
    errors: list[BaseException] = []

    def attempt(number: int) -> None:
        try:
            function(number)
        except BaseException as error:
            errors.append(error)

    forked = os.getpid() != PROCESS
    if forked or (pool := _pool()) is None:
        _run_in_new_threads(attempt, count)
    else:
        _run_in_pool(pool, attempt, count)
    if errors:
        raise errors[0]


def _run_in_pool(library: ctypes.CDLL, function: Callable[[int], None], count: int) -> None:
    def member(_: int | None) -> None:
        for number in range(library.omp_get_thread_num(), count, library.omp_get_num_threads()):
            function(number)

    library.GOMP_parallel(CALLBACK(member), None, ctypes.c_uint(count), ctypes.c_uint(0))


def _run_in_new_threads(function: Callable[[int], None], count: int) -> None:
    threads = [Thread(target=function, args=(number,)) for number in range(1, count)]
    for thread in threads:
        thread.start()
    function(0)
    for thread in threads:
        thread.join()


@cache
def _pool() -> ctypes.CDLL | None:
    library = torch_library() if is_on("THREADS") else None
    used = library is not None and "OpenMP" in torch.__config__.parallel_info().partition("ATen parallel backend:")[2]
    return library if used and hasattr(library, "GOMP_parallel") else None
