"""``grafx open``."""

from typing import Annotated

import typer

from ..faults import plain_errors, usage
from ..options import Mix, OwnProcessors, ResultFolder, Stems, refuse_missing
from ..own_processors import find_maker
from ..progress import busy


def open_(
    folder: ResultFolder,
    stems: Stems = None,
    mix: Mix = None,
    processors: OwnProcessors = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the local server; 0 takes one that is free.")
    ] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Open a saved graph in a page on which it can be heard and changed.

    The page is served on this machine alone, until Ctrl-C. Changed graphs are saved beside the old one.
    """
    with plain_errors():
        with usage():
            maker = find_maker(processors) if processors else None
        refuse_missing(folder)
        with busy("reading the graph and its sound"):
            from ..open import desk_of, open_desk

            desk = desk_of(folder, stems or [], mix, processors, maker)
        open_desk(desk, port, browser)
