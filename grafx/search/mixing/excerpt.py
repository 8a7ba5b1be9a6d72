"""Excerpts of the audio used by a search."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SECONDS = 4.0
"""Length of an excerpt for evaluation, for audio longer than :data:`WHOLE_SECONDS`."""
LEAD_SECONDS = 1.5
"""Warm-up rendered before an excerpt without being compared, so that tails and envelopes have settled."""
WHOLE_SECONDS = 7.0
STEP_SECONDS, STEP_LEAD_SECONDS, STEP_WHOLE_SECONDS = 2.0, 1.0, 4.0
"""The same for gradient steps, of which many are averaged."""
GRID_SECONDS = 0.25
NUM_EVALUATED = 6
NUM_DRAWS = 8
SILENCE = 1e-6  # −60 dB of the whole mix


@dataclass(frozen=True)
class Excerpt:
    """An excerpt of the audio.

    Attributes:
        stems: ``(K, 2, L)``, with the warm-up.
        mix: ``(2, M)``, without it; it corresponds to the last M samples.
        start: Where the mix begins, in samples.
    """

    stems: Tensor
    mix: Tensor
    start: int = 0

    def scored(self, signal: Tensor) -> Tensor:
        """Return the part of a rendered signal that is compared with the mix."""
        return signal[..., -self.mix.shape[-1] :]


def evaluated_excerpts(stems: Tensor, mix: Tensor, sample_rate: int) -> list[Excerpt]:
    """Return the audio for evaluation: the whole or, if it is long, excerpts spread evenly over it.

    Excerpts with a silent mix are omitted. The loudest comes first.
    """
    length = mix.shape[-1]
    if length <= WHOLE_SECONDS * sample_rate:
        return [Excerpt(stems, mix)]
    last = length - round(SECONDS * sample_rate)
    count = min(NUM_EVALUATED, -(-length // round(SECONDS * sample_rate)))
    starts = [round(last * i / (count - 1)) for i in range(count)]
    excerpts = [_cut(stems, mix, sample_rate, start, SECONDS, LEAD_SECONDS) for start in starts]
    excerpts.sort(key=lambda excerpt: -mean_power(excerpt.mix))
    power = mean_power(mix)
    return [excerpt for excerpt in excerpts if mean_power(excerpt.mix) > SILENCE * power] or [
        _loudest(stems, mix, sample_rate, SECONDS, LEAD_SECONDS)
    ]


def random_excerpt(stems: Tensor, mix: Tensor, sample_rate: int, seed: int, power: float | None = None) -> Excerpt:
    """Return the audio for one gradient step: the whole or, if it is long, a random excerpt.

    It begins on a grid, so that what is prepared for it serves again. If the mix is silent there, another is drawn, a
    few times.

    Args:
        stems: ``(K, 2, L)``.
        mix: ``(2, L)``.
        sample_rate: In Hz.
        seed: All that is random follows from it.
        power: Mean square of the mix, if it is known.
    """
    length = mix.shape[-1]
    if length <= STEP_WHOLE_SECONDS * sample_rate:
        return Excerpt(stems, mix)
    last = length - round(STEP_SECONDS * sample_rate)
    power = mean_power(mix) if power is None else power
    generator = torch.Generator().manual_seed(seed)
    grid = math.ceil(last / round(GRID_SECONDS * sample_rate))
    for place in torch.randint(grid + 1, (NUM_DRAWS,), generator=generator).tolist():
        excerpt = _cut(stems, mix, sample_rate, round(last * place / grid), STEP_SECONDS, STEP_LEAD_SECONDS)
        if mean_power(excerpt.mix) > SILENCE * power:
            return excerpt
    return _loudest(stems, mix, sample_rate, STEP_SECONDS, STEP_LEAD_SECONDS)


def _loudest(stems: Tensor, mix: Tensor, sample_rate: int, seconds: float, lead_seconds: float) -> Excerpt:
    """Return the excerpt around the loudest sample."""
    length = round(seconds * sample_rate)
    peak = int(mix.abs().amax(0).argmax())
    start = min(max(peak - length // 2, 0), mix.shape[-1] - length)
    return _cut(stems, mix, sample_rate, start, seconds, lead_seconds)


def mean_power(signal: Tensor) -> float:
    """Return the mean square of all samples."""
    return signal.square().mean().item()


def _cut(stems: Tensor, mix: Tensor, sample_rate: int, start: int, seconds: float, lead_seconds: float) -> Excerpt:
    stop = start + round(seconds * sample_rate)
    lead = max(0, start - round(lead_seconds * sample_rate))
    return Excerpt(stems[..., lead:stop], mix[..., start:stop], start)
