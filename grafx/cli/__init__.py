"""The ``grafx`` command."""

import os
import sys


def main() -> None:
    """Run the command line."""
    # Threads that spin while they wait are many times slower as soon as another program wants the same cores. It has
    # to be said before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # not every terminal has all characters of file names
    try:
        from .main import app

        app()
    except ModuleNotFoundError as error:
        sys.exit(f"The grafx command needs the package {error.name}: install grafx with its extra 'cli'.")
    except KeyboardInterrupt:
        sys.exit(130)
