"""The ``grafx`` command."""

import os

from .output import exit_after_output, guard_output


def main() -> None:
    """Run the command line."""
    # Threads that spin while waiting slow down by a large factor when another program uses the same cores. The policy
    # must be set before torch is imported.
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
