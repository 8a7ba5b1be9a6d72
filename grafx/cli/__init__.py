"""The ``grafx`` command."""

import os

from .output import exit_after_output, guard_output


def main() -> None:
    """Run the command line."""
    # Threads that spin while they wait are many times slower as soon as another program wants the same cores. It has
    # to be said before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    guard_output()
    try:
        from .main import app

        app()
    except ModuleNotFoundError as error:
        exit_after_output(f"The grafx command needs the package {error.name}: install grafx with its extra 'cli'.")
    except KeyboardInterrupt:
        exit_after_output(130)
    except SystemExit as error:
        exit_after_output(error.code)
