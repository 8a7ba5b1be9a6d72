"""The operators of :mod:`.delay_line` in plain torch, for every device without compiled kernels."""

import torch
from torch import Tensor

from ..precision import wide
from . import ALLPASS, CUBIC, LEADS, LINEAR


def read_line(
    line: Tensor, times: Tensor, base: Tensor, rows: Tensor, past: int, limit: float, scale: float, kind: int
) -> Tensor:
    t, place = _places(_moments(times, base, scale), rows[1], past, limit, kind, line.shape[1] - past)
    return _weigh(line, rows[0], place, weights(t, kind), kind).to(line.dtype)


def read_line_to_line(
    grad: Tensor,
    line: Tensor,
    times: Tensor,
    base: Tensor,
    rows: Tensor,
    past: int,
    limit: float,
    scale: float,
    kind: int,
) -> Tensor:
    t, place = _places(_moments(times, base, scale), rows[1], past, limit, kind, grad.shape[1])
    sums = torch.zeros_like(wide(line))
    for offset, weight in _taken(weights(t, kind), kind):
        heard = place >= offset
        values = torch.where(heard, weight * grad, 0)
        sums.index_put_((rows[0, :, None], torch.where(heard, place - offset, 0)), values, accumulate=True)
    return sums.to(line.dtype)


def read_line_to_times(
    grad: Tensor,
    line: Tensor,
    times: Tensor,
    base: Tensor,
    rows: Tensor,
    past: int,
    limit: float,
    scale: float,
    kind: int,
) -> tuple[Tensor, Tensor]:
    moments = _moments(times, base, scale)
    t, place = _places(moments, rows[1], past, limit, kind, grad.shape[1])
    slope = grad * _weigh(line, rows[0], place, slopes(t, kind), kind)
    slope = slope.sum(1, keepdim=True) if times.shape[1] == 1 else slope
    slope = _inside(moments, limit, torch.zeros_like(moments).index_add_(0, rows[1], slope))
    return (scale * slope).to(times.dtype), slope.sum(1).to(base.dtype)


def allpass_poles(times: Tensor, base: Tensor, limit: float, scale: float) -> Tensor:
    t, _ = _split(_moments(times, base, scale), limit, ALLPASS)
    return weights(t, ALLPASS)[2].to(times.dtype)


def allpass_poles_backward(
    grad: Tensor, times: Tensor, base: Tensor, limit: float, scale: float
) -> tuple[Tensor, Tensor]:
    moments = _moments(times, base, scale)
    t, _ = _split(moments, limit, ALLPASS)
    slope = _inside(moments, limit, grad * slopes(t, ALLPASS)[2])
    return (scale * slope).to(times.dtype), slope.sum(1).to(base.dtype)


def weights(t: Tensor, kind: int) -> tuple[Tensor, ...]:
    """Compute the weights of the newest sample and the previous ones, where the time is the age plus t.

    For an allpass filter, the third is its pole.
    """
    if kind == LINEAR:
        return 1 - t, t
    if kind == CUBIC:
        a, b, c = t - 1, t - 2, t - 3
        usual = t >= 1
        return (
            a * b * torch.where(usual, c / -6, 0.5),
            t * b * torch.where(usual, c / 2, -1),
            t * a * torch.where(usual, c / -2, 0.5),
            t * a * torch.where(usual, b / 6, 0),
        )
    usual = t >= 0.5
    scale = 1 / torch.where(usual, 1 + t, 2 - t)
    return (
        torch.where(usual, 1 - t, 2 - 3 * t) * scale,
        torch.where(usual, 1, 3 * t * scale),
        torch.where(usual, t - 1, -t) * scale,
    )


def slopes(t: Tensor, kind: int) -> tuple[Tensor, ...]:
    """Compute the derivatives of the weights."""
    if kind == LINEAR:
        return torch.full_like(t, -1), torch.ones_like(t)
    if kind == CUBIC:
        f, usual = t - 1, t >= 1
        square = 3 * f * f
        return (
            torch.where(usual, (square - 6 * f + 2) / -6, f - 0.5),
            torch.where(usual, (square - 4 * f - 1) / 2, -2 * f),
            torch.where(usual, (square - 2 * f - 2) / -2, f + 0.5),
            torch.where(usual, (square - 1) / 6, 0),
        )
    usual = t >= 0.5
    square = torch.where(usual, 1 + t, 2 - t) ** -2
    return tuple(square * torch.where(usual, x, y) for x, y in ((-2.0, -4.0), (0.0, 6.0), (2.0, -2.0)))


def _moments(times: Tensor, base: Tensor, scale: float) -> Tensor:
    return wide(base)[:, None] + scale * wide(times)


def _split(moments: Tensor, limit: float, kind: int) -> tuple[Tensor, Tensor]:
    """Return the difference of the time from the age of the newest sample that is read, and that age."""
    t = moments.clamp(0, limit)
    age = (t - LEADS[kind]).nan_to_num().clamp(min=0).long()
    return t - age, age


def _places(
    moments: Tensor, time_rows: Tensor, past: int, limit: float, kind: int, length: int
) -> tuple[Tensor, Tensor]:
    """Return the same for each tap, and the position of the newest sample in the line."""
    t, age = _split(moments, limit, kind)
    place = past + torch.arange(length, device=moments.device) - age
    return t[time_rows], place[time_rows]


def _weigh(line: Tensor, line_rows: Tensor, place: Tensor, factors: tuple[Tensor, ...], kind: int) -> Tensor:
    """Sum weighted samples of a line, preceded by silence."""
    rows, total = wide(line)[line_rows], torch.zeros(())
    for offset, factor in _taken(factors, kind):
        samples = rows.gather(1, (place - offset).clamp(min=0))
        total = total + factor * torch.where(place >= offset, samples, 0)
    return total


def _taken(factors: tuple[Tensor, ...], kind: int) -> list[tuple[int, Tensor]]:
    """Yield the weights of samples, and their distance from the newest one."""
    return list(enumerate(factors))[: 4 if kind == CUBIC else 2]


def _inside(moments: Tensor, limit: float, values: Tensor) -> Tensor:
    """Return the values where times were not clipped, and zero elsewhere."""
    return torch.where((moments >= 0) & (moments <= limit), values, 0)
