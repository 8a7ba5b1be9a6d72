"""Which parts of the audio a search listens to."""

from dataclasses import dataclass

import torch
from torch import Tensor

SECONDS = 4.0
"""Length of an excerpt of audio that is longer than :data:`WHOLE_SECONDS`."""
LEAD_SECONDS = 1.5
"""What is rendered before an excerpt without being compared, so that tails and envelopes are there when it begins."""
WHOLE_SECONDS = 7.0
NUM_EVALUATED = 6


@dataclass(frozen=True)
class Excerpt:
    """A part of the audio.

    Attributes:
        stems: ``(K, 2, L)``, with the lead.
        mix: ``(2, M)``, without it: the last M samples belong to it.
    """

    stems: Tensor
    mix: Tensor


def evaluated_excerpts(stems: Tensor, mix: Tensor, sample_rate: int) -> list[Excerpt]:
    """What a graph is judged by: the whole audio or, where it is long, excerpts spread evenly over it."""
    length = mix.shape[-1]
    if length <= WHOLE_SECONDS * sample_rate:
        return [Excerpt(stems, mix)]
    last = length - round(SECONDS * sample_rate)
    count = min(NUM_EVALUATED, -(-length // round(SECONDS * sample_rate)))
    return [_cut(stems, mix, sample_rate, round(last * i / (count - 1))) for i in range(count)]


def random_excerpt(stems: Tensor, mix: Tensor, sample_rate: int, seed: int) -> Excerpt:
    """What one gradient step listens to: the whole audio or, where it is long, an excerpt from anywhere."""
    length = mix.shape[-1]
    if length <= WHOLE_SECONDS * sample_rate:
        return Excerpt(stems, mix)
    last = length - round(SECONDS * sample_rate)
    generator = torch.Generator().manual_seed(seed)
    return _cut(stems, mix, sample_rate, int(torch.randint(last + 1, (), generator=generator)))


def _cut(stems: Tensor, mix: Tensor, sample_rate: int, start: int) -> Excerpt:
    stop = start + round(SECONDS * sample_rate)
    lead = max(0, start - round(LEAD_SECONDS * sample_rate))
    return Excerpt(stems[..., lead:stop], mix[..., start:stop])
