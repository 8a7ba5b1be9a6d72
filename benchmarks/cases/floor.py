"""Lower bounds of a render: moving signals through memory, and transforms."""

from collections.abc import Callable
from functools import cache
from typing import Any


def copying(samples: int) -> Callable[[], None]:
    """Copy samples, which moves eight bytes for each."""
    import torch

    source, target = torch.ones(samples), torch.zeros(samples)

    def run() -> None:
        target.copy_(source)

    return run


def transforms(signals: int, filters: int, samples: int, taps: int) -> Callable[[], dict[str, Any]]:
    """Run the real Fourier transforms of a convolution alone, in the cache; ``count`` of them, of ``length``.

    Args:
        signals: Number of signals; each block of them is transformed forth and back.
        filters: Number of filters; each part of them is transformed forth.
        samples: Length of the signals.
        taps: Length of the filters.
    """
    import torch
    from grafx.processors.core.backends.mkl import plan
    from grafx.processors.core.convolution._numba import cheapest_blocks

    length, hop, parts = cheapest_blocks(samples, taps)
    back = signals * -(-samples // hop)
    forth = back + filters * parts
    repeat = (_by_torch if plan(length, torch.float32) is None else _by_plan)(length)

    def run() -> dict[str, Any]:
        repeat(forth, back)
        return {"count": forth + back, "length": length}

    return run


def _by_plan(length: int) -> Callable[[int, int], None]:
    """Repeat transforms forth and back, as many on each core, by the plans that convolutions use."""
    import torch
    from grafx.processors.core.backends.mkl import plan
    from grafx.processors.core.backends.threads import run_concurrently

    transforms, cores, repeat = plan(length, torch.float32), torch.get_num_threads(), _compiled()
    buffers = torch.zeros(cores, length + 2).numpy()

    def run(forth: int, back: int) -> None:
        counts = round(forth / cores), round(back / cores)
        run_concurrently(lambda core: repeat(buffers[core], *counts, transforms.handles), cores)

    return run


@cache
def _compiled() -> Callable[..., None]:
    from grafx.processors.core.backends.mkl import backward, forward
    from numba import njit

    @njit(nogil=True)
    def repeat(buffer, forth, back, handles):
        for _ in range(forth):
            forward(handles, buffer)
        for _ in range(back):
            backward(handles, buffer)

    return repeat


def _by_torch(length: int) -> Callable[[int, int], None]:
    """Repeat transforms forth and back, a few at once."""
    import torch

    rows = 8 * torch.get_num_threads()
    x, spectrum = torch.zeros(rows, length), torch.zeros(rows, length // 2 + 1, dtype=torch.complex64)

    def run(forth: int, back: int) -> None:
        for start in range(0, forth, rows):
            torch.fft.rfft(x[: forth - start], out=spectrum[: forth - start])
        for start in range(0, back, rows):
            torch.fft.irfft(spectrum[: back - start], length, out=x[: back - start])

    return run
