"""``grafx processors``."""

import json
from typing import Annotated

import typer

from ..faults import plain_errors, usage
from ..progress import busy
from ..terminal import say

JSON = "Print the same as JSON, with all controls."


def processors(
    name: Annotated[
        str | None, typer.Argument(help="A class of grafx.processors, or a type of a console.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """List the processors, or the controls of one: their units, ranges and defaults."""
    with plain_errors():
        with busy("looking for processors"):
            from ..processors import console_types, describe, describe_all, find, library_classes, print_all, print_one

            types, classes = console_types(), library_classes()
        with usage():
            chosen = None if name is None else find(name, {**classes, **types})
        if as_json:
            found = [describe(name, chosen)] if name and chosen else describe_all(types, classes)
            print(json.dumps(found[0] if name else found, indent=1))
        elif name and chosen:
            print_one(name, chosen)
        else:
            print_all("Types of a console", types)
            print_all("Classes of grafx.processors", classes)
            say("grafx processors NAME lists the controls of one.")
