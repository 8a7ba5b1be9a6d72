"""Standard streams that never fail: a closed terminal must not lose results."""

import codecs
import os
import sys
from errno import EPIPE
from typing import Any, TextIO


class Output:
    """A text stream that ignores write errors.

    Attributes:
        fault: The first error, unless the reader closed the stream.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lost = stream, False
        self.fault: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not self._lost:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        if not self._lost:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        self._lost = True
        if isinstance(error, OSError) and error.errno != EPIPE:
            self.fault = error
        try:
            # Python would report the rest of the buffer at exit.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            pass


def guard_output() -> None:
    """Make all standard streams safe, including closed ones."""
    codecs.register_error("grafx-plain", _in_plain_characters)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # or else the next file to be opened were taken for this stream
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="grafx-plain")  # not every terminal has all characters of file names
        setattr(sys, name, Output(stream))


def exit_after_output(code: Any) -> None:
    """Exit with a status, or with 1 and a message if only writing to the standard output failed."""
    sys.stdout.flush()
    fault = getattr(sys.stdout, "fault", None)
    if fault is not None and not code:
        code = f"Error: standard output: {fault.strerror}."
    sys.exit(code)


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """Replace unencodable characters by a question mark, and the minus sign by a hyphen to keep numbers correct."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join({"−": "-"}.get(c, "?") for c in error.object[error.start : error.end]), error.end
