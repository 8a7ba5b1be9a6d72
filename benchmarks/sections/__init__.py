"""Sections of the benchmarks, one module each: its docstring is the text of the section, its first line the title.

``run(bench)`` yields tables and plots, and ``WORKERS`` names the required workers of the bench. ``PACKAGES``, if
present, names packages whose versions are reported.
"""

import importlib
from dataclasses import dataclass
from types import ModuleType

from ..measure import ABSENT, Worker

SECTIONS = (
    "consoles",
    "growth",
    "floor",
    "kernels",
    "switches",
    "inference",
    "dynamics",
    "filters",
    "reverbs",
    "desk",
    "waveshapers",
    "factorized",
    "modulation",
    "streaming",
    "cuda",
    "schedules",
    "large",
    "memory",
    "aggregation",
    "kicks",
    "inversion",
    "recovery",
    "chorus_recovery",
    "sessions",
    "search",
    "settings",
    "graph_data",
    "graphbench",
    "drawings",
)
"""All sections in the order of the page."""


class NotHere(Exception):
    """This machine lacks a requirement of a section; the message names it."""


@dataclass(frozen=True)
class Bench:
    """Workers that run cases.

    Attributes:
        ours: This package.
        theirs: GRAFX 0.6.0.
        scatter: This package where ``torch_scatter`` is installed.
        pedalboard: The plug-in host of that name.
        quick: Whether sizes should be tiny.
        audio: A recording to compare sounds on.
        songs: A folder of songs with their stems.
        search: Whether to search them, which takes long.
        before: An earlier version of this package, which only searches.
        song: A folder with one of them.
        runs: A folder of what ``grafx search`` wrote about them.
    """

    ours: Worker
    theirs: Worker
    scatter: Worker
    pedalboard: Worker
    quick: bool
    audio: str | None = None
    songs: str | None = None
    search: bool = False
    before: Worker = ABSENT
    song: str | None = None
    runs: str | None = None

    def close(self) -> None:
        """End all processes."""
        for worker in (self.ours, self.theirs, self.scatter, self.pedalboard, self.before):
            worker.close()


def load(name: str) -> ModuleType:
    """Import the module of a section."""
    return importlib.import_module(f".{name}", __package__)
