"""Sounds made of oscillators, noise, envelopes and filters, so that nothing is needed to begin."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any, Self

from torch import Tensor

from ...errors import EstimateError
from ..prior.randomness import Draws
from .base import DrySounds, digest_of, drawn_name, leveled
from .drums import DRUMS, draw_drums
from .score import Note, Voice, perform
from .tones import TONES, draw_tones

Score = Callable[[Draws], list[Note]]


def draw_mix(draws: Draws) -> list[Note]:
    """Draw what one of the other generators makes."""
    return draws.one_of((draw_drums, draw_tones))(draws)


SCORES: dict[str, tuple[Score, dict[str, Voice]]] = {
    "drums": (draw_drums, DRUMS),
    "tones": (draw_tones, TONES),
    "mix": (draw_mix, DRUMS | TONES),
}
"""Generator to what draws a score, and the voices that play it."""


class GeneratedSounds(DrySounds):
    """Sounds of a generator. Each is named by it and a number, and is the same wherever it is made.

    Args:
        kind: ``"drums"``; ``"tones"``, plucked and bowed; or ``"mix"``, some of each.
        sample_rate: In Hz.
        count: How many sounds there are.

    Raises:
        EstimateError: There is no such generator, or no sound.
    """

    def __init__(self, kind: str, sample_rate: int = 44100, count: int = 10_000) -> None:
        if kind not in SCORES:
            raise EstimateError(f"There is no generator {kind!r} of sounds: use one of {', '.join(SCORES)}.")
        if count < 1:
            raise EstimateError(f"count must be at least 1, not {count}.")
        self.kind, self.sample_rate = kind, sample_rate
        self.names = [f"{kind} {number}" for number in range(count)]

    def draw_all(self, seeds: Sequence[int], seconds: float, channels: int = 2) -> list[tuple[str, Tensor]]:
        names = [drawn_name(self.names, seed) for seed in seeds]
        draw, voices = SCORES[self.kind]
        scores = [draw(Draws(name)) for name in names]
        played = perform(scores, voices, round(seconds * self.sample_rate), self.sample_rate)
        return [(name, leveled(sound).expand(channels, -1)) for name, sound in zip(names, played, strict=True)]

    @property
    def description(self) -> dict[str, Any]:
        return {"generator": self.kind, "sounds": len(self.names), "digest": digest_of(self.names)}

    def only(self, names: Iterable[str]) -> Self:
        kept = copy(self)
        wanted = set(names)
        kept.names = [name for name in self.names if name in wanted]
        return kept
