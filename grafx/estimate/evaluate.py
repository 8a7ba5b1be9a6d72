"""How good estimates are: models and baselines on examples whose graphs are known."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn as nn

from ..data import GRAFX
from .corpus import Corpus, graph_of
from .decode import search_graphs
from .estimator import Estimator
from .features import without_dry
from .metrics import Comparison, compare_graphs, mean_comparison
from .tokens import Vocabulary

Guess = Callable[[Mapping[str, Any]], GRAFX]
"""Takes the features of one sound, ``(1, …)``, and returns a graph."""


def guess_of(model: Estimator) -> Guess:
    """The most likely graph of a model."""

    @torch.no_grad()
    def guess(heard: Mapping[str, Any]) -> GRAFX:
        memory = model.network.encoder(heard)
        return model.graph_of(search_graphs(model.network, memory, model.vocabulary, 1)[0])

    return guess


def evaluate(
    guess: Guess,
    corpus: Corpus,
    vocabulary: Vocabulary,
    processors: Mapping[str, nn.Module],
    dry: bool = True,
    rows: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Compare guesses with the true graphs.

    Args:
        guess: A model or a baseline.
        corpus: Examples that it does not know.
        vocabulary: Theirs.
        processors: Node type to processor.
        dry: Whether the dry sound is given.
        rows: Which examples; by default all.

    Returns:
        What :func:`.mean_comparison` returns.
    """
    found: list[Comparison] = []
    for row in range(len(corpus)) if rows is None else rows:
        heard = corpus.pick(torch.tensor([row])).heard
        guessed = guess(heard if dry else without_dry(heard))
        found.append(
            compare_graphs(graph_of(corpus.tokens[row], corpus.settings[row], vocabulary), guessed, processors)
        )
    return mean_comparison(found)
