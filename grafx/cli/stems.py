"""Names of stems and groups of them, as the command line has them."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from ..errors import GraphError
from ..text import printable


def stem_names(paths: Sequence[Path]) -> list[str]:
    """File names without suffix, numbered if they are equal."""
    names: list[str] = []
    stems = [printable(path.stem) for path in paths]
    taken = set(stems)
    for stem in stems:
        numbered = (f"{stem}-{number}" for number in itertools.count(2))
        names.append(stem if stem not in names else next(n for n in numbered if n not in taken))
        taken.add(names[-1])
    return names


def parse_groups(texts: Sequence[str], kind: str = "group", form: str = "NAME=STEM,STEM") -> dict[str, list[str]]:
    """Convert ``["rhythm=drums,bass"]`` to ``{"rhythm": ["drums", "bass"]}``.

    Raises:
        GraphError: A text is not of this form, or a name is given twice; ``kind`` and ``form`` are what it says.
    """
    groups = {}
    for text in texts:
        name, _, stems = text.partition("=")
        name = printable(name)
        members = [printable(stem.strip()) for stem in stems.split(",")]
        if not name or not all(members):
            raise GraphError(f"The {kind} {text!r} is not of the form {form}.")
        if name in groups:
            raise GraphError(f"The {kind} '{name}' is given twice: give all of it at once.")
        groups[name] = members
    return groups
