"""How good estimates are: models and baselines on examples whose graphs are known."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn as nn

from ..data import GRAFX
from .corpus import Corpus
from .decode import search_graphs
from .estimator import Estimator
from .features import without_dry
from .metrics import Comparison, compare_graphs
from .tokens import TokenSequence, Vocabulary, decode

Guess = Callable[[Mapping[str, Any]], GRAFX]
"""Takes the features of one sound, ``(1, …)``, and returns a graph."""


def graph_at(corpus: Corpus, row: int, vocabulary: Vocabulary) -> GRAFX:
    """The graph of an example."""
    tokens = tuple(corpus.tokens[row].tolist())
    tokens = tokens[: tokens.index(0) + 1]
    settings = tuple(
        tuple(corpus.settings[row, place, : vocabulary.kinds[token - 1][0].size].float().tolist())
        for place, token in enumerate(tokens)
        if 0 < token < vocabulary.first_pointer
    )
    return decode(TokenSequence(tokens, settings), vocabulary)


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
) -> dict[str, float]:
    """Compare guesses with the true graphs.

    Args:
        guess: A model or a baseline.
        corpus: Examples that it does not know.
        vocabulary: Theirs.
        processors: Node type to processor.
        dry: Whether the dry sound is given.
        rows: Which examples; by default all.

    Returns:
        Means of the measures of :func:`.compare_graphs`, and the share of all node types that are wrong.
    """
    found: list[Comparison] = []
    for row in range(len(corpus)) if rows is None else rows:
        heard = corpus.pick(torch.tensor([row])).heard
        guessed = guess(heard if dry else without_dry(heard))
        found.append(compare_graphs(graph_at(corpus, row, vocabulary), guessed, processors))
    return means(found)


def means(comparisons: Sequence[Comparison]) -> dict[str, float]:
    """Means over comparisons, and over the nodes that were found of the errors of their settings."""
    nodes = [pair.error for one in comparisons for pair in one.pairs if pair.error is not None]
    return {
        "examples": len(comparisons),
        **{
            name: sum(getattr(one, name) for one in comparisons) / max(len(comparisons), 1)
            for name in ("node_type_error", "node_f1", "edge_f1", "edit_distance")
        },
        "parameter_error": sum(nodes) / max(len(nodes), 1),
    }
