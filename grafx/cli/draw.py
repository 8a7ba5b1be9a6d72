"""``grafx draw``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data import GRAFX
from ..errors import GraphError
from ..files import replacing
from ..parameters.words import node_lines
from .faults import plain_errors, usage
from .outputs import check_file
from .results import ResultFolder, load_folder
from .terminal import say

PICTURES = (".svg", ".pdf", ".png")
PAGE = ".html"
LEGENDS, THEMES = ("above", "below", "right", "none"), ("light", "dark", "print")
MOST_INCHES = 500
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
        G = load_folder(folder)[0]
    with usage():
        check_texts(G, {"--inside": inside, "--above": above})
    with plain_errors():
        draw_folder(G, out, vertical=vertical, node_inside=inside, node_above=above, title=title, **page)
        say(f"Wrote {out}.")


def check_picture(out: Path, options: Sequence[str] = ()) -> None:
    """Refuse a suffix that is not that of a picture or a page, and for a page options of pictures.

    Raises:
        GraphError: The suffix is not .svg, .pdf, .png or .html; or it is .html, with one of ``options``.
    """
    if out.suffix.lower() not in (*PICTURES, PAGE):
        raise GraphError(f"--out {out} should end in .svg, .pdf or .png, or in .html for a page.")
    if out.suffix.lower() == PAGE and options:
        raise GraphError(f"{options[0]} is for pictures, not for pages: leave it out, or let --out end in .svg.")


def page_options(width: float | None, legend: str | None, theme: str) -> dict[str, Any]:
    """Options of :func:`.draw_grafx` from those of the command line.

    Raises:
        GraphError: There is no such width, legend or theme.
    """
    if width is not None and not 0 < width < MOST_INCHES:
        raise GraphError(f"--width {width:g} is no width of a picture: give inches, above 0 and below {MOST_INCHES}.")
    for option, value, known in (("--legend", legend, LEGENDS), ("--theme", theme, THEMES)):
        if value is not None and value not in known:
            raise GraphError(f"{option} {value!r} is not known: use one of {', '.join(known)}.")
    return {"width": width, "legend": {None: True, "none": False}.get(legend, legend), "theme": theme}


def check_texts(G: GRAFX, options: Mapping[str, str | None]) -> None:
    """Refuse texts that no node has.

    Raises:
        GraphError: A text is unknown; the message names the option and the choices.
    """
    from ..draw.labels import TEXTS

    held = dict.fromkeys(name for _, data in G.nodes(data=True) for name in data if name != "parameters")
    lacking = {"rendering_order"} if G.rendering_order_method is None else set()
    lacking |= set() if any(node_lines(data) for _, data in G.nodes(data=True)) else {"settings"}
    known = dict.fromkeys([*(text for text in TEXTS if text not in lacking), *held])
    for option, text in options.items():
        if text is not None and text not in known:
            raise GraphError(f"{option} {text!r} is nothing that a node has: use one of {', '.join(known)}.")


def draw_folder(G: GRAFX, out: Path, **options: Any) -> None:
    """Draw a graph to a file."""
    from ..draw import draw_grafx, to_html

    is_page = out.suffix.lower() == PAGE
    check_file(out, (*PICTURES, PAGE), GraphError)
    drawn: Any = to_html(G) if is_page else draw_grafx(G, **options)[0]
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        if is_page:
            partial.write_text(drawn, encoding="utf-8", newline="\n")
        else:
            drawn.savefig(partial, format=out.suffix[1:].lower())
