"""``grafx draw``."""

from pathlib import Path
from typing import Annotated

import typer

from ..draw import check_picture, check_texts, draw_folder
from ..faults import plain_errors, usage
from ..options import ResultFolder, refuse_missing
from ..terminal import say

TEXTS = "short_type, node_type, node_id, name, chain, level, settings, or an attribute of the nodes"


def draw(
    folder: ResultFolder,
    out: Annotated[Path, typer.Option(help="Picture (.svg, .pdf, .png) or page (.html) to write.", show_default=False)],
    vertical: Annotated[bool, typer.Option(help="Draw from top to bottom.")] = False,
    inside: Annotated[str, typer.Option(help=f"Text inside nodes: {TEXTS}.")] = "short_type",
    above: Annotated[str | None, typer.Option(help=f"Text above nodes: {TEXTS}.")] = None,
) -> None:
    """Draw a saved graph: as a picture, or as a page in which it can be moved, searched and folded."""
    options = {"--vertical": vertical, "--inside": inside != "short_type", "--above": above is not None}
    with usage():
        check_picture(out, [name for name, is_given in options.items() if is_given])
    with plain_errors():
        refuse_missing(folder)
        from ..results import load_folder

        G = load_folder(folder)[0]
    with usage():
        check_texts(G, {"--inside": inside, "--above": above})
    with plain_errors():
        draw_folder(G, out, vertical=vertical, node_inside=inside, node_above=above)
        say(f"Wrote {out}.")
