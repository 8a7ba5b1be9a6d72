"""How commands end: what the user can fix is said in a line, with a status."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ..errors import GraphWarning
from .terminal import fail, notice, warnings_as_notices

INTERRUPTED = 130  # what shells use for a program that was interrupted
EXTRAS = {"dask": "songs", "distributed": "songs", "pyarrow": "songs"}
"""Packages that are not of the extra that a command has by itself."""
WRONG_USAGE = 2  # as of arguments that are missing or unknown
RESUMES = "Stopped. What was done up to the last checkpoint is kept; the same command resumes."
STOPPED = "Stopped. What was complete is kept and nothing is half-written; the same command begins again."


@contextmanager
def plain_errors(extra: str = "demo", stopped: str = STOPPED) -> Iterator[None]:
    """Print errors that the user can fix as messages without a traceback.

    Args:
        extra: Whose packages may be missing, besides those of :data:`EXTRAS`.
        stopped: What to say after an interrupt: what is kept, and how to go on.
    """
    try:
        with warnings_as_notices(GraphWarning):
            yield
    except ValueError as error:
        notes = " ".join(getattr(error, "__notes__", []))
        fail(f"{error} {notes}".strip())
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0], extra)
        fail(f"This needs the package {error.name}: install grafx with its extra '{extra}'.")
    except KeyboardInterrupt:
        notice(stopped)
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        fail(f"{error.filename or 'A file'}: {error.strerror or error}.")


@contextmanager
def usage() -> Iterator[None]:
    """Treat errors in this block as wrong usage of an option."""
    try:
        yield
    except ValueError as error:
        fail(str(error), WRONG_USAGE)
