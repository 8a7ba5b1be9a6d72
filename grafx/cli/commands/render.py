"""``grafx render``."""

from pathlib import Path
from typing import Annotated

import typer

from ..faults import plain_errors, usage
from ..options import ResultFolder, StemPaths, refuse_missing
from ..own_processors import find_maker
from ..progress import busy
from ..terminal import say


def render(
    folder: ResultFolder,
    stems: StemPaths,
    out: Annotated[Path, typer.Option(help="Audio file to write; .wav keeps 32-bit floats.", show_default=False)],
    block: Annotated[
        int | None,
        typer.Option(min=1, help="Render this many samples at a time, for files of any length."),
    ] = None,
    tail: Annotated[bool, typer.Option(help="Continue after the stems until the sound has decayed.")] = False,
    processors: Annotated[
        str | None, typer.Option(metavar="MODULE:FUNCTION", help="Processors of your own, as in grafx search.")
    ] = None,
) -> None:
    """Mix stems with a saved graph."""
    with plain_errors():
        with usage():
            maker = find_maker(processors) if processors else None
        refuse_missing(folder)
        with busy("reading the graph"):
            from ..render import render_folder

        render_folder(folder, stems, out, block, tail, processors, maker)
        say(f"Wrote {out}.")
