"""Atomic file replacement, and locks for one writer at a time."""

import contextlib
import os
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from errno import EAGAIN, EEXIST
from pathlib import Path

from .text import printable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

GRAPH_FILE = "graph.json"
"""Of a folder that a graph was saved to."""
SETTINGS_FILE = "settings.json"
"""Of a folder that an inversion was written to."""
LOCK_FILE = ".grafx.lock"
LONGEST_SUFFIX = 16
PARTIAL_FOLDER = ".partial"
_held = threading.local()


class LockedError(OSError):
    """Another process or thread is writing to the folder."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path, and move the file written there to its place on success.

    Until then, and on any error, the existing file remains unchanged. Links are followed.

    Args:
        path: The file to write, in an existing folder.

    Raises:
        OSError: The file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise FileExistsError(EEXIST, "There is a folder or device in its place", str(path))
    # Short, because the target's name may have the maximum length; same suffix, because writers depend on it.
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= LONGEST_SUFFIX else ""
    partial = target.with_name(f".partial-{secrets.token_hex(8)}{suffix}")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())  # a rename may get to the disk before what is still in memory
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all, with the same bytes on every system, in a folder that is made if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def replacing_all(folder: str | os.PathLike, names: Sequence[str]) -> Iterator[Path]:
    """Yield an empty folder for files, and move those of these names, in their order, to a folder on success.

    What a run that was killed has left of it is removed. Whoever calls this has locked the folder.

    Raises:
        OSError: A file is missing or cannot be written.
    """
    folder = Path(folder)
    partial = folder / PARTIAL_FOLDER
    remove_partial(folder)
    partial.mkdir()
    try:
        yield partial
        for name in names:
            with open(partial / name, "rb+") as file:
                os.fsync(file.fileno())
        for name in names:
            (partial / name).replace(os.path.realpath(folder / name))
        sync_folder(folder)
    finally:
        remove_partial(folder)


def remove_partial(folder: str | os.PathLike) -> None:
    """Remove what a :func:`replacing_all` that was killed has left."""
    shutil.rmtree(Path(folder) / PARTIAL_FOLDER, ignore_errors=True)


def write_through(path: str | os.PathLike, content: bytes) -> None:
    """Write a file and flush it to disk, so that a later rename cannot overtake its content."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: str | os.PathLike) -> None:
    """Flush to disk which files a folder has, where the system knows how to."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextlib.contextmanager
def locked_for_run(folder: Path, fault: type[Exception]) -> Iterator[None]:
    """Make a folder where it is missing, and lock it at once for what a command or a training writes.

    Raises:
        fault: Another run writes there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder, timeout=0):
            yield
    except LockedError:
        raise fault(f"Another run is writing into {printable(folder)}: wait for it, or give another folder.") from None


@contextlib.contextmanager
def locked(folder: str | os.PathLike, timeout: float = 60.0) -> Iterator[None]:
    """Lock a folder for one process, and one thread of it, at a time. A thread may lock a folder again.

    A lock ends with its process in any case.

    Args:
        folder: The folder to write to.
        timeout: Seconds to wait for other writers.

    Raises:
        LockedError: The folder is still locked after the timeout.
        OSError: The folder does not exist or cannot be opened.
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
    """Lock a folder and return the function that unlocks it, or ``None`` if it is locked."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            return _lock_of(os.open(folder, os.O_RDONLY))
    return _try_lock_file(folder / LOCK_FILE)


def _try_lock_file(path: Path) -> Callable[[], None] | None:
    """Like :func:`_try_lock`, with a lock file, for systems and network disks that cannot lock folders."""
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
    """Lock an open file, or close it on failure."""
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


def relative_path(path: Path, folder: Path) -> str:
    """A path as seen from a folder, with slashes on every system."""
    path = path.absolute()
    path = path.parent.resolve() / path.name  # what a link is called may be the name of a stem
    try:
        return Path(os.path.relpath(path, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
