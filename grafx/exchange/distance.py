"""How far the sound of another program is from ours."""

import torch
from torch import Tensor

from .carried import Distance

EQUAL_DB = -200.0
"""What counts as equal, and the level of no difference at all."""
SILENT = 1e-16
"""Energy of a difference that nothing can hold."""


def level_of_difference(theirs: Tensor, ours: Tensor) -> float:
    r"""The level of a difference in dB, relative to our sound.

    .. math:: 10 \log_{10} \frac{\sum (\hat y - y)^2}{\sum y^2}

    Args:
        theirs: Sound of another program, ``(…, L)``.
        ours: Sound of ours, of the same shape.

    Returns:
        Not below −200; 0 where ours is silent and theirs is not.
    """
    theirs, ours = theirs.double(), ours.double()
    away, whole = (theirs - ours).square().sum(), ours.square().sum()
    if away <= SILENT:
        return EQUAL_DB
    return max(EQUAL_DB, 10 * float(torch.log10(away / whole))) if whole > 0 else 0.0


def distance_between(theirs: Tensor, ours: Tensor, sample_rate: int) -> Distance:
    """The distance of two mixes ``(2, L)``.

    Args:
        theirs: Sound of another program.
        ours: Sound of ours.
        sample_rate: In Hz.
    """
    from ..search.mixing.loss import MatchLoss

    loss = MatchLoss(sample_rate)
    long = ours.shape[-2:] == (2, ours.shape[-1]) and ours.shape[-1] >= loss.min_samples
    with torch.no_grad():
        match_loss = float(loss(theirs.float(), ours.float())) if long else None
    return Distance(level_of_difference(theirs, ours), match_loss)
