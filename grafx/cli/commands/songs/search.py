"""``grafx songs search``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ....errors import SearchError
from ...config import NOT_ASKED, make_template
from ...faults import INTERRUPTED, RESUMES, plain_errors, usage
from ...progress import busy, in_lines
from ...search_options import given, with_options_of
from ...terminal import silence
from ..search import search as search_one

OF_RUNNING = ("manifest", "workers", "scheduler", "threads", "retries", "report")
"""Options that are not of a search."""


@with_options_of(search_one, "stems", "mix", "names", "start", "end", "group")
def search(
    ctx: typer.Context,
    manifest: Annotated[
        Path, typer.Argument(help="The list of songs: JSON lines or CSV, see grafx songs scan.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where the results go, in a folder for each song.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="How many songs to search at a time, each in a process.", show_default="as cores"),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a dask scheduler, or its file, whose workers do it instead of processes of this machine.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="How many threads each search computes with.")] = 1,
    retries: Annotated[int, typer.Option(min=0, help="How often a song that fails is tried again.")] = 1,
    report: Annotated[bool, typer.Option(help="Whether each song gets its page, which takes some seconds.")] = True,
    **_options: Any,
) -> None:
    """Search the graph of each song of a list, as grafx search does, and with its options.

    Songs that are done are kept, and those that fail are told with their reasons. Interrupt it at any time: the same
    command resumes.
    """
    with plain_errors(), usage():
        template = make_template(given(ctx, *NOT_ASKED, *OF_RUNNING), ctx.params["config"])
    with plain_errors(stopped=RESUMES), silence(template.quiet), in_lines(template.json):
        with usage(), busy("starting"):
            if scheduler and workers:
                raise SearchError("The workers of a scheduler are its own: leave --workers out, or --scheduler.")
            from ...songs.search import absolute, check_template, folders_of, search_songs, songs_in

            template, folders = absolute(template), folders_of(ctx.params["config"])
            check_template(template, folders)
            total = songs_in(manifest)
        work = {"folders": folders, "threads": threads, "report": report}
        tally, stopped = search_songs(template, manifest, total, work, scheduler, workers, retries)
        if stopped and tally.left:
            raise typer.Exit(INTERRUPTED)
        if tally.failed:
            raise typer.Exit(1)
