"""Pictures and sounds are made again only when the code behind them has changed."""

import hashlib
import importlib
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import grafx.processors

MADE = "made.json"


def once(folder: Path, sources: Sequence[Path]) -> dict[str, Any]:
    """Make pictures and sounds of all processors, or read what was said of them when they were made.

    Args:
        folder: Where they are.
        sources: Files and folders of code that they depend on besides the library.

    Returns:
        ``pictures`` by family and name, ``sounds`` by name, and the alternative text of the picture to ``start`` with.
    """
    state = digest([*sources, Path(grafx.processors.__file__).parent])
    record = folder / MADE
    if record.exists():
        made = json.loads(record.read_text(encoding="utf-8"))
        if made["state"] == state:
            return made
    # Side by side, in processes of their own: neither leaves anything in this one, from which others are forked.
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        pictures = pool.submit(draw, folder / "processors")
        sounds = pool.submit(sound, folder / "static" / "sounds")
        shown = pool.submit(start, folder / "processors", folder / "static" / "sounds")
        made = {"state": state, "pictures": pictures.result(), "sounds": sounds.result(), "start": shown.result()}
    record.write_text(json.dumps(made), encoding="utf-8")
    return made


def draw(folder: Path) -> Any:
    return importlib.import_module("gallery").draw(folder)


def sound(folder: Path) -> Any:
    return importlib.import_module("reference.sounds").make(folder)


def start(pictures: Path, sounds: Path) -> str:
    return importlib.import_module("reference.start").make(pictures, sounds)


def digest(sources: Sequence[Path]) -> str:
    """What identifies the code in files and folders."""
    files = [file for source in sources for file in ([source] if source.is_file() else sorted(source.rglob("*.py")))]
    state = hashlib.sha256()
    for file in files:
        state.update(file.name.encode() + file.read_bytes())
    return state.hexdigest()
