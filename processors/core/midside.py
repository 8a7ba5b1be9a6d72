"""Conversion between left/right and mid/side."""

import torch
from torch import Tensor


def lr_to_ms(x: Tensor, mult: float = 0.5) -> Tensor:
    """Convert left/right to mid/side, m = (l + r)/2 and s = (l − r)/2.

    Args:
        x: ``(…, 2, L)``, left and right.
        mult: A factor in place of ½.

    Returns:
        ``(…, 2, L)``, mid and side.
    """
    return ms_to_lr(mult * x)


def ms_to_lr(x: Tensor) -> Tensor:
    """Convert mid/side to left/right, l = m + s and r = m − s.

    Args:
        x: ``(…, 2, L)``, mid and side.

    Returns:
        ``(…, 2, L)``, left and right.
    """
    mid, side = x.split(1, dim=-2)
    return torch.cat((mid + side, mid - side), dim=-2)
