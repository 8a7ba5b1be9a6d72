"""``grafx open``."""

import webbrowser
from pathlib import Path
from typing import Annotated, Any

import torch.nn as nn
import typer

from ..errors import SearchError
from .faults import plain_errors, usage
from .own_processors import find_maker
from .results import ResultFolder, metrics_beside
from .sources import Mix, OwnProcessors, Stems, find_sources
from .terminal import notice, say


def open_(
    folder: ResultFolder,
    stems: Stems = None,
    mix: Mix = None,
    processors: OwnProcessors = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the local server; 0 takes one that is free.")
    ] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Open a saved graph in a page on which it can be heard and changed.

    The page is served on this machine alone, until Ctrl-C. Changed graphs are saved beside the old one.
    """
    with plain_errors():
        with usage():
            maker = find_maker(processors) if processors else None
        desk = desk_of(folder, stems or [], mix, processors, maker)
        open_desk(desk, port, browser)


def desk_of(folder: Path, stems: list[Path], mix: Path | None, name: str | None = None, maker: Any = None) -> Any:
    """Load a graph and its audio, ready to be heard and changed.

    Args:
        folder: That of the graph, or its file.
        stems, mix, name, maker: As in :func:`.find_sources`.
    """
    from ..report.live.desk import Desk
    from ..report.live.session import Session
    from ..report.live.teller import Teller
    from ..search.mixing.console import ROLES, console_processors, hearing_processors

    sources = find_sources(folder, stems, mix, name, maker)
    rate = sources.sample_rate
    known = hearing_processors(sources.G, rate, sources.processors)
    place = folder if folder.is_dir() else folder.parent
    roles = console_processors(rate, [role for role in ROLES if role not in known])
    session = Session(sources.G, {**roles, **known}, lambda node_type: _made(node_type, rate))
    teller = Teller(session.G, metrics_beside(place), title=place.resolve().name)
    return Desk(session, sources.stems, rate, place, sources.mix, sources.metadata, teller)


def _made(node_type: str, sample_rate: int) -> nn.Module:
    from ..search.mixing.console import console_processors

    return console_processors(sample_rate, [node_type])[node_type]


def open_desk(desk: Any, port: int, browser: bool) -> None:
    """Serve a page until Ctrl-C, and say where."""
    from ..report.live.server import listen, serve

    try:
        listening = listen(port)
    except OSError as error:
        raise SearchError(
            f"Port {port} cannot be listened at: {error.strerror}. Leave out --port to take any."
        ) from None

    def opened(address: str) -> None:
        say(address)
        notice("This page is for you alone: its address lets whoever has it change the graph. Ctrl-C stops it.")
        if browser and not webbrowser.open(address):
            notice("No browser could be opened: open the address in one.")

    with listening:
        serve(desk, listening, opened)
    say("Stopped.")
