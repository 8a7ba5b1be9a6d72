"""Compiled kernels of :mod:`.finite` for the CPU."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..backends.addresses import row_at
from ..backends.numba_rows import kernel

EXPONENT = 0x7F800000  # all of its bits are set in what is not finite


def all_finite(signals: Sequence[Tensor]) -> bool:
    """Check contiguous signals in single precision, as many as there are, in one call."""
    places = [place for signal in signals for place in (signal.data_ptr(), signal.numel())]
    return bool(are_finite(np.array(places, np.int64)))


@kernel
def are_finite(places):
    bits = np.empty(0, np.int32)
    for k in range(0, len(places), 2):
        numbers = row_at(places[k], 0, places[k + 1], bits)
        bad = 0
        for i in range(len(numbers)):
            bad += (numbers[i] & EXPONENT) == EXPONENT
        if bad > 0:
            return False
    return True
