"""``grafx draw``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GraphError
from ..files import replacing
from .outputs import check_file

if TYPE_CHECKING:
    from ..data import GRAFX

PICTURES = (".svg", ".pdf", ".png")
PAGE = ".html"
LEGENDS, THEMES = ("above", "below", "right", "none"), ("light", "dark", "print")
MOST_INCHES = 500


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
    from ..parameters.words import node_lines

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
