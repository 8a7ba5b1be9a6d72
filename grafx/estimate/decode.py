"""The most likely graphs, found among sequences that are graphs."""

from typing import NamedTuple

import torch
from torch import Tensor

from .model import Network
from .tokens import Grammar, Vocabulary

BEAM = 16
"""Sequences that are followed at a time, or twice as many as graphs are asked for, if these are more."""


class LikelySequence(NamedTuple):
    """A sequence of tokens, its settings by token, and the logarithm of its probability."""

    tokens: tuple[int, ...]
    settings: Tensor
    log_probability: float


@torch.no_grad()
def search_graphs(network: Network, memory: Tensor, vocabulary: Vocabulary, k: int) -> list[LikelySequence]:
    """Find the most likely sequences by a beam, in which tokens that may not follow have no probability.

    Args:
        network: Decodes.
        memory: What its encoder heard of one sound, ``(1, parts, width)``.
        vocabulary: The tokens.
        k: How many.

    Returns:
        At most ``k``, each with its probability among all sequences that are graphs, the most likely first.
    """
    width = max(BEAM, 2 * k)
    beams = [(0.0, Grammar(vocabulary))]
    ended: list[tuple[float, tuple[int, ...]]] = []
    while beams:
        prefixes = torch.tensor([grammar.tokens for _, grammar in beams], dtype=torch.long).reshape(len(beams), -1)
        logits, _ = network.decode(memory.expand(len(beams), -1, -1), prefixes)
        masks = torch.stack([grammar.mask() for _, grammar in beams])
        logs = logits[:, -1].double().masked_fill(~masks, -torch.inf).log_softmax(1)
        scores = logs + torch.tensor([score for score, _ in beams], dtype=torch.double)[:, None]
        beams = _followed(beams, scores, width, ended)
        least = sorted((score for score, _ in ended), reverse=True)[k - 1 : k]
        beams = [beam for beam in beams if not least or beam[0] > least[0]]
    best = sorted(ended, key=lambda one: (-one[0], one[1]))[:k]
    return [LikelySequence(tokens, _settings(network, memory, tokens), score) for score, tokens in best]


def _followed(
    beams: list[tuple[float, Grammar]], scores: Tensor, width: int, ended: list[tuple[float, tuple[int, ...]]]
) -> list[tuple[float, Grammar]]:
    """The most likely of all that may follow; those that have ended are added to the others."""
    order = scores.flatten().sort(descending=True, stable=True)
    followed = []
    for score, index in zip(order.values[:width].tolist(), order.indices[:width].tolist(), strict=True):
        if score == -torch.inf:
            break
        row, token = divmod(index, scores.shape[1])
        grammar = beams[row][1].copy()
        grammar.push(token)
        if grammar.done:
            ended.append((score, tuple(grammar.tokens)))
        else:
            followed.append((score, grammar))
    return followed


def _settings(network: Network, memory: Tensor, tokens: tuple[int, ...]) -> Tensor:
    row = torch.tensor([tokens])
    _, within = network.decode(memory, row)
    return network.settings(within, row)[0].clamp(0, 1)
