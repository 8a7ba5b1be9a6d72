"""Plain-torch kernels of :mod:`.partitioned` for every device: all rows at once, when a window is complete."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..fourier import irfft, rfft
from .kept import Inputs, Kept, Level, Rows


def head(kept: Kept, rows: Rows, x: Tensor, y: Tensor, begin: int, end: int) -> tuple[Inputs, Tensor, Tensor]:
    """Compute a part of a block. Returns the inputs with it, the earlier products, and the spectrum of its window."""
    level, place, part = kept.levels[0], kept.place, x[..., begin:end]
    present, before, older = kept.inputs
    stop = place + part.shape[-1]
    if part.requires_grad or present.requires_grad:
        present = torch.cat([present[..., :place], part, present[..., stop:]], -1)
    else:
        present[..., place:stop] = part
    filled = place % level.size
    first = place - filled
    past = present[..., first - level.size : first] if first else before[..., -level.size :]
    spectrum = _spectrum(torch.cat([past, present[..., first:stop]], -1), level.size)
    earlier = kept.earlier if filled else earlier_products(level, kept.earlier)
    total = torch.view_as_real(_complex(earlier) + _complex(spectrum) * _complex(level.pieces[..., 0, :])).flatten(-2)
    output = _samples(total, level.size, filled, part.shape[-1])
    for other in kept.levels[1:]:
        start = kept.time % other.size
        output = output + other.tail[..., start : start + part.shape[-1]]
    y[..., begin:end] = output
    return (present, before, older), earlier, spectrum


def earlier_products(level: Level, like: Tensor) -> Tensor:
    """Multiply the complete windows of the first level by its pieces, but the first."""
    return _products(level.spectra, level.pieces[..., 1:, :], like)


def work_ahead(level: Level, inputs: Inputs, rows: Rows, first: int, due: int) -> Level:
    """Compute the spectrum of the window before the one that begins at ``first``, and its products."""
    count = len(rows.first) - 1
    if due < count:
        return level
    present, before, older = inputs
    size, length = level.size, present.shape[-1]
    coming = _spectrum(
        torch.cat([older, before, present], -1)[..., 2 * length + first - 2 * size :][..., : 2 * size], size
    )
    return with_tails(level._replace(coming=coming, done=count), next_only=True)


def with_tails(level: Level, next_only: bool = False) -> Level:
    """The contributions to the present window and to the next one, as far as their windows are done."""
    size, like = level.size, level.coming.new_empty(*level.tail.shape[:-1], 2 * level.size + 2)
    if level.done:
        products = _products((level.coming, *level.spectra), level.pieces, like)
        level = level._replace(next_tail=_samples(products, size, 0, size))
    else:
        level = level._replace(next_tail=torch.zeros_like(level.tail))
    if next_only:
        return level
    return level._replace(tail=_samples(_products(level.spectra, level.pieces, like), size, 0, size))


def _products(spectra: Sequence[Tensor], pieces: Tensor, like: Tensor) -> Tensor:
    total = _complex(torch.zeros_like(like))
    for spectrum, piece in zip(spectra, pieces.unbind(-2), strict=False):
        total = torch.addcmul(total, _complex(spectrum), _complex(piece))
    return torch.view_as_real(total).flatten(-2)


def _spectrum(samples: Tensor, size: int) -> Tensor:
    return torch.view_as_real(rfft(samples, 2 * size)).flatten(-2)


def _samples(spectrum: Tensor, size: int, start: int, length: int) -> Tensor:
    """Transform back without scaling, and cut samples from the second half."""
    y = irfft(_complex(spectrum), 2 * size) * (2 * size)
    return y[..., size + start : size + start + length]


def _complex(pairs: Tensor) -> Tensor:
    return torch.view_as_complex(pairs.unflatten(-1, (-1, 2)))
