"""The ``grafx`` command."""

import codecs
import os
import sys


def main() -> None:
    """Run the command line."""
    codecs.register_error("grafx-plain", _in_plain_characters)
    # Threads that spin while they wait are many times slower as soon as another program wants the same cores. It has
    # to be said before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="grafx-plain")  # not every terminal has all characters of file names
    try:
        from .main import app

        app()
    except ModuleNotFoundError as error:
        sys.exit(f"The grafx command needs the package {error.name}: install grafx with its extra 'cli'.")
    except KeyboardInterrupt:
        sys.exit(130)


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """A question mark in place of what an encoding lacks, but for the minus, without which numbers would be others."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join({"−": "-"}.get(c, "?") for c in error.object[error.start : error.end]), error.end
