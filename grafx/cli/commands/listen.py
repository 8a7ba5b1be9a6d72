"""``grafx listen``."""

from pathlib import Path
from typing import Annotated

import typer

from ..faults import plain_errors
from ..progress import busy


def listen(
    sounds: Annotated[
        list[Path], typer.Argument(help="Audio files, and folders with results of searches.", show_default=False)
    ],
    reference: Annotated[Path, typer.Option(help="Audio file that they are compared with.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(help="Folder of the test, for the folder configs of webMUSHRA.", show_default=False),
    ],
    page: Annotated[
        str | None,
        typer.Option(
            help="Name of the page; another one is added to a test that is there.", show_default="that of the reference"
        ),
    ] = None,
    start: Annotated[float | None, typer.Option(min=0, help="Where the excerpt begins, in seconds.")] = None,
    end: Annotated[float | None, typer.Option(min=0, help="Where it ends.")] = None,
    stem: Annotated[
        list[Path] | None,
        typer.Option(
            help="Audio file of an input of the graphs, once for each; they are rendered with these.",
            show_default="their saved mixes",
        ),
    ] = None,
) -> None:
    """Write a listening test that compares found graphs with a reference, for webMUSHRA.

    By the method of ITU-R BS.1534 (MUSHRA): the sounds are equally loud, the reference is hidden among them, and so
    are low-passed anchors.
    """
    with plain_errors("exchange"):
        with busy("starting"):
            from ..listen import listening_test, print_test

        print_test(listening_test(sounds, reference, out, page, start, end, stem or []), out)
