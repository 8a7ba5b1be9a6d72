"""The ``grafx`` command and its subcommands, each of which is imported when it is called."""

from importlib import import_module
from typing import Annotated, Any

import typer

from .helping import HelpingCommand, HelpingGroup
from .terminal import say

COMMANDS = {
    "search": "Find a mixing graph that turns stems into a finished mix.",
    "report": "Write a page to see and hear a saved graph.",
    "open": "Open a saved graph in a page on which it can be heard and changed.",
    "render": "Mix stems with a saved graph.",
    "draw": "Draw a saved graph: as a picture, or as a page in which it can be moved, searched and folded.",
    "export": "Carry a saved graph over to another program.",
    "import": "Make a graph of what another program has.",
    "listen": "Write a listening test that compares found graphs with a reference, for webMUSHRA.",
    "processors": "List the processors, or the controls of one: their units, ranges and defaults.",
    "invert": "Find the settings with which a synthesizer reproduces a sound.",
    "songs": "Search many songs, and make a data set of what is found.",
    "data": "Make data for blind estimation: random graphs, their dry sounds and their outputs.",
    "train": "Train a model that estimates graphs from sounds.",
    "estimate": "Estimate the graphs that may have made a sound.",
    "demo": "Mix real stems with third-party effects, search for the graph, and compare it with the ground truth.",
}
"""Name to summary, the first sentence of the function that the module of this name has."""


class Commands(HelpingGroup):
    """Commands that are known by name and summary until one is called, as their imports take seconds."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if command and name else command, rest


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},  # commands have it too
)


def load(name: str) -> Any:
    """Import a command: a function, or an app of further commands."""
    module = import_module(f".commands.{name}", __package__)
    found = getattr(module, name, None) or getattr(module, f"{name}_")
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name, cls=HelpingCommand)(found)
    return typer.main.get_command(alone)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        say(f"grafx {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find, hear, render and draw audio processing graphs."""


def _not_yet_imported() -> None:
    """What stands for a command in the list of all."""


for _name, _summary in COMMANDS.items():
    app.command(_name, help=_summary)(_not_yet_imported)
