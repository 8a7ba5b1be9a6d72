"""All of a search that changes while it runs, which is what a checkpoint holds."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...data import GRAFX
from ...data.attributes import CONSOLE_ID as CONSOLE_ID
from .mixer import Mixer


@dataclass(frozen=True)
class Found:
    """A graph, whose nodes hold their parameters and dry/wet weights, and the match loss that it reaches.

    ``step`` is how many gradient steps had been done when it was found.
    """

    G: GRAFX
    loss: float
    num_processors: int
    step: int = 0


@dataclass
class SearchState:
    """Where a search is. What is not here follows from its audio and options.

    Attributes:
        mixer: The graph that is being fitted, with its parameters and dry/wet weights.
        optimizer: That of the mixer.
        average: Means of parameters over the last steps of a round, by name; empty before them.
        headroom: How far over the bound the next pruning may go.
        round: 0 for the console, then the round of pruning.
        step: Gradient steps done in all.
        step_in_round: Those of this round.
        pruned: Whether this round has pruned, or is not to.
        second_chance: Whether this round only fine-tunes what the last one pruned too far.
        seconds: How long it has run, where someone measures it.
        history: One entry for each gradient step and each pruning.
        rounds: One entry for each round that has ended: its number, the gradient steps so far, the loss, which
            processors are left, by :data:`CONSOLE_ID`, and where it went too far, ``back_to`` which round the search
            went back.
        console: The fitted console, once it is.
        best: The best graph so far.
    """

    mixer: Mixer
    optimizer: torch.optim.Optimizer
    headroom: float
    average: dict[str, Tensor] = field(default_factory=dict)
    round: int = 0
    step: int = 0
    step_in_round: int = 0
    pruned: bool = False
    second_chance: bool = False
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    console: Found | None = None
    best: Found | None = None
