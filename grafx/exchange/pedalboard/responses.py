"""Linear processors as impulse responses, which pedalboard convolves with."""

import math

import numpy as np
import torch
from torch import Tensor

from ... import trees
from ...processors.contract import contract_of, tail_of
from .job import Job
from .stages import Matrix, Plug, Response, Shift, Stages, added, gain

LONGEST_S = 20.0
UNKNOWN_AHEAD = 4096
"""Samples before an impulse, for processors that look ahead and do not say how far."""
NORM = 0.125
"""What the plug-in scales the root of the energy of the louder channel to."""
INAUDIBLE = 1e-6
"""Amplitude relative to the largest from which on a response is cut."""
APART = 1e-10
"""Energy, relative to that within channels, below which channels do not mix."""
SWAP = (0.0, 1.0), (1.0, 0.0)


def rendered(job: Job, outlet: int = 0) -> Stages:
    """A linear processor, with its shares, by its answers to an impulse on the left and one on the right."""
    latency = contract_of(job.processor).latency_samples
    ahead = UNKNOWN_AHEAD if latency is None else latency
    tail = min(tail_of(job.processor, trees.batch(job.raw)), int(LONGEST_S * job.sample_rate))
    impulses = torch.zeros(2, 2, ahead + tail + 1)
    impulses[0, 0, ahead] = impulses[1, 1, ahead] = 1.0
    left, right = (job.sounds(impulse)[outlet].expand(2, -1) for impulse in impulses)
    wet, dry = job.share
    within, across = wet * torch.stack([left[0], right[1]]), wet * torch.stack([right[0], left[1]])
    within[:, ahead] += dry
    straight = _convolved(within, ahead, job.sample_rate)
    if across.square().sum() <= APART * within.square().sum():
        return straight
    crossed = (Matrix(SWAP), *_convolved(across, ahead, job.sample_rate))
    return crossed if within.square().sum() <= APART * across.square().sum() else added(straight, crossed)


def _convolved(response: Tensor, ahead: int, sample_rate: int) -> Stages:
    """A convolution with a response whose time 0 is so many samples after its beginning."""
    audible = (response.abs() > INAUDIBLE * response.abs().max()).any(0).nonzero().flatten()
    if not audible.numel():
        return gain(0.0)
    first, last = min(int(audible[0]), ahead), int(audible[-1])
    samples = response[:, first : last + 1].numpy().astype(np.float32)
    energy = float(np.square(samples.astype(np.float64)).sum(-1).max())
    earlier = (Shift(first - ahead),) if first < ahead else ()
    settings = {"impulse_response_filename": Response(samples), "mix": 1.0, "sample_rate": sample_rate}
    return (Plug("Convolution", settings), *gain(math.sqrt(energy) / NORM), *earlier)
