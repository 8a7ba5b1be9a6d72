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

DOCS = Path(__file__).parents[1]
MADE = "made.json"


def draw(folder: Path) -> Any:
    return importlib.import_module("gallery").draw(folder / "processors")


def sound(folder: Path) -> Any:
    return importlib.import_module("reference.sounds").make(folder / "static" / "sounds")


def start(folder: Path) -> Any:
    return importlib.import_module("reference.start").make(folder / "processors", folder / "static" / "sounds")


SOUNDING = ("reference/examples.py", "reference/sources.py", "reference/sounds.py")
JOBS = {
    "pictures": (draw, ("gallery", "plots.py")),
    "sounds": (sound, (*SOUNDING, "plots.py")),
    "start": (start, (*SOUNDING, "reference/start.py")),
}
"""What is made, by whom, and the files and folders of code beside the library's that it depends on."""


def once(folder: Path) -> dict[str, Any]:
    """Make pictures and sounds of all processors, or read what was said of them when they were made.

    Args:
        folder: Where they are.

    Returns:
        ``pictures`` by family and name, ``sounds`` by name, and the alternative text of the picture to ``start`` with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / MADE
    made = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    library = Path(grafx.processors.__file__).parent
    states = {name: digest([library, *(DOCS / source for source in sources)]) for name, (_, sources) in JOBS.items()}
    due = [name for name in JOBS if made.get(name, {}).get("state") != states[name]]
    if due:
        # Side by side, in processes of their own: they leave nothing in this one, from which others are forked.
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            running = {name: pool.submit(JOBS[name][0], folder) for name in due}
            for name, job in running.items():
                made[name] = {"state": states[name], "said": job.result()}
                record.write_text(json.dumps(made), encoding="utf-8")
    return {name: made[name]["said"] for name in JOBS}


def digest(sources: Sequence[Path]) -> str:
    """What identifies the code in files and folders."""
    files = [file for source in sources for file in ([source] if source.is_file() else sorted(source.rglob("*.py")))]
    state = hashlib.sha256()
    for file in files:
        state.update(file.name.encode() + file.read_bytes())
    return state.hexdigest()
