"""The ``grafx`` command."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from .main import app
    except ModuleNotFoundError as error:
        sys.exit(f'The grafx command needs the package {error.name}: pip install "grafx[cli]".')
    app()
