"""The graph of the most similar sound that is known."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ...data import GRAFX
from ..corpus import Corpus, graph_of
from ..features import without_dry
from ..tokens import Vocabulary

Embedding = Callable[[Mapping[str, Tensor]], Tensor]
"""Takes features ``(B, …)``, and returns ``(B, D)``."""
AT_A_TIME = 512
SHORT = 8


class NearestNeighbour:
    """The graph, with its settings, of the example whose embedding is nearest.

    Args:
        corpus: The examples.
        vocabulary: Theirs.
        embedding: Of sounds, such as :meth:`.Estimator.embed`; by default :func:`plain_embedding`. Each number of it is
            scaled to a mean of 0 and a deviation of 1 over the examples; distances are Euclidean.
        dry: Whether dry sounds are compared, too.
    """

    @torch.no_grad()
    def __init__(
        self, corpus: Corpus, vocabulary: Vocabulary, embedding: Embedding | None = None, dry: bool = True
    ) -> None:
        self.corpus, self.vocabulary, self.dry = corpus, vocabulary, dry
        self.embedding = embedding or plain_embedding
        parts = torch.arange(len(corpus)).split(AT_A_TIME)
        known = torch.cat([self._embedded(corpus.pick(rows).heard) for rows in parts])
        self.mean, self.deviation = known.mean(0), known.std(0, correction=0).clamp(min=1e-3)
        self.known = (known - self.mean) / self.deviation

    @torch.no_grad()
    def __call__(self, heard: Mapping[str, Tensor]) -> GRAFX:
        """The graph of the nearest example."""
        asked = (self._embedded(heard) - self.mean) / self.deviation
        row = int(torch.cdist(asked, self.known)[0].argmin())
        return graph_of(self.corpus.tokens[row], self.corpus.settings[row], self.vocabulary)

    def _embedded(self, heard: Mapping[str, Tensor]) -> Tensor:
        return self.embedding(heard if self.dry else without_dry(heard))


def plain_embedding(heard: Mapping[str, Tensor]) -> Tensor:
    """Means and deviations of spectrograms and levels over time, and all other features, which nobody has trained."""
    mel, levels = heard["mel"].float(), heard["levels"].float()
    response = heard["response"].float()
    usable = response.shape[-1] // SHORT * SHORT
    parts = [mel.mean(-1), mel.std(-1), levels.mean(-1), levels.std(-1)]
    parts += [response[..., :usable].unflatten(-1, (-1, SHORT)).mean(-1), heard["spectrum"].float()]
    return torch.cat([*(part.flatten(1) for part in parts), heard["statistics"].float()], 1)
