"""Whether signals are finite."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..backends.dispatch import kernels


def all_finite(signals: Sequence[Tensor]) -> bool:
    """Whether no number of any signal is NaN or infinite.

    Args:
        signals: Of any shapes.
    """
    plain, others = [], []
    for signal in signals:
        fast = signal.dtype == torch.float32 and signal.device.type == "cpu" and signal.is_contiguous()
        (plain if fast else others).append(signal)
    if plain and not kernels("finite", plain[0]).all_finite(plain):
        return False
    return all(math.isfinite(x.sum().item()) or bool(x.isfinite().all()) for x in others)
