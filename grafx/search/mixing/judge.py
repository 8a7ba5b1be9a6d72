"""Losses of the mixes of excerpts."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .excerpt import Excerpt
from .loss import MatchLoss, Reference

KEPT = 64
"""How many excerpts' targets are kept; at 44.1 kHz, those of 2 s take 1 MB each, and 5 MB if the mix is mono."""


class Judge:
    """A loss of excerpts, whose targets are prepared once.

    Args:
        loss: A :class:`MatchLoss`, or a function of an estimate and a target.
        gain: Factor that brings the song to the reference loudness.
        device: Where to compute.

    Attributes:
        never_negative: Whether the loss is known to be so; one's own may be, such as a negated ratio in dB.
    """

    def __init__(self, loss: MatchLoss | Callable[[Tensor, Tensor], Tensor], gain: float, device: torch.device) -> None:
        self.loss, self.gain, self.device = loss, gain, device
        self.never_negative = isinstance(loss, MatchLoss)
        self._references: OrderedDict[tuple[int, int], Reference] = OrderedDict()

    def __call__(self, mix: Tensor, excerpt: Excerpt) -> Tensor:
        """Compute the loss of a rendered excerpt.

        Args:
            mix: ``(2, L)``, with the warm-up.
            excerpt: What was rendered.
        """
        estimate = excerpt.scored(mix).to(self.device)
        if isinstance(self.loss, MatchLoss):
            return self.loss(estimate, self._reference(excerpt))
        return self.loss(estimate, excerpt.mix.to(self.device))

    @torch.no_grad()
    def mean(self, mix_down: Callable[[Tensor], Tensor], excerpts: Sequence[Excerpt]) -> float:
        """Compute the mean loss over excerpts, of a function from stems to their mix."""
        return sum(self(mix_down(excerpt.stems), excerpt).item() for excerpt in excerpts) / len(excerpts)

    def _reference(self, excerpt: Excerpt) -> Reference:
        assert isinstance(self.loss, MatchLoss)
        place = excerpt.start, excerpt.mix.shape[-1]
        if place not in self._references:
            self._references[place] = self.loss.reference(excerpt.mix.to(self.device), self.gain)
        self._references.move_to_end(place)
        while len(self._references) > KEPT:
            self._references.popitem(last=False)
        return self._references[place]
