"""``grafx draw``."""

from collections.abc import Mapping
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
TEXTS = "short_type, node_type, node_id, name, chain, level, settings, or an attribute of the nodes"


def draw(
    folder: ResultFolder,
    out: Annotated[Path, typer.Option(help="Picture to write: .svg, .pdf or .png.", show_default=False)],
    vertical: Annotated[bool, typer.Option(help="Draw from top to bottom.")] = False,
    inside: Annotated[str, typer.Option(help=f"Text inside nodes: {TEXTS}.")] = "short_type",
    above: Annotated[str | None, typer.Option(help=f"Text above nodes: {TEXTS}.")] = None,
) -> None:
    """Draw a saved graph."""
    with usage():
        check_picture(out)
    with plain_errors():
        G = load_folder(folder)[0]
    with usage():
        check_texts(G, {"--inside": inside, "--above": above})
    with plain_errors():
        draw_folder(G, out, vertical=vertical, node_inside=inside, node_above=above)
        say(f"Wrote {out}.")


def check_picture(out: Path) -> None:
    """Refuse a suffix that is not that of a picture format.

    Raises:
        GraphError: The suffix is not .svg, .pdf or .png.
    """
    if out.suffix.lower() not in PICTURES:
        raise GraphError(f"--out {out} should end in .svg, .pdf or .png.")


def check_texts(G: GRAFX, options: Mapping[str, str | None]) -> None:
    """Refuse texts that no node has.

    Raises:
        GraphError: A text is unknown; the message names the option and the choices.
    """
    from ..draw.draw import TEXTS

    held = dict.fromkeys(name for _, data in G.nodes(data=True) for name in data if name != "parameters")
    lacking = {"rendering_order"} if G.rendering_order_method is None else set()
    lacking |= set() if any(node_lines(data) for _, data in G.nodes(data=True)) else {"settings"}
    known = dict.fromkeys([*(text for text in TEXTS if text not in lacking), *held])
    for option, text in options.items():
        if text is not None and text not in known:
            raise GraphError(f"{option} {text!r} is nothing that a node has: use one of {', '.join(known)}.")


def draw_folder(G: GRAFX, out: Path, **options: Any) -> None:
    """Draw a graph to a file."""
    from ..draw import draw_grafx

    check_file(out, PICTURES, GraphError)
    figure, _ = draw_grafx(G, **options)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        figure.savefig(partial, format=out.suffix[1:].lower())
