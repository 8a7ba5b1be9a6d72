"""What a partitioned convolution remembers between blocks."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from torch import Size, Tensor

from ..broadcasting import broadcast_shapes

Inputs = tuple[Tensor, Tensor, Tensor]


class Level(NamedTuple):
    """Taps of a response in pieces of one size, with the signal in windows of that size.

    Spectra are those of a window after its predecessor, as pairs of reals.

    Attributes:
        size: Of pieces and windows.
        pieces: Spectra of the pieces, ``(B', C', P, 2·size + 2)``.
        spectra: Spectra of complete windows ``(B, C, 2·size + 2)``, the latest first.
        coming: Spectrum of the latest complete window, of as many rows as are ``done``. It joins the others at the end
            of the present window.
        tail: Contribution of the complete windows to the present one.
        next_tail: Their contribution to the one after it, likewise.
        done: Number of rows of the signal.
    """

    size: int
    pieces: Tensor
    spectra: tuple[Tensor, ...]
    coming: Tensor
    tail: Tensor
    next_tail: Tensor
    done: int


class Kept(NamedTuple):
    """What is remembered. Tensors that are not complete yet are shared by states, which fill them.

    Attributes:
        response: The filters.
        time: Number of samples so far.
        inputs: The signal in windows of the largest size: the present one, the one before, and the one before that.
        written: How many samples of the present one are written, see :func:`claimed`.
        earlier: Sum of the products of earlier windows with the first level's pieces, but its first.
        levels: The first one's first piece begins at the first tap, and its tails are not used; the others' first
            pieces begin at twice their size.
    """

    response: Tensor
    time: int
    inputs: Inputs
    written: Tensor
    earlier: Tensor
    levels: tuple[Level, ...]

    @property
    def place(self) -> int:
        """Where the next sample is in the present window of the largest size."""
        return self.time % self.levels[-1].size


class Rows(NamedTuple):
    """Which rows belong together.

    The leading axes of the output are ``leading``. Its rows ``outputs[first[i]:first[i + 1]]`` are made from the i-th
    row of the signal, each with one of ``filters``.
    """

    leading: Size
    first: np.ndarray
    outputs: np.ndarray
    filters: np.ndarray


@lru_cache
def rows_of(signals: Size, filters: Size) -> Rows:
    """Which rows belong together, for leading axes that broadcast."""
    shape = broadcast_shapes(signals, filters)
    own = [np.broadcast_to(np.arange(v.numel()).reshape(v), shape).ravel() for v in (signals, filters)]
    order = np.argsort(own[0], kind="stable")
    first = np.searchsorted(own[0][order], np.arange(signals.numel() + 1))
    return Rows(shape, *(np.ascontiguousarray(part, np.int64) for part in (first, order, own[1][order])))
