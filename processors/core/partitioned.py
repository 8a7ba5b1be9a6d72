"""Convolution of blocks with long responses."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST, LARGEST = 512, 8192


class _Partitions(NamedTuple):
    """A response in pieces of equal length, and the signal in windows of that length.

    ``spectra`` are those of the windows before the present one, each with its predecessor, the latest first; ``tail``
    is what they leave in the present window.
    """

    response: Tensor
    pieces: Tensor
    spectra: Tensor
    before: Tensor
    present: Tensor
    tail: Tensor


def convolve_partitions(x: Tensor, h: Tensor, state: tuple | None) -> tuple[Tensor, tuple]:
    """Convolve a block, without latency, with a response in pieces (uniformly partitioned overlap-save).

    A block costs one product for each piece of the response and the transforms of a block, not of the response. The
    size of the first block decides on theirs; the following may be of any sizes. The response may change from block to
    block.

    Args:
        x: a block ``(B, C, L)``.
        h: filters ``(B, C', N)``, in the precision of ``x``; batch and channels broadcast.
        state: what the block before left, None for the first.

    Returns:
        The filtered block ``(B, max(C, C'), L)``, and the state.

    Source: Wefers, "Partitioned convolution algorithms for real-time auralization", PhD thesis, RWTH Aachen, 2015.
    """
    kept = _begin(x, h) if state is None else _with_response(_Partitions(*state), h)
    size = kept.before.shape[-1]
    outputs = []
    # The first part fills the window, the others are windows of their own.
    room = size - kept.present.shape[-1]
    for part in (x[..., :room], *x[..., room:].split(size, -1)):
        output, kept = _advance(kept, part)
        outputs.append(output)
    return torch.cat(outputs, -1), tuple(kept)


def _begin(x: Tensor, h: Tensor) -> _Partitions:
    size = min(max(SMALLEST, 1 << (x.shape[-1] - 1).bit_length()), LARGEST)
    pieces = _pieces(h, size)
    spectra = pieces.new_zeros(*x.shape[:-1], pieces.shape[-2] - 1, size + 1)
    silence = x.new_zeros(*x.shape[:-1], size)
    leading = torch.broadcast_shapes(x.shape[:-1], h.shape[:-1])
    return _Partitions(h, pieces, spectra, silence, silence[..., :0], x.new_zeros(*leading, size))


def _pieces(h: Tensor, size: int) -> Tensor:
    count = -(-h.shape[-1] // size)
    padded = F.pad(h, (0, count * size - h.shape[-1]))
    return torch.fft.rfft(padded.unflatten(-1, (count, size)), 2 * size)


def _with_response(kept: _Partitions, h: Tensor) -> _Partitions:
    if kept.response is h:
        return kept
    if kept.response.shape == h.shape and not h.requires_grad and torch.equal(kept.response, h):
        return kept._replace(response=h)
    pieces = _pieces(h, kept.before.shape[-1])
    return kept._replace(response=h, pieces=pieces, tail=_tail(kept.spectra, pieces))


def _tail(spectra: Tensor, pieces: Tensor) -> Tensor:
    size = spectra.shape[-1] - 1
    return torch.fft.irfft((spectra * pieces[..., 1:, :]).sum(-2), 2 * size)[..., size:]


def _advance(kept: _Partitions, part: Tensor) -> tuple[Tensor, _Partitions]:
    """Take samples that fit into the present window."""
    size, start = kept.before.shape[-1], kept.present.shape[-1]
    present = torch.cat([kept.present, part], -1)
    spectrum = torch.fft.rfft(torch.cat([kept.before, present], -1), 2 * size)
    head = torch.fft.irfft(spectrum * kept.pieces[..., 0, :], 2 * size)
    end = present.shape[-1]
    output = head[..., size + start : size + end] + kept.tail[..., start:end]
    if end < size:
        return output, kept._replace(present=present)
    spectra = torch.cat([spectrum.unsqueeze(-2), kept.spectra], -2)[..., : kept.spectra.shape[-2], :]
    return output, kept._replace(
        spectra=spectra, before=present, present=present[..., :0], tail=_tail(spectra, kept.pieces)
    )
