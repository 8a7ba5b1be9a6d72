"""``grafx demo``."""

from pathlib import Path
from typing import Annotated

import typer

from ...errors import SearchError
from ..faults import INTERRUPTED, RESUMES, plain_errors
from ..outputs import check_folder
from ..progress import busy


def demo(
    out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("grafx-demo"),
) -> None:
    """Mix real stems with third-party effects, search for the graph, and compare it with the ground truth."""
    with plain_errors(stopped=RESUMES):
        check_folder(out, SearchError)
        with busy("starting"):
            from ..demo import run_demo

        if not run_demo(out):
            raise typer.Exit(INTERRUPTED)
