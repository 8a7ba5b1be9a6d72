"""Samples of a signal that were cut off at its peaks."""

import torch
from torch import Tensor

FLAT = 1e-6  # relative to the peak: by which samples of a flat top differ
SHORTEST = 3  # samples of a flat top, of which a clipped signal has one at least
EDGE = 3e-4  # relative to the peak: how steeply a flat top begins or ends, unlike the round top of a slow wave


def clipped_samples(signal: Tensor) -> int:
    """Count the samples at the largest and the smallest value of each channel, ``(C, L)``, if there are flat tops."""
    return sum(_at_top(side * channel) for channel in signal for side in (1, -1))


def _at_top(signal: Tensor) -> int:
    ceiling = signal.max().item()
    if ceiling <= 0:
        return 0
    top = signal >= (1 - FLAT) * ceiling
    changes = torch.diff(top.byte(), prepend=torch.zeros(1).byte(), append=torch.zeros(1).byte()).view(torch.int8)
    starts, stops = (changes == 1).nonzero()[:, 0], (changes == -1).nonzero()[:, 0]
    long = stops - starts >= SHORTEST
    starts, stops = starts[long], stops[long]
    last = len(signal) - 1
    below = torch.minimum(signal[(starts - 1).clamp(min=0)], signal[stops.clamp(max=last)])
    steep = ceiling - below > EDGE * ceiling
    return int(top.sum()) if steep.any() else 0
