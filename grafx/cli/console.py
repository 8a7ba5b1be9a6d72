"""Words on the terminal."""

from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)


def notice(text: str) -> None:
    """Say something that the user should know but need not act on."""
    console.print(f"[yellow]Note:[/yellow] {escape(text)}", soft_wrap=True)


def fail(text: str) -> NoReturn:
    """Say what is wrong and end with status 1."""
    error_console.print(f"[red]Error:[/red] {escape(text)}", soft_wrap=True)
    raise typer.Exit(1)
