"""What is known of each song of a folder of many: one small file a song, which whoever runs them writes."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ...files import replacing
from .names import STATE_FOLDER

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
STATES = WAITING, RUNNING, DONE, FAILED


@dataclass(frozen=True)
class SongState:
    """How far a song is.

    Attributes:
        name: Of the song.
        state: One of :data:`STATES`. Of a run that was killed, ``"running"`` is left.
        reason: Why it failed, or why it has to be tried again.
        attempts: How many of them have ended in a result or a failure.
        seconds: How long all of them took.
        worker: Where it runs, or ran last.
        asked: Tells whether the same is asked for again.
    """

    name: str
    state: str = WAITING
    reason: str = ""
    attempts: int = 0
    seconds: float = 0.0
    worker: str = ""
    asked: str = ""


def read_state(runs: str | os.PathLike, name: str) -> SongState:
    """Read what is known of a song; that it waits where nothing is, or nothing that can be read."""
    try:
        content = json.loads(_file(runs, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return SongState(name)
    return _state(name, content) or SongState(name)


def write_state(runs: str | os.PathLike, state: SongState) -> None:
    """Write what is known of a song.

    Raises:
        OSError: It cannot be written.
    """
    file = _file(runs, state.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as partial:
        partial.write_text(json.dumps(asdict(state)) + "\n", encoding="utf-8")


def _file(runs: str | os.PathLike, name: str) -> Path:
    return Path(runs) / STATE_FOLDER / f"{name}.json"


def _state(name: str, content: Any) -> SongState | None:
    if not isinstance(content, Mapping) or content.get("state") not in STATES:
        return None
    kinds = {"attempts": int, "seconds": (int, float)}
    known = {
        field.name: content[field.name]
        for field in fields(SongState)
        if isinstance(content.get(field.name), kinds.get(field.name, str))
    }
    return SongState(**{**known, "name": name})
