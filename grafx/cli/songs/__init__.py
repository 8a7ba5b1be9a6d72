"""``grafx songs``: many songs, from a list of them to a data set."""

import typer

from .search import search

songs = typer.Typer(no_args_is_help=True, help="Search many songs, and make a data set of what is found.")

for command in (search,):
    songs.command(command.__name__)(command)
