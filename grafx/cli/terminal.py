"""Messages on the terminal."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from ..text import printable
from .wrapping import wrapped

# Results go to the output; notes, progress and errors to the other stream. File names may hold what rich would take for
# markup.
terminal = Console(highlight=False, markup=False, emoji=False)
error_terminal = Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(text: str, style: str = "") -> None:
    """Say something on a line of its own, which a terminal shows in as many as it takes."""
    _tell(terminal, text, style)


def remark(text: str) -> None:
    """Say something beside the results, on a line of its own that is there at once."""
    _tell(error_terminal, text)


def notice(text: str) -> None:
    """Say something that the user should know but need not act on."""
    _tell(error_terminal, text, head=("Note:", "yellow"))


@contextmanager
def silence(wanted: bool) -> Iterator[None]:
    """Print nothing but errors, where this is wanted."""
    before = [(console, console.quiet) for console in (terminal, error_terminal)]
    for console, quiet in before:
        console.quiet = quiet or wanted
    try:
        yield
    finally:
        for console, quiet in before:
            console.quiet = quiet


@contextmanager
def warnings_as_notices(category: type[Warning]) -> Iterator[None]:
    """Print each warning of a category once, as a note."""
    said = set()

    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message, kind, *place, **rest):
            if not issubclass(kind, category):
                others(message, kind, *place, **rest)
            elif str(message) not in said:
                said.add(str(message))
                notice(str(message))

        warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield


def complain(text: str) -> None:
    """Say what is wrong."""
    _tell(error_terminal, text, head=("Error:", "red"))


def fail(text: str, status: int = 1) -> NoReturn:
    """Say what is wrong and end with a status."""
    complain(text)
    raise typer.Exit(status)


def _tell(console: Console, text: str, style: str = "", head: tuple[str, str] | None = None) -> None:
    """Print a text, after a word in a style of its own; for a terminal it is broken between words, for programs not."""
    said = printable(text) if head is None else f"{head[0]} {printable(text)}"
    shown = Text("\n".join(wrapped(said, console.width)) if console.is_terminal else said, style)
    if head is not None:
        shown.stylize(head[1], 0, len(head[0]))
    console.print(shown, soft_wrap=True)
