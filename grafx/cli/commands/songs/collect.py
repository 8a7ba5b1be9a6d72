"""``grafx songs collect``."""

from pathlib import Path
from typing import Annotated

import typer

from ....errors import SearchError
from ....words import count
from ...faults import plain_errors
from ...options import REPORT_FILE, Runs
from ...outputs import check_folder
from ...progress import busy
from ...terminal import notice, say


def collect(
    runs: Runs,
    out: Annotated[Path | None, typer.Option(help="Folder for the files.", show_default="the same")] = None,
) -> None:
    """Make a data set of what was found: tables of songs and processors, graphs for PyG, and an atlas to look at."""
    out = runs if out is None else out
    with plain_errors():
        with busy("collecting what was found"):
            from ....report.atlas import Atlas, write_atlas
            from ....search.songs.collect import collect_songs
            from ....search.songs.names import ATLAS_FILE, GRAPHS_FILE, PROCESSORS_FILE, SONGS_FILE

            check_folder(out, SearchError)
            atlas = Atlas(runs, REPORT_FILE)
            found = collect_songs(runs, out, notice, also=atlas.add)
            page = write_atlas(out / ATLAS_FILE, atlas)
        say(
            f"Collected {count(found.songs, 'song')}, {found.graphs} of them done, with"
            f" {count(found.processors, 'processor')}: wrote {SONGS_FILE}, {PROCESSORS_FILE}, {GRAPHS_FILE} to {out}."
        )
        say(f"See them all: {page}.")
