"""Files that are there whole or not at all, and one writer at a time."""

import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from errno import EAGAIN, EEXIST
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK_FILE = ".grafx.lock"
LONGEST_SUFFIX = 16
_held = threading.local()


class LockedError(OSError):
    """Another process, or thread, is writing there."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A path beside another one, to write a file to that takes its place when all went well.

    Until then, and whatever goes wrong, what was there stays as it was. Links are followed.

    Args:
        path: What is to be written, into a folder that exists.

    Raises:
        OSError: It cannot be written there.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise FileExistsError(EEXIST, "There is a folder or device in its place", str(path))
    # Short, because a name may be as long as names can be, and of the same kind, because writers go by it.
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= LONGEST_SUFFIX else ""
    partial = target.with_name(f".partial-{secrets.token_hex(8)}{suffix}")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())  # a rename may get to the disk before what is still in memory
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: str | os.PathLike, timeout: float = 60.0) -> Iterator[None]:
    """Let one process, and one thread of it, write into a folder at a time. A thread may lock a folder again.

    A lock ends with its process, however that ends.

    Args:
        folder: Where it is to be written.
        timeout: For how many seconds to wait for others.

    Raises:
        LockedError: Others are not done by then.
        OSError: There is no such folder, or it cannot be opened.
    """
    folder = Path(os.path.realpath(folder))
    mine = _held.__dict__.setdefault("folders", set())
    if folder in mine:
        yield
        return
    deadline = time.monotonic() + timeout
    while (release := _try_lock(folder)) is None:
        if time.monotonic() >= deadline:
            raise LockedError(EAGAIN, "Another process is writing there", str(folder))
        time.sleep(0.01)
    mine.add(folder)
    try:
        yield
    finally:
        mine.discard(folder)
        release()


def _try_lock(folder: Path) -> Callable[[], None] | None:
    """A function that gives back the lock on a folder, or ``None`` while others have it."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            return _lock_of(os.open(folder, os.O_RDONLY))
    return _try_lock_file(folder / LOCK_FILE)


def _try_lock_file(path: Path) -> Callable[[], None] | None:
    """As :func:`_try_lock`, by a file: for systems and network disks on which folders cannot be locked."""
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        unlock = _lock_of(number)
    except OSError:  # a disk without any locks
        path.unlink(missing_ok=True)
        return lambda: None
    if unlock is None:
        return None

    def release() -> None:
        if fcntl is not None:
            path.unlink(missing_ok=True)
        unlock()
        if fcntl is None:  # Windows removes no open file
            with contextlib.suppress(OSError):
                path.unlink()

    if not _is(number, path):  # whoever had it has removed it since it was opened
        unlock()
        return None
    return release


def _lock_of(number: int) -> Callable[[], None] | None:
    """Lock an open file, or close it again."""
    try:
        _flock(number, lock=True)
    except BaseException as error:
        os.close(number)
        if isinstance(error, BlockingIOError) or (fcntl is None and isinstance(error, PermissionError)):
            return None
        raise

    def release() -> None:
        _flock(number, lock=False)  # closing it would not do where a forked process still has it
        os.close(number)

    return release


def _flock(number: int, lock: bool) -> None:
    if fcntl is not None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB if lock else fcntl.LOCK_UN)
    elif sys.platform == "win32":
        import msvcrt

        msvcrt.locking(number, msvcrt.LK_NBLCK if lock else msvcrt.LK_UNLCK, 1)


def _is(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except FileNotFoundError:
        return False
