"""The operators of :mod:`.wavetable` in plain torch, for every device without compiled kernels."""

import torch
from torch import Tensor

from ..precision import wide
from . import FADE, PAD


def lookup(
    phase: Tensor,
    increment: Tensor,
    position: Tensor,
    tables: Tensor,
    harmonics: Tensor,
    levels: Tensor,
    starts: Tensor,
) -> Tensor:
    level, fade, _ = _levels(increment, harmonics, levels)
    which, part, _ = _between(position, tables)
    groups, _ = _read(phase, level, which, part, tables, starts)
    return (groups[..., 0] + fade * groups[..., 1]).to(phase.dtype)


def lookup_backward(
    grad: Tensor,
    phase: Tensor,
    increment: Tensor,
    position: Tensor,
    tables: Tensor,
    harmonics: Tensor,
    levels: Tensor,
    starts: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    level, fade, by_increment = _levels(increment, harmonics, levels)
    which, part, within = _between(position, tables)
    groups, slopes = _read(phase, level, which, part, tables, starts)
    last, _ = _read(phase, level, which, torch.ones_like(part), tables, starts)
    first, _ = _read(phase, level, which, torch.zeros_like(part), tables, starts)
    to_position = (last - first)[..., 0] + fade * (last - first)[..., 1]
    grads = slopes[..., 0] + fade * slopes[..., 1], by_increment * groups[..., 1], to_position * within
    to_phase, to_increment, to_place = (
        (wide(grad) * g).sum_to_size(grad.shape[0], like.shape[1]).to(like.dtype)
        for g, like in zip(grads, (phase, increment, position), strict=True)
    )
    return to_phase, to_increment, to_place


def _levels(increment: Tensor, harmonics: Tensor, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the last level without excess harmonics; the weight of its highest group, and its derivative."""
    increment = wide(increment)
    room = 0.5 / increment.abs()
    most = len(levels) - 1
    level = levels[room.clamp(max=most).nan_to_num(most).long()]
    count = wide(harmonics[level])
    x = torch.where(count > 0, (room / count - 1) / (FADE - 1), 1).clamp(max=1)
    by_room = 6 * x * (1 - x) / (count.clamp(min=1) * (FADE - 1))
    return level, x.square() * (3 - 2 * x), torch.where(x < 1, -by_room * room / increment, 0)


def _between(position: Tensor, tables: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the waveform before a position, the distance to it, and whether the position is within range."""
    last = tables.shape[0] - 1
    place = wide(position).clamp(0, last)
    before = place.nan_to_num().long().clamp(max=max(last - 1, 0))
    return before, place - before, (position >= 0) & (position <= last)


def _read(
    phase: Tensor, level: Tensor, which: Tensor, part: Tensor, tables: Tensor, starts: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute values and derivatives of the lower groups of harmonics and of the highest one, ``(rows, L, 2)`` each."""
    num_tables, total, _ = tables.shape
    knots = starts[level + 1] - starts[level] - PAD
    turn = wide(phase)
    place = (turn - turn.round() + 0.5) * knots
    knot = torch.minimum(place.nan_to_num().long().clamp(min=0), knots)
    at = (starts[level] + knot).unsqueeze(-1) + torch.arange(4, device=phase.device)
    rows = tables.flatten(0, 1)
    one, other = (rows[at + total * w.unsqueeze(-1)] for w in (which, (which + 1).clamp(max=num_tables - 1)))
    found = one + part[..., None, None] * (other - one)
    u = place - knot
    splines = (1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3
    slopes = -((1 - u) ** 2), 3 * u**2 - 4 * u, -3 * u**2 + 2 * u + 1, u**2
    value, slope = ((torch.stack(weights, -1).unsqueeze(-1) * found).sum(-2) for weights in (splines, slopes))
    return value / 6, slope / 2 * knots[..., None]
