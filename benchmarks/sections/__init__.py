"""What is measured, a module each: its docstring is the text of its section, its first line the title.

``run(bench)`` yields the tables, and ``WORKERS`` names those of the bench that take part.
"""

import importlib
from dataclasses import dataclass
from types import ModuleType

from ..measure import Worker

SECTIONS = ("consoles", "growth", "schedules", "large", "memory", "aggregation")
"""All sections in the order of the page."""


@dataclass(frozen=True)
class Bench:
    """Who runs cases.

    Attributes:
        ours: This package.
        theirs: GRAFX 0.6.0.
        scatter: This package where ``torch_scatter`` is installed.
        quick: Whether sizes should be tiny.
    """

    ours: Worker
    theirs: Worker
    scatter: Worker
    quick: bool

    def close(self) -> None:
        """End all processes."""
        for worker in (self.ours, self.theirs, self.scatter):
            worker.close()


def load(name: str) -> ModuleType:
    """The module of a section."""
    return importlib.import_module(f".{name}", __package__)
