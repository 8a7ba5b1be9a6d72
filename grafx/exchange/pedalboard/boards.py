"""Graphs of boards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ... import trees
from ...data import GRAFX, NodeConfigs
from ...data.attributes import Settings
from ...errors import ExchangeError
from ...parameters.settings import settings_of
from ...processors.contract import contract_of
from .counterparts import OWN, Counterpart, counterpart
from .memory import MEMORY

SAMPLE_RATE = 44100
STEM, MASTER = "stem", "master"
BASE = {"process", "reset", "is_effect", "is_instrument"}


def from_pedalboard(board: Any, sample_rate: int = SAMPLE_RATE) -> GRAFX:
    """Make a graph of a board.

    A ``Mix`` becomes branches that meet in a ``mix`` node; a ``Chain``, nodes in series. Nodes hold raw parameters, and
    remember the settings that they were made of, so that :func:`to_pedalboard` has them again while they are as they
    were. Node types are those of a console and classes of :mod:`grafx.processors`, so that :func:`.render_mix` renders
    most graphs; :func:`counterparts` has the rest.

    Args:
        board: A ``pedalboard.Pedalboard`` or another plug-in, or a dict of them by the names of stems, which are mixed.
        sample_rate: In Hz, at which parameters hold: a board has none of its own.

    Returns:
        The graph.

    Raises:
        ExchangeError: A plug-in has no counterpart; the message says which, where it is, and what to do.
    """
    boards = board if isinstance(board, Mapping) else {STEM: board}
    if not boards:
        raise ExchangeError("There is no board: give a Pedalboard, or a dict of them by the names of stems.")
    tree = {name: _read(each, f"The board '{name}'") for name, each in boards.items()}
    parts = {name: _counterparts(each, sample_rate) for name, each in tree.items()}
    config = {
        part.type: {"inlets": list(contract_of(part.processor).inlets)}
        for each in parts.values()
        for part in _flat(each)
    }
    G = GRAFX(config=NodeConfigs(config))
    ends = [_append(G, G.add("in", name=name), each) for name, each in parts.items()]
    if len(ends) > 1:
        bus = G.add("mix", name=MASTER)
        for end in ends:
            G.connect(end, bus)
        ends = [bus]
    G.connect(ends[0], G.add("out", name="mix"))
    return G


def read_pedalboard(source: str) -> tuple[GRAFX, dict[str, Any]]:
    """Make a graph of what a function returns, ``MODULE:FUNCTION``, see :func:`from_pedalboard`.

    Raises:
        ExchangeError: There is no such function, or it returns something else.
    """
    import importlib
    import sys

    place, _, name = str(source).partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise ExchangeError(
                f"There is no module {error.name}: it is looked for in {Path.cwd()} and among installed packages."
            ) from None
        raise
    function = getattr(module, name, None)
    if function is None:
        raise ExchangeError(f"The module {place} has no {name!r}: name a function, or a board.")
    G = from_pedalboard(function() if _is_maker(function) else function)
    own = {t: f"{OWN_PLACE}:{t}" for t in sorted({data["node_type"] for _, data in G.nodes(data=True)} & set(OWN))}
    metadata = {"kind": "mixing graph", "sample_rate": SAMPLE_RATE}
    return G, {**metadata, "own_processors": own, "processors": f"{OWN_PLACE}:counterparts"} if own else metadata


OWN_PLACE = "grafx.exchange.pedalboard"


def _is_maker(value: Any) -> bool:
    """Whether a value makes a board; boards can be called, too."""
    return callable(value) and not hasattr(value, "process")


def settings_of_plugin(plugin: Any) -> dict[str, Any]:
    """The settings of a plug-in, as arguments of its class."""
    names = [n for n in dir(plugin) if not n.startswith("_") and n not in BASE and not callable(getattr(plugin, n))]
    values = {name: getattr(plugin, name) for name in names if name[0].islower()}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.7g}")  # of single precision
    return getattr(value, "name", value)  # of a mode


class _Branches(list):
    """What is in parallel: lists of what is in series."""


def _read(board: Any, place: str) -> list[Any]:
    """What a board has in series: plug-ins with their places, and branches."""
    import pedalboard

    if isinstance(board, pedalboard.Mix):
        branches = [_read(each, f"{place}, branch {number}") for number, each in enumerate(board, 1)]
        if not branches:
            raise ExchangeError(f"{place} has a Mix without plug-ins, which is silent: leave it out.")
        return [_Branches(branches)]
    if isinstance(board, pedalboard.Chain):
        return [each for number, item in enumerate(board, 1) for each in _read(item, f"{place}, plug-in {number}")]
    if isinstance(board, pedalboard.Plugin):
        return [(type(board).__name__, board, place)]
    raise ExchangeError(f"{place} is a {type(board).__name__}, but should be a Pedalboard or a plug-in of pedalboard.")


def _counterparts(items: list[Any], sample_rate: int) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if isinstance(item, _Branches):
            found.append(_Branches(_counterparts(branch, sample_rate) for branch in item))
        else:
            kind, plugin, place = item
            settings = settings_of_plugin(plugin)
            found.append((counterpart(kind, settings, sample_rate, place), {"kind": kind, "settings": settings}))
    return found


def _flat(items: list[Any]) -> list[Counterpart]:
    return [
        part
        for item in items
        for part in ([p for branch in item for p in _flat(branch)] if isinstance(item, _Branches) else [item[0]])
    ]


def _append(G: GRAFX, source: int, items: list[Any]) -> int:
    """Add nodes behind a node; returns the last."""
    for item in items:
        if isinstance(item, _Branches):
            source = _append_branches(G, source, item)
            continue
        part, memory = item
        node = G.add(part.type, parameters=dict(part.raw))
        with torch.no_grad():
            settings = settings_of(part.processor, trees.batch(part.raw), 1)[0]
        G.nodes[node]["settings"] = Settings(settings, part.raw)
        G.nodes[node][MEMORY] = memory
        G.connect(source, node)
        source = node
    return source


def _append_branches(G: GRAFX, source: int, branches: _Branches) -> int:
    bus = G.add("mix")
    straight = False
    for branch in branches:
        end = _append(G, source, branch)
        if end == source and straight:
            raise ExchangeError("A Mix has two branches without plug-ins: use one, with a Gain of 6.02 dB.")
        straight |= end == source
        G.connect(end, bus)
    return bus
