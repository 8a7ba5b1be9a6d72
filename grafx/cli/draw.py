"""``grafx draw``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GraphError, SearchError
from ..files import replacing
from .outputs import check_file

if TYPE_CHECKING:
    from ..data import GRAFX

PICTURES = (".svg", ".pdf", ".png")
PAGE, FILM = ".html", ".gif"
LEGENDS, THEMES = ("above", "below", "right", "none"), ("light", "dark", "print")
MOST_INCHES = 500


def check_picture(out: Path, options: Sequence[str] = ()) -> None:
    """Refuse a suffix that is not that of a picture, a film or a page, and for a page options of pictures.

    Raises:
        GraphError: The suffix is not .svg, .pdf, .png, .gif or .html; or it is .html, with one of ``options``.
    """
    suffix = out.suffix.lower()
    if suffix not in (*PICTURES, PAGE, FILM):
        raise GraphError(
            f"--out {out} should end in .svg, .pdf or .png, in .html for a page, or in .gif for a film of the pruning."
        )
    if suffix == PAGE and options:
        raise GraphError(f"{options[0]} is for pictures, not for pages: leave it out, or let --out end in .svg.")
    if suffix == FILM and "--before" in options:
        raise GraphError("--before is for pictures; a film begins with what was before: leave it out.")


def texts_of(option: str | None) -> list[str] | None:
    """The texts that an option names, separated by commas."""
    return None if option is None else [text for part in option.split(",") if (text := part.strip())]


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


def check_texts(
    G: GRAFX, inside: Sequence[str] | None, above: Sequence[str] | None, edges: Sequence[str] | None
) -> None:
    """Refuse texts that no node, or no edge, has.

    Raises:
        GraphError: A text is unknown; the message names the option and the choices.
    """
    from ..draw.labels import EDGE_TEXTS, TEXTS, THUMBNAIL
    from ..parameters.words import node_lines

    held = dict.fromkeys(name for _, data in G.nodes(data=True) for name in data if name != "parameters")
    lacking = {"rendering_order"} if G.rendering_order_method is None else set()
    lacking |= set() if any(node_lines(data) for _, data in G.nodes(data=True)) else {"settings"}
    texts = [*(text for text in TEXTS if text not in lacking), *held]
    of_edges = [*EDGE_TEXTS, *(name for *_, data in G.edges(data=True) for name in data)]
    for option, given, known in (
        ("--inside", inside, [*texts, THUMBNAIL]),
        ("--above", above, texts),
        ("--edges", edges, of_edges),
    ):
        for text in given or ():
            if text not in known:
                what = "an edge" if option == "--edges" else "a node"
                choices = ", ".join(dict.fromkeys(known))
                raise GraphError(f"{option} {text!r} is nothing that {what} has: use one of {choices}.")


def draw_folder(
    G: GRAFX, out: Path, metrics: Mapping[str, Any] | None = None, before: bool = False, **options: Any
) -> None:
    """Draw a graph to a file: alone, beside what it was pruned from, or as a film of the pruning.

    Args:
        G: The graph.
        out: A picture, a page, or a film.
        metrics: Those of the search that found it.
        before: Whether what was before stands beside it.
        options: Those of pictures.

    Raises:
        SearchError: The metrics do not tell of a pruning.
    """
    from ..draw import draw_grafx, draw_pruning, film_pruning, to_html

    suffix = out.suffix.lower()
    check_file(out, (*PICTURES, PAGE, FILM), GraphError)
    console, rounds = pruning_told(G, metrics, out) if before or suffix == FILM else (G, [])
    drawn: Any = None
    if suffix == PAGE:
        drawn = to_html(G)
    elif before:
        drawn = draw_pruning(console, G, **options)[0]
    elif suffix != FILM:
        drawn = draw_grafx(G, **options)[0]
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        if suffix == PAGE:
            partial.write_text(drawn, encoding="utf-8", newline="\n")
        elif suffix == FILM:
            film_pruning(console, rounds, partial, G, **options)
        else:
            drawn.savefig(partial, format=suffix[1:])


def pruning_told(G: GRAFX, metrics: Mapping[str, Any] | None, out: Path) -> tuple[Any, Sequence[Mapping[str, Any]]]:
    """The graph before its pruning, and what each round left; ``G`` is told which node of that each of it was.

    Raises:
        SearchError: The metrics do not tell.
    """
    from ..data.attributes import CONSOLE_ID
    from ..report.story import console_of

    if not metrics or not metrics.get("console") or not metrics.get("rounds"):
        raise SearchError(
            f"{out} cannot be drawn: what each round of pruning removed is not among the results. It is in the"
            " metrics.json that grafx search writes beside a graph; where it was moved, give its folder, and where it"
            " is of an earlier version, search again."
        )
    for node in metrics.get("nodes") or ():
        if node.get("console_id") is not None and node["id"] in G:
            G.nodes[node["id"]][CONSOLE_ID] = node["console_id"]
    return console_of(metrics), metrics["rounds"]
