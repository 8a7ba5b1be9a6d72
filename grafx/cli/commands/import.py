"""``grafx import``."""

from pathlib import Path
from typing import Annotated

import typer

from ..faults import plain_errors, usage
from ..progress import busy
from ..terminal import say


def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="File to read, or MODULE:FUNCTION that returns a Pedalboard, or a dict of them by names of stems.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to save the graph to.", show_default=False)],
) -> None:
    """Make a graph of what another program has."""
    with plain_errors("exchange"):
        with busy("making a graph"):
            from ..import_ import import_graph, reader_of

            with usage():
                name = reader_of(source)
            G = import_graph(source, name, out)
        say(f"Wrote {out}: {G.number_of_nodes()} nodes.")
