"""Sections of the benchmarks, one module each: its docstring is the text of the section, its first line the title.

``run(bench)`` yields tables and plots, and ``WORKERS`` names the required workers of the bench. ``PACKAGES``, if
present, names packages whose versions are reported.
"""

import importlib
from dataclasses import dataclass
from types import ModuleType

from ..measure import Worker

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
    """

    ours: Worker
    theirs: Worker
    scatter: Worker
    pedalboard: Worker
    quick: bool
    audio: str | None = None
    songs: str | None = None
    search: bool = False

    def close(self) -> None:
        """End all processes."""
        for worker in (self.ours, self.theirs, self.scatter, self.pedalboard):
            worker.close()


def load(name: str) -> ModuleType:
    """Import the module of a section."""
    return importlib.import_module(f".{name}", __package__)
