"""Partitioned convolution of blocks with long responses."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..broadcasting import broadcast_shapes
from ..fourier import rfft
from ..streaming import FOREIGN, claimed, is_own_state
from . import _torch
from .kept import Kept, Level, Rows, rows_of

SMALLEST, LARGEST = 64, 8192
GROWTH = 8


def convolve_partitions(x: Tensor, h: Tensor, state: tuple | None) -> tuple[Tensor, tuple]:
    """Convolve a block, without latency, with a response in pieces of increasing size.

    A block costs transforms of about its own size, and one product for each of the pieces of that size. Larger pieces
    begin at twice their size, so that their window is complete one window before they are heard. Their work is spread
    over the blocks in between, row by row (non-uniformly partitioned overlap-save). The size of the first block
    determines the smallest piece; further blocks may be of any sizes. The response may change between blocks.

    Args:
        x: A block ``(B, C, L)``.
        h: Filters ``(B, C', N)``, in the precision of ``x``; batch and channels broadcast.
        state: State after the previous block, ``None`` for the first. It stays valid: what is written into its tensors
            depends on the samples before it alone.

    Returns:
        The filtered block ``(B, max(C, C'), L)``, and the state.

    Raises:
        ParameterError: The state is that of other signals, or of another filter.

    References:
        Gardner, "Efficient convolution without input-output delay", JAES 43(3), 1995; Wefers, "Partitioned convolution
        algorithms for real-time auralization", PhD thesis, RWTH Aachen, 2015.
    """
    kept = _begin(x, h) if state is None else _continued(state, x, h)
    rows = rows_of(x.shape[:-1], h.shape[:-1])
    y = x.new_empty(*rows.leading, x.shape[-1])
    learned = torch.is_grad_enabled() and any(t.requires_grad for t in (x, h, kept.inputs[0], kept.inputs[1]))
    engine = _torch if learned else kernels("partitioned", x)
    size, begin = kept.levels[0].size, 0
    while begin < x.shape[-1]:
        end = min(begin + size - kept.time % size, x.shape[-1])
        kept = _advance(engine, kept, rows, x, y, begin, end)
        begin = end
    kept.written.fill_(kept.place)
    return y, (*kept[:-1], tuple(map(tuple, kept.levels)))


def _begin(x: Tensor, h: Tensor) -> Kept:
    sizes = [min(max(SMALLEST, 1 << (x.shape[-1] - 1).bit_length()), LARGEST)]
    while sizes[-1] * GROWTH <= LARGEST and 2 * sizes[-1] * GROWTH < h.shape[-1]:
        sizes.append(sizes[-1] * GROWTH)
    leading = broadcast_shapes(x.shape[:-1], h.shape[:-1])
    levels = []
    for size, pieces in zip(sizes, _pieces(h, sizes), strict=True):
        silence = x.new_zeros(*leading, size)
        levels.append(Level(size, pieces, (), x.new_empty(*x.shape[:-1], 2 * size + 2), silence, silence, 0))
    before = x.new_zeros(*x.shape[:-1], sizes[-1])
    inputs = torch.empty_like(before), before, before
    earlier = x.new_empty(*leading, 2 * sizes[0] + 2)
    return Kept(h, 0, inputs, torch.zeros(1, dtype=torch.int64, device="cpu"), earlier, tuple(levels))


def _pieces(h: Tensor, sizes: list[int]) -> list[Tensor]:
    starts = [0, *(2 * size for size in sizes[1:])]
    ends = [*starts[1:], max(h.shape[-1], 1)]
    found = []
    for size, start, end in zip(sizes, starts, ends, strict=True):
        count = max(1, -(-(end - start) // size))
        taps = h[..., start:end]
        taps = F.pad(taps, (0, count * size - taps.shape[-1])).unflatten(-1, (count, size))
        # Inverse transforms are not scaled.
        found.append(torch.view_as_real(rfft(taps / (2 * size), 2 * size)).flatten(-2).contiguous())
    return found


def _continued(state: Any, x: Tensor, h: Tensor) -> Kept:
    if not (is_own_state() and _fits(Kept(*state), x, h)):
        state = _checked(state, x, h)
    kept = Kept(*state)
    kept = Kept(*state[:-1], tuple([Level(*level) for level in kept.levels]))  # pyright: ignore[reportCallIssue]
    before = kept.response
    if before is not h and (before.requires_grad or h.requires_grad or not torch.equal(before, h)):
        kept = _with_response(kept, h)
    present, written = claimed(kept.inputs[0], kept.written, kept.place)
    if written is kept.written:
        return kept
    return kept._replace(inputs=(present, *kept.inputs[1:]), written=written)


def _fits(kept: Kept, x: Tensor, h: Tensor) -> bool:
    """Whether the tensors of a state that was made here are for such signals and filters."""
    like = kept.inputs[0]
    if x.dtype != like.dtype or x.device != like.device or x.shape[:-1] != like.shape[:-1]:
        return False
    return h is kept.response or h.shape == kept.response.shape


def _checked(state: Any, x: Tensor, h: Tensor) -> tuple:
    """A state on the device and in the precision of a block, whose tensors have the sizes that kernels rely on."""
    try:
        response, time, inputs, written, earlier, levels = state
        levels = [Level(*level) for level in levels]
        sizes = [level.size for level in levels]
        leading = broadcast_shapes(x.shape[:-1], h.shape[:-1])
        tensors = [(response, h.shape), (earlier, (*leading, 2 * sizes[0] + 2))]
        tensors += [(part, (*x.shape[:-1], sizes[-1])) for part in (inputs[0], inputs[1], inputs[2])]
        for level, count in zip(levels, _counts(h.shape[-1], sizes), strict=True):
            spectra = (level.coming, *level.spectra)
            tensors += [(spectrum, (*x.shape[:-1], 2 * level.size + 2)) for spectrum in spectra]
            tensors += [(tail, (*leading, level.size)) for tail in (level.tail, level.next_tail)]
            tensors.append((level.pieces, (*h.shape[:-1], count, 2 * level.size + 2)))
        fits = all(tuple(tensor.shape) == tuple(shape) for tensor, shape in tensors) and time >= 0
        fits = fits and all(size & (size - 1) == 0 and SMALLEST <= size <= LARGEST for size in sizes)
        fits = (
            fits and all(0 <= level.done <= x.shape[:-1].numel() for level in levels) and tuple(written.shape) == (1,)
        )
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        fits = False
    if not fits:
        held = f"does not fit the block {tuple(x.shape)} and the filter {tuple(h.shape)}"
        raise ParameterError(FOREIGN.format(held))

    def own(tensor: Tensor) -> Tensor:
        return tensor.to(x).contiguous()

    levels = [
        Level(level.size, own(level.pieces), tuple(map(own, level.spectra)), *map(own, level[3:6]), level.done)  # pyright: ignore
        for level in levels
    ]
    return own(response), time, tuple(map(own, inputs)), written.cpu(), own(earlier), levels


def _counts(num_taps: int, sizes: list[int]) -> list[int]:
    """How many pieces there are of each size."""
    starts = [0, *(2 * size for size in sizes[1:])]
    ends = [*starts[1:], max(num_taps, 1)]
    return [max(1, -(-(end - start) // size)) for size, start, end in zip(sizes, starts, ends, strict=True)]


def _with_response(kept: Kept, h: Tensor) -> Kept:
    """The same past with another response."""
    pieces = _pieces(h, [level.size for level in kept.levels])
    first, *others = (level._replace(pieces=own) for level, own in zip(kept.levels, pieces, strict=True))
    earlier = _torch.earlier_products(first, kept.earlier)
    return kept._replace(response=h, earlier=earlier, levels=(first, *map(_torch.with_tails, others)))


def _advance(engine: Any, kept: Kept, rows: Rows, x: Tensor, y: Tensor, begin: int, end: int) -> Kept:
    """Go on by a part of a block, which does not go beyond the present window of the smallest size."""
    first, *others = kept.levels
    time, length = kept.time, end - begin
    inputs, earlier, spectrum = engine.head(kept, rows, x, y, begin, end)
    if (time + length) % first.size == 0:
        first = Level(first.size, first.pieces, _pushed(first.spectra, spectrum, first), *first[3:])
    levels = [first]
    for level in others:
        size, place = level.size, time % level.size
        due = (len(rows.first) - 1) * (place + length) // size  # all of them when the present window is complete
        if time >= size and due > level.done:
            level = engine.work_ahead(level, inputs, rows, kept.place - place, due)
        if place + length == size:
            spectra = _pushed(level.spectra, level.coming, level) if time >= size else ()
            coming, tail = torch.empty_like(level.coming), torch.empty_like(level.tail)
            level = Level(size, level.pieces, spectra, coming, level.next_tail, tail, 0)
        levels.append(level)
    written = kept.written
    if (time + length) % levels[-1].size == 0:
        written.fill_(-1)
        inputs, written = (torch.empty_like(inputs[0]), *inputs[:2]), torch.empty_like(written)
    return Kept(kept.response, time + length, inputs, written, earlier, tuple(levels))


def _pushed(spectra: tuple[Tensor, ...], latest: Tensor, level: Level) -> tuple[Tensor, ...]:
    return (latest, *spectra)[: level.pieces.shape[-2]]
