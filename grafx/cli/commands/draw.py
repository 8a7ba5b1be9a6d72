"""``grafx draw``."""

from pathlib import Path
from typing import Annotated

import typer

from ..draw import check_picture, check_texts, draw_folder, page_options
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
    width: Annotated[
        float | None, typer.Option(help="Width in inches, as of a column of a paper.", show_default="that of the graph")
    ] = None,
    legend: Annotated[
        str | None, typer.Option(help="Where the legend stands: above, below, right, or none.", show_default="above")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Text above all.")] = None,
    theme: Annotated[str, typer.Option(help="Colours: light, dark, or print for grey.")] = "light",
) -> None:
    """Draw a saved graph: as a picture, or as a page in which it can be moved, searched and folded."""
    given = {"--vertical": vertical, "--inside": inside != "short_type", "--above": above is not None}
    given |= {"--width": width is not None, "--legend": legend is not None, "--title": title is not None}
    given["--theme"] = theme != "light"
    with usage():
        check_picture(out, [name for name, is_given in given.items() if is_given])
        page = page_options(width, legend, theme)
    with plain_errors():
        refuse_missing(folder)
        from ..results import load_folder

        G = load_folder(folder)[0]
    with usage():
        check_texts(G, {"--inside": inside, "--above": above})
    with plain_errors():
        draw_folder(G, out, vertical=vertical, node_inside=inside, node_above=above, title=title, **page)
        say(f"Wrote {out}.")
