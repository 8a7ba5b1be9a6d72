"""``grafx songs check``."""

from pathlib import Path
from typing import Annotated

import typer

from ....words import count
from ...faults import plain_errors
from ...progress import busy
from ...terminal import say


def check(
    manifest: Annotated[Path, typer.Argument(help="The list of songs: JSON lines or CSV.", show_default=False)],
) -> None:
    """Say everything that is wrong with a list of songs and their files, before anything is spent on them.

    The status is 1 where there is something.
    """
    problems, lines = 0, set()
    with plain_errors():
        with busy("looking at the files of all songs"):
            from ....search.songs.check import check_songs

            for problem in check_songs(manifest):
                problems += 1
                lines.add(problem.line)
                name = f", {problem.name}" if problem.name else ""
                say(f"line {problem.line}{name}: {problem.text}")
        if problems:
            say(f"{count(problems, 'problem')} in {count(len(lines), 'line')}.")
            raise typer.Exit(1)
        say("All songs can be searched, as far as their files tell.")
