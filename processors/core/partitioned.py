"""Partitioned convolution of blocks with long responses."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .broadcasting import broadcast_shapes
from .fourier import irfft, rfft

SMALLEST, LARGEST = 64, 8192
GROWTH = 8


class _Level(NamedTuple):
    """Taps of a response from ``size`` on, in pieces of that size, with the signal in windows of that size.

    The contributions of complete windows to the pieces are in the past, so they are computed window by window.

    Attributes:
        pieces: Spectra of the pieces.
        spectra: Spectra of complete windows, each with its predecessor, the latest first.
        before: Latest complete window.
        present: Parts of the incomplete window.
        filled: Number of samples in them.
        tail: Contribution of the complete windows to the present one.
    """

    pieces: tuple[Tensor, ...]
    spectra: tuple[Tensor, ...]
    before: Tensor
    present: tuple[Tensor, ...]
    filled: int
    tail: Tensor


def convolve_partitions(x: Tensor, h: Tensor, state: tuple | None) -> tuple[Tensor, tuple]:
    """Convolve a block, without latency, with a response in pieces of increasing size.

    A block costs transforms of about its own size, and one product for each of the pieces of that size; those of larger
    pieces are due after as many samples (non-uniformly partitioned overlap-save). The size of the first block
    determines the smallest piece; further blocks may be of any sizes. The response may change between blocks.

    Args:
        x: A block ``(B, C, L)``.
        h: Filters ``(B, C', N)``, in the precision of ``x``; batch and channels broadcast.
        state: State after the previous block, ``None`` for the first.

    Returns:
        The filtered block ``(B, max(C, C'), L)``, and the state.

    References:
        Gardner, "Efficient convolution without input-output delay", JAES 43(3), 1995; Wefers, "Partitioned convolution
        algorithms for real-time auralization", PhD thesis, RWTH Aachen, 2015.
    """
    if state is None:
        levels, head = _begin(x, h)
    else:
        response, head, *levels = state
        levels = [_Level(*level) for level in levels]
        if not _same(response, h):
            levels, head = _with_response(levels, h)
    size = levels[0].before.shape[-1]
    room = size - levels[0].filled
    outputs = []
    # The first part fills the smallest window, the others are such windows.
    for part in (x[..., :room], *x[..., room:].split(size, -1)):
        output = _through_head(levels[0], head, part)
        for index, level in enumerate(levels):
            output = output + level.tail[..., level.filled : level.filled + part.shape[-1]]
            levels[index] = _advance(level, part)
        outputs.append(output)
    return torch.cat(outputs, -1), (h, head, *map(tuple, levels))


def _begin(x: Tensor, h: Tensor) -> tuple[list[_Level], Tensor]:
    sizes = [min(max(SMALLEST, 1 << (x.shape[-1] - 1).bit_length()), LARGEST)]
    while sizes[-1] < LARGEST and sizes[-1] * GROWTH < h.shape[-1]:
        sizes.append(min(sizes[-1] * GROWTH, LARGEST))
    leading = broadcast_shapes(x.shape[:-1], h.shape[:-1])
    silent = [(x.new_zeros(*x.shape[:-1], size), x.new_zeros(*leading, size)) for size in sizes]
    return _with_response([_Level((), (), before, (), 0, tail) for before, tail in silent], h)


def _with_response(levels: list[_Level], h: Tensor) -> tuple[list[_Level], Tensor]:
    """Return levels with another response, and the spectrum of its first piece."""
    sizes = [level.before.shape[-1] for level in levels]
    ends = [*sizes[1:], max(h.shape[-1], sizes[-1])]
    changed = []
    for level, size, end in zip(levels, sizes, ends, strict=True):
        count = max(1, -(-(end - size) // size))
        taps = h[..., size:end]
        taps = F.pad(taps, (0, count * size - taps.shape[-1])).unflatten(-1, (count, size))
        pieces = tuple(piece.contiguous() for piece in rfft(taps, 2 * size).unbind(-2))
        changed.append(level._replace(pieces=pieces, tail=_tail(level.spectra, pieces, level.tail)))
    return changed, rfft(h[..., : sizes[0]], 2 * sizes[0])


def _same(response: Tensor, h: Tensor) -> bool:
    return response is h or (response.shape == h.shape and not h.requires_grad and torch.equal(response, h))


def _through_head(level: _Level, head: Tensor, part: Tensor) -> Tensor:
    """Compute the contribution of the first taps to a part, with the samples right before it."""
    size = level.before.shape[-1]
    window = torch.cat([level.before, *level.present, part], -1)
    y = irfft(rfft(window, 2 * size) * head, 2 * size)
    start = size + level.filled
    return y[..., start : start + part.shape[-1]]


def _advance(level: _Level, part: Tensor) -> _Level:
    """Add a part, which fits, to the present window."""
    size, present = level.before.shape[-1], (*level.present, part)
    filled = level.filled + part.shape[-1]
    if filled < size:
        return level._replace(present=present, filled=filled)
    window = torch.cat(present, -1)
    spectrum = rfft(torch.cat([level.before, window], -1), 2 * size)
    spectra = (spectrum, *level.spectra)[: len(level.pieces)]
    return _Level(level.pieces, spectra, window, (), 0, _tail(spectra, level.pieces, level.tail))


def _tail(spectra: tuple[Tensor, ...], pieces: tuple[Tensor, ...], like: Tensor) -> Tensor:
    if not spectra:
        return torch.zeros_like(like)
    total = spectra[0] * pieces[0]
    for spectrum, piece in zip(spectra[1:], pieces[1:], strict=False):
        total = torch.addcmul(total, spectrum, piece)
    size = like.shape[-1]
    return irfft(total, 2 * size)[..., size:]
