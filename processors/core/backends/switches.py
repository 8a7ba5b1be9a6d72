"""Parts that a variable of the environment turns off, with slower ones in their place that compute the same.

Variables such as ``GRAFX_MKL=0``, see :data:`SWITCHES`, are read when such a part is first needed, and hold for the
process.
"""

import os
from functools import cache

from ...errors import ParameterError

SWITCHES = {
    "VECTORS": "vectors of LLVM inside kernels",
    "MKL": "the Fourier transforms of MKL inside kernels",
    "THREADS": "the threads of torch for kernels",
    "REUSE": "memory and responses of earlier renders",
    "FLASH_FFT": "FlashFFTConv",
}


@cache
def is_on(switch: str) -> bool:
    """Whether a part is to be used where it can be.

    Args:
        switch: one of ``SWITCHES``.

    Raises:
        ParameterError: its variable is neither 0 nor 1.
    """
    value = os.environ.get(f"GRAFX_{switch}") or "1"
    if value not in ("0", "1"):
        raise ParameterError(f"GRAFX_{switch} must be 0 to turn off {SWITCHES[switch]}, or 1, not {value!r}.")
    return value == "1"
