"""Saving of an edited graph beside the one that it came from."""

import contextlib
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data import GRAFX, GraphError, save_grafx

EDITED = "edited"


def save_edited(G: GRAFX, folder: Path, metadata: Mapping[str, Any], over: bool = False) -> Path:
    """Write ``graph.json`` and ``parameters.safetensors`` into a new folder in that of the old ones.

    Args:
        G: The graph.
        folder: That of the graph that was edited.
        metadata: That of this graph.
        over: Whether to write over the old ones instead.

    Returns:
        The folder: ``edited``, or ``edited-2`` and so on where there is one.

    Raises:
        GraphError: It cannot be written.
    """
    place = folder if over else _new_folder(folder)
    try:
        save_grafx(G, place, metadata=metadata)
    except GraphError:
        if not over:
            _remove_empty(place)
        raise
    return place


def _new_folder(folder: Path) -> Path:
    for number in itertools.count(1):
        place = folder / (EDITED if number == 1 else f"{EDITED}-{number}")
        try:
            place.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise GraphError(f"{place} cannot be made: {error.strerror or error}.") from None
        return place
    raise AssertionError("there is always another number")


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
