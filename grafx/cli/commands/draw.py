"""``grafx draw``."""

from pathlib import Path
from typing import Annotated

import typer

from ..draw import check_picture, check_texts, draw_folder, page_options, texts_of
from ..faults import plain_errors, usage
from ..options import ResultFolder, refuse_missing
from ..progress import busy
from ..terminal import say

TEXTS = "short_type, node_type, node_id, name, chain, level, settings, wet, or an attribute of the nodes"
SEVERAL = "several are separated by commas"


def draw(
    folder: ResultFolder,
    out: Annotated[
        Path,
        typer.Option(
            help="Picture (.svg, .pdf, .png), page (.html) or film of the pruning (.gif) to write.", show_default=False
        ),
    ],
    vertical: Annotated[bool, typer.Option(help="Draw from top to bottom.")] = False,
    inside: Annotated[
        str, typer.Option(help=f"Text inside nodes: {TEXTS}, or thumbnail for curves; {SEVERAL}.")
    ] = "short_type",
    above: Annotated[str | None, typer.Option(help=f"Text above nodes: {TEXTS}; {SEVERAL}.")] = None,
    edges: Annotated[
        str | None,
        typer.Option(help=f"Text on edges: wet, level, outlet, inlet, or an attribute of the edges; {SEVERAL}."),
    ] = None,
    groups: Annotated[bool, typer.Option(help="Draw boxes around subgroups, with their names.")] = False,
    before: Annotated[bool, typer.Option(help="Draw what was before the pruning beside it.")] = False,
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
    given |= {"--theme": theme != "light", "--edges": edges is not None, "--groups": groups, "--before": before}
    with usage():
        check_picture(out, [name for name, is_given in given.items() if is_given])
        page = page_options(width, legend, theme)
    texts = {"inside": texts_of(inside), "above": texts_of(above), "edges": texts_of(edges)}
    with plain_errors():
        refuse_missing(folder)
        with busy("reading the graph"):
            from ..estimated import processors_of_estimate
            from ..results import load_folder, metrics_beside

            G, _, metadata = load_folder(folder)
    with usage():
        check_texts(G, **texts)
    with plain_errors():
        page["processors"] = processors_of_estimate(metadata) if "thumbnail" in (texts["inside"] or ()) else None
        labels = {"node_inside": texts["inside"], "node_above": texts["above"], "edge_label": texts["edges"]}
        metrics = metrics_beside(folder if folder.is_dir() else folder.parent)
        with busy("drawing"):
            draw_folder(G, out, metrics, before, vertical=vertical, title=title, groups=groups, **labels, **page)
        say(f"Wrote {out}.")
