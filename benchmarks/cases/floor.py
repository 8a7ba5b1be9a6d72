"""What a render cannot avoid: moving signals through memory, and transforms."""

from collections.abc import Callable
from typing import Any

CACHE = 1 << 16  # samples that fit beside their spectra into the cache next to a core


def copying(samples: int) -> Callable[[], None]:
    """Copy so many samples, which moves eight bytes for each."""
    import torch

    source, target = torch.ones(samples), torch.zeros(samples)

    def run() -> None:
        target.copy_(source)

    return run


def transforms(signals: int, filters: int, samples: int, taps: int) -> Callable[[], dict[str, Any]]:
    """Nothing but the real Fourier transforms of a convolution, in the cache; ``count`` of them, of ``length``.

    Args:
        signals: Number of signals; each block of them is transformed forth and back.
        filters: Number of filters.
        samples: Length of the signals.
        taps: Length of the filters.
    """
    import torch
    from grafx.processors.core._convolution_numba import cheapest_blocks

    length, hop, parts = cheapest_blocks(samples, taps)
    forth = signals * -(-samples // hop) + filters * parts
    back = signals * -(-samples // hop)
    rows = max(1, CACHE // length) * torch.get_num_threads()
    x, spectrum = torch.randn(rows, length), torch.zeros(rows, length // 2 + 1, dtype=torch.complex64)

    def run() -> dict[str, Any]:
        for start in range(0, forth, rows):
            torch.fft.rfft(x[: forth - start], out=spectrum[: forth - start])
        for start in range(0, back, rows):
            torch.fft.irfft(spectrum[: back - start], length, out=x[: back - start])
        return {"count": forth + back, "length": length}

    return run
