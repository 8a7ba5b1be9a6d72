"""``grafx report``."""

from pathlib import Path
from typing import Annotated

import typer

from ...errors import GraphError
from ..faults import plain_errors, usage
from ..options import PAGES, REPORT_FILE, SETTINGS_FILE, Mix, OwnProcessors, ResultFolder, Stems, refuse_missing
from ..outputs import check_file
from ..own_processors import find_maker
from ..progress import busy
from ..terminal import say


def report(
    folder: ResultFolder,
    stems: Stems = None,
    mix: Mix = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="What is known of the mix: a JSON file of its chains.", show_default="truth.json, if any"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Page to write.", show_default="report.html in the folder")] = None,
    processors: OwnProcessors = None,
) -> None:
    """Write a page to see and hear a saved graph.

    It is one file that opens in any browser, without a network.
    """
    folder = folder.parent if folder.is_file() else folder
    out = folder / REPORT_FILE if out is None else out
    with plain_errors():
        with usage():
            maker = find_maker(processors) if processors else None
            check_file(out, PAGES, GraphError)
        refuse_missing(folder, SETTINGS_FILE)
        with busy("reading the graph and its sound"):
            from ...report import read_truth
            from ..inversions import is_inversion, sources_of_inversion
            from ..report import write_page
            from ..sources import find_sources

            known = read_truth(truth) if truth else None  # before the audio is read
            if is_inversion(folder):
                sources = sources_of_inversion(folder, mix)
            else:
                sources = find_sources(folder, stems or (), mix, processors, maker)
        write_page(folder, out, sources, known)
        say(f"Wrote {out}.")
