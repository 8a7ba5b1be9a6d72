"""The ``grafx`` command and its subcommands."""

from typing import Annotated

import typer

from .. import __version__
from .demo import demo
from .draw import draw
from .invert import invert
from .open import open_
from .processors import processors
from .render import render
from .report import report
from .search import search
from .songs import songs
from .terminal import say

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        say(f"grafx {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find, hear, render and draw audio processing graphs."""


for command in (search, report, open_, render, draw, processors, invert, demo):
    app.command(command.__name__.rstrip("_"))(command)
app.add_typer(songs, name="songs")
