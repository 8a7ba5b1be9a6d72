"""``grafx songs``: many songs, from a list of them to a data set."""

import typer

from ...helping import HelpingCommand, HelpingGroup
from .check import check
from .collect import collect
from .prior import prior
from .scan import scan
from .search import search
from .status import status

songs = typer.Typer(
    cls=HelpingGroup,
    add_completion=False,
    no_args_is_help=True,
    help="Search many songs, and make a data set of what is found.",
)

for command in (scan, check, search, status, collect, prior):
    songs.command(command.__name__, cls=HelpingCommand)(command)
