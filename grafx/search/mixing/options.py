"""How to search, and how far a search is."""

from dataclasses import dataclass, fields

from ...errors import SearchError
from ..arguments import number, whole_number
from .prune import METHODS

CHAIN = ("eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb")
"""Processors of each chain of a console, in their order."""


@dataclass(frozen=True)
class Options:
    """Options of a search.

    Attributes:
        seed: Everything random follows from it. With as many threads, the same seed gives the same graph.
        fit_steps: Gradient steps on the full console.
        rounds: How many times pruning and fine-tuning alternate.
        tune_steps: Gradient steps after each pruning.
        tolerance: How much the match loss may rise over that of the fitted console. Where that is less than 2.4 below
            the plain sum's, in proportion less, down to a quarter.
        method: ``"hybrid"``, ``"drywet"`` or ``"brute-force"``, see :mod:`grafx.search.prune`.
        learning_rate: Of Adam at the start of the fit; it falls along a cosine.
        tune_learning_rate: The same for each fine-tuning.
        gain_penalty: Weight of the gain-staging regularization, summed over nodes.
        delay_penalty: Weight of the surrogate delays' radii loss, summed over nodes.
        weight_penalty: Weight of the sum of dry/wet weights while fine-tuning for the next pruning: it silences what
            helps less than that.
        align: Whether stems are moved, inverted or left out where the mix shows clearly that they should, see
            :func:`align`.

    Raises:
        SearchError: The method is unknown, a number is negative or of another kind, or ``align`` is not true or false.
    """

    seed: int = 0
    fit_steps: int = 180
    rounds: int = 6
    tune_steps: int = 40
    tolerance: float = 0.012
    method: str = "hybrid"
    learning_rate: float = 0.1
    tune_learning_rate: float = 0.04
    gain_penalty: float = 1e-3
    delay_penalty: float = 1e-4
    weight_penalty: float = 5e-4
    align: bool = True

    def __post_init__(self):
        if not isinstance(self.method, str) or self.method not in METHODS:
            raise SearchError(f"Unknown pruning method '{self.method}': use one of {', '.join(METHODS)}.")
        for field in fields(self):
            if field.type is bool and not isinstance(getattr(self, field.name), bool):
                raise SearchError(f"{field.name} is {getattr(self, field.name)!r}, but must be true or false.")
            if field.type in (int, float):
                check = whole_number if field.type is int else number
                object.__setattr__(self, field.name, check(field.name, getattr(self, field.name)))


@dataclass(frozen=True)
class Progress:
    """Progress of a search.

    Attributes:
        phase: ``"fit"`` or ``"tune"`` for a gradient step, ``"prune"`` for a round of pruning.
        round: 0 for the console, then the round of pruning.
        step: Gradient steps done in all.
        loss: Match loss of this step or, for ``"prune"``, of the pruned graph.
        num_processors: How many processors the graph has now.
    """

    phase: str
    round: int
    step: int
    loss: float
    num_processors: int
