"""A picture of every processor, made when the site is built; each family has a module.

A processor without a picture there has a plain one: what it does to a sine, at its default.
"""

import inspect
from pathlib import Path

from grafx.processors.base import Processor
from plots import HALF, WHOLE, Panel, alone, describe, small

from grafx import processors

from . import (
    containers,
    delays,
    distortion,
    dynamics,
    equalizers,
    filters,
    modulation,
    reverbs,
    smoothers,
    stereo,
    synthesis,
)
from .panels import by_default

PICTURES: dict[str, dict[str, list[Panel]]] = {
    "Stereo": stereo.PICTURES,
    "Equalizers": equalizers.PICTURES,
    "Filters": filters.PICTURES,
    "Dynamics": dynamics.PICTURES,
    "Distortion": distortion.PICTURES,
    "Delay and reverb": delays.PICTURES | reverbs.PICTURES,
    "Modulation": modulation.PICTURES,
    "Smoothers": smoothers.PICTURES,
    "Synthesis": synthesis.PICTURES,
    "Containers": containers.PICTURES,
}
FAMILIES = {
    "stereo": "Stereo",
    "eq": "Equalizers",
    "filter": "Filters",
    "dynamics": "Dynamics",
    "nonlinear": "Distortion",
    "delay": "Delay and reverb",
    "reverb": "Delay and reverb",
    "modulation": "Modulation",
    "synth": "Synthesis",
    "container": "Containers",
}
"""Family on the page of those in a room of the code that have no picture of their own."""


def draw(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Draw every public processor: each panel for its page, ``NAME_0.svg``, and the first one small for the overview.

    Returns:
        Family to name to the alternative text of each panel.

    Raises:
        LookupError: A picture is of a processor that there is not, or a processor without one cannot be made or called
            without arguments of its own.
    """
    pictures = complete(PICTURES, [name for name in processors.__all__ if is_processor(getattr(processors, name))])
    folder.mkdir(parents=True, exist_ok=True)
    for family in pictures.values():
        for name, panels in family.items():
            for i, panel in enumerate(panels):
                write(folder / f"{name}_{i}.svg", alone(panel, HALF if len(panels) > 1 else WHOLE))
            write(folder / f"{name}_small.svg", small(panels[0]))
    return {
        family: {name: [describe(name, panel) for panel in panels] for name, panels in drawn.items()}
        for family, drawn in pictures.items()
    }


def complete(pictures: dict[str, dict[str, list[Panel]]], public: list[str]) -> dict[str, dict[str, list[Panel]]]:
    """Pictures of all public processors: those that there are, and plain ones of the rest, in their families."""
    drawn = {name for family in pictures.values() for name in family}
    if unknown := drawn - {*public}:
        raise LookupError(f"PICTURES of docs/gallery has {sorted(unknown)}, which grafx.processors does not.")
    completed = {family: dict(members) for family, members in pictures.items()}
    for name in public:
        cls = getattr(processors, name)
        if name not in drawn:
            completed[FAMILIES[cls.__module__.split(".")[2]]][name] = plain(cls)
    return completed


def plain(cls: type[Processor]) -> list[Panel]:
    """Pictures of a processor that has none of its own, at its default."""
    required = [p.name for p in inspect.signature(cls).parameters.values() if p.default is p.empty and p.kind < 2]
    if required:
        raise LookupError(
            f"{cls.__name__} needs {', '.join(required)} to be made: draw it in a module of docs/gallery."
        )
    return by_default(cls())


def is_processor(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Processor)


def write(path: Path, text: str) -> None:
    """Write a file unless it is unchanged, so that pages are only rebuilt if necessary."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
