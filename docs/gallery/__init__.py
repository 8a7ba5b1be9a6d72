"""Pictures of all processors, made during the build of the site; each family has a module."""

from pathlib import Path

from grafx.processors.base import Processor
from plots import Panel, describe, small, wide

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


def draw(folder: Path) -> dict[str, dict[str, str]]:
    """Draw every public processor, wide for its documentation and small for the overview.

    Returns:
        Family to name to an alternative text of the picture.

    Raises:
        LookupError: A processor has no picture here, or a picture no processor.
    """
    public = {name for name in processors.__all__ if is_processor(getattr(processors, name))}
    drawn = {name for family in PICTURES.values() for name in family}
    if public != drawn:
        raise LookupError(
            f"PICTURES of docs/gallery lacks {sorted(public - drawn)} and has {sorted(drawn - public)}, which "
            "grafx.processors does not."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for family in PICTURES.values():
        for name, panels in family.items():
            write(folder / f"{name}.svg", wide(panels))
            write(folder / f"{name}_small.svg", small(panels[0]))
    return {
        family: {name: describe(name, panels) for name, panels in pictures.items()}
        for family, pictures in PICTURES.items()
    }


def is_processor(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Processor)


def write(path: Path, text: str) -> None:
    """Write a file unless it is unchanged, so that pages are only rebuilt if necessary."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
