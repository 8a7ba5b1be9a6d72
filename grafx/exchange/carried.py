"""What became of each node of a graph in another program."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

How = Literal["exact", "fitted", "rendered", "left out"]


@dataclass(frozen=True)
class Carried:
    """How a node was carried over.

    Attributes:
        node: Its id.
        type: Its type.
        how: ``"exact"``: it sounds the same, up to rounding; ``"fitted"``: settings of another kind were found that
            sound alike; ``"rendered"``: as a response or a recording of it; ``"left out"``: not at all.
        became: What stands for it there.
        distance_db: Level of the difference to our sound, relative to that sound, in dB; ``None`` where it was not
            measured.
        note: What else there is to know.
    """

    node: int
    type: str
    how: How
    became: str
    distance_db: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Distance:
    """How far two renders of a graph are from each other.

    Attributes:
        db: Level of the difference, relative to our sound, in dB.
        match_loss: The :class:`.MatchLoss` of the other from ours; ``None`` for sound that is too short for it.
    """

    db: float
    match_loss: float | None = None


@dataclass(frozen=True)
class Written:
    """What a writer has made.

    Attributes:
        files: What it has written, the main one first.
        carried: Each node that is no input, output or sum, and those of these that are not carried over exactly.
        distance: That of the whole; ``None`` where it was not measured.
    """

    files: Sequence[Path]
    carried: Sequence[Carried] = field(default=())
    distance: Distance | None = None
