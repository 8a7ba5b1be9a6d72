"""``grafx search``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import NOT_ASKED, make_request
from ..faults import INTERRUPTED, RESUMES, plain_errors, usage
from ..progress import busy, in_lines
from ..search_options import given, with_search_options
from ..terminal import silence


@with_search_options
def search(
    ctx: typer.Context,
    stems: Annotated[list[Path] | None, typer.Argument(help="Audio files, mono or stereo.", show_default=False)] = None,
    mix: Annotated[Path | None, typer.Option(help="Finished mix of these stems.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help="Where the results go.", show_default=False)] = None,
    names: Annotated[
        str | None,
        typer.Option(help="Names of the stems in their order: drums,bass,…", show_default="those of the files"),
    ] = None,
    start: Annotated[
        float | None,
        typer.Option(min=0, help="Where an excerpt begins, in seconds.", show_default="the beginning"),
    ] = None,
    end: Annotated[
        float | None, typer.Option(min=0, help="Where the excerpt ends, in seconds.", show_default="the end")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="A file of TOML with any of these options; those given here count more. Results have such a file."
        ),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="A subgroup: NAME=STEM,STEM,… May be given several times.")
    ] = None,
    chain: Annotated[
        str | None,
        typer.Option(help="Processors of each chain: eq,compressor,… See grafx processors.", show_default="all seven"),
    ] = None,
    master: Annotated[
        str | None, typer.Option(help="Processors of the master, or none.", show_default="those of a chain")
    ] = None,
    returns: Annotated[
        list[str] | None,
        typer.Option(help="A return, with a send from each chain: NAME=PROCESSOR,… May be given several times."),
    ] = None,
    sidechain: Annotated[
        list[str] | None,
        typer.Option(help="What drives a compressor of a stem or group: STEM=KEY. May be given several times."),
    ] = None,
    processors: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FUNCTION",
            help="A function of your own that returns a dict of processors by node types, and may take the sample rate."
            " The module may be in the working directory.",
        ),
    ] = None,
    prior: Annotated[
        Path | None,
        typer.Option(
            help="Where processors start: a prior of graphs, such as grafx songs prior fits to searches.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="Where to compute: cpu, cuda, cuda:1.", show_default="cpu")] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, help="How many searches, with the seed and those that follow it, to tell what is sure of the answer."
        ),
    ] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON, and no summary.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no summary, no notes and no progress.")] = False,
    **options: Any,
) -> None:
    """Find a mixing graph that turns stems into a finished mix.

    Interrupt it at any time: the best graph so far is saved, and the same command resumes.
    """
    with plain_errors(), usage():
        request = make_request(given(ctx, *NOT_ASKED), config)
    with plain_errors(stopped=RESUMES), silence(request.quiet), in_lines(request.json):
        with busy("reading the stems and the mix"):
            from ..report import leave_report
            from ..search import check_request, folders_of, read_searches, run_search, run_seeds
            from ..sources import find_sources

            with usage():
                maker = check_request(request, *folders_of(config))
            new_search = read_searches(request, maker)
            found = new_search(request)
        if request.seeds > 1:
            finished = run_seeds(found, new_search, request, config)
        else:
            finished = run_search(found, request.out, request=request, config=config)
        if not finished:
            raise typer.Exit(INTERRUPTED)
        leave_report(request.out, lambda folder: find_sources(folder, name=request.processors, maker=maker))
