"""``grafx export``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..faults import plain_errors, usage
from ..options import SETTINGS_FILE, OwnProcessors, ResultFolder, refuse_missing
from ..own_processors import find_maker
from ..progress import busy, in_lines


def export(
    folder: ResultFolder,
    to: Annotated[
        str, typer.Option(metavar="FORMAT", help="What to write: csv, json, pedalboard, …", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="File or folder to write.", show_default=False)],
    stem: Annotated[
        list[Path] | None,
        typer.Option(
            help="Audio file of an input, once for each: what is fitted is fitted to them.",
            show_default="those of the search",
        ),
    ] = None,
    processors: OwnProcessors = None,
    responses: Annotated[
        bool,
        typer.Option(
            "--responses", help="For pedalboard: impulse responses of all that is linear, in place of fitted settings."
        ),
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="For dawproject: how long a graph without inputs plays.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was carried over how as JSON.")] = False,
) -> None:
    """Carry a saved graph over to another program.

    Prints how each node was carried over, and how far its sound is from ours.
    """
    options = {name: given for name, given in {"responses": responses, "seconds": seconds}.items() if given}
    with plain_errors("exchange"), in_lines(as_json):
        with busy("starting"):
            from ..export import check_export, export_folder, plain, print_written
        with usage():
            check_export(to, out, options)
            maker = find_maker(processors) if processors else None
        refuse_missing(folder, SETTINGS_FILE)
        with busy(f"carrying over and comparing: {to}"):
            written = export_folder(folder, to, out, stem or [], processors, maker, **options)
        if as_json:
            print(json.dumps(plain(written), indent=1))
        else:
            print_written(written)
