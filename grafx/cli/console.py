"""Words on the terminal."""

from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from ..text import printable

# File names may hold what rich would take for markup.
console = Console(highlight=False, markup=False, emoji=False)
error_console = Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(text: str, style: str = "") -> None:
    """Say something on a line of its own, however long."""
    console.print(printable(text), style=style, soft_wrap=True)


def notice(text: str) -> None:
    """Say something that the user should know but need not act on."""
    console.print(Text.assemble(("Note:", "yellow"), f" {printable(text)}"), soft_wrap=True)


def fail(text: str) -> NoReturn:
    """Say what is wrong and end with status 1."""
    error_console.print(Text.assemble(("Error:", "red"), f" {printable(text)}"), soft_wrap=True)
    raise typer.Exit(1)
