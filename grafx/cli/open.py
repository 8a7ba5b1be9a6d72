"""``grafx open``."""

import webbrowser
from pathlib import Path
from typing import Any

import torch.nn as nn

from ..errors import SearchError
from .results import metrics_beside
from .sources import find_sources
from .terminal import notice, say


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
