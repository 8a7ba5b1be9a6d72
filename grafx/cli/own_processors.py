"""Processors of one's own, from a function that is named on the command line."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GraphError, SearchError

if TYPE_CHECKING:
    import torch.nn as nn

    from ..data import GRAFX

Maker = Callable[[int], "Mapping[str, nn.Module]"]
"""Function of a sample rate in Hz to node types with their processors."""

OPTION = "--processors MODULE:FUNCTION"


def find_maker(name: str, *folders: Path) -> Maker:
    """Import a function that makes processors, which may take the sample rate.

    Args:
        name: ``"MODULE:FUNCTION"``.
        folders: Where the module may be, besides the working directory and installed packages.

    Raises:
        SearchError: There is no such function.
    """
    place, _, attribute = name.partition(":")
    if not place or not attribute.isidentifier():
        raise SearchError(f"--processors {name!r} is not of the form MODULE:FUNCTION.")
    for folder in (Path.cwd(), *folders):  # behind what is installed, and for as long as the module may import others
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    importlib.invalidate_caches()
    module = _import(place)
    maker: Any = getattr(module, attribute, None)
    if not callable(maker):
        file = getattr(module, "__file__", None) or "built in"
        raise SearchError(f"The module {place} ({file}) has no function {attribute}: --processors needs one.")
    parameters = list(inspect.signature(maker).parameters.values())
    takes_rate = any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
    made: Any = maker if takes_rate else lambda _rate: maker()
    return made


def _import(place: str) -> Any:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise SearchError(
                f"There is no module {error.name}, which --processors names: it is looked for in {Path.cwd()} and"
                " among installed packages."
            ) from None
        raise SearchError(f"The module {place} needs the package {error.name}, which is not installed.") from error


def made_by(name: str | None, maker: Maker | None, sample_rate: int) -> dict[str, nn.Module] | None:
    """Call a function that makes processors.

    Raises:
        SearchError: It returns no processors by node types.
    """
    from ..search.mixing.own import own_processors

    if maker is None:
        return None
    processors = maker(sample_rate)
    try:
        own_processors(processors)
    except ValueError as error:
        raise type(error)(f"--processors {name}: {error}") from None
    return dict(processors)


def check_own_types(G: GRAFX, metadata: Mapping[str, Any], known: Mapping[str, Any], given: bool) -> None:
    """Refuse a saved graph of processors that are not given.

    Raises:
        GraphError: The message says which they are, and how they are given.
    """
    if given:
        return
    own, name = metadata.get("own_processors"), metadata.get("processors")
    types = {str(data["node_type"]) for _, data in G.nodes(data=True)} - {"in", "mix", "out"}
    missing = {t: own[t] for t in sorted(types & set(own))} if isinstance(own, Mapping) else {}
    if missing:
        said = ", ".join(f"{node_type} ({cls})" for node_type, cls in missing.items())
        remedy = f"--processors {name}" if isinstance(name, str) else OPTION
        raise GraphError(f"The graph has processors that are not of a console, {said}: give {remedy}.")
    if foreign := sorted(types - set(known)):
        raise GraphError(f"There is no processor for the node type {', '.join(foreign)}: give it by {OPTION}.")
