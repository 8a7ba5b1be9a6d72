"""Arguments and options that several commands have, without what computes, which takes seconds to import."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import GraphError
from ..files import GRAPH_FILE
from ..files import SETTINGS_FILE as SETTINGS_FILE

REPORT_FILE = "report.html"
PAGES = (".html", ".htm")

ResultFolder = Annotated[
    Path, typer.Argument(help="Folder with the results of a search, or its graph.json.", show_default=False)
]
StemPaths = Annotated[list[Path], typer.Argument(help="Audio files, mono or stereo.", show_default=False)]
Stems = Annotated[
    list[Path] | None,
    typer.Argument(help="Audio files, mono or stereo.", show_default="those of the search"),
]
Mix = Annotated[Path | None, typer.Option(help="The finished mix.", show_default="that of the search")]
OwnProcessors = Annotated[
    str | None, typer.Option(metavar="MODULE:FUNCTION", help="Processors of your own, as in grafx search.")
]
Runs = Annotated[Path, typer.Argument(help="Folder of grafx songs search.", show_default=False)]


def refuse_missing(folder: Path, *others: str) -> None:
    """Refuse a folder without a graph, or the file of one that is not there, before anything is imported for it.

    Args:
        folder: What was given as :data:`ResultFolder`.
        others: Files that may be there instead.

    Raises:
        GraphError: It is not there.
    """
    file = folder if folder.name == GRAPH_FILE and not folder.is_dir() else folder / GRAPH_FILE
    if not any(place.exists() for place in (file, *(file.parent / other for other in others))):
        raise GraphError(f"{file} does not exist: give the folder that a graph was saved to.")
