"""The operators of :mod:`.feedback_delay` in plain torch, for every device without compiled kernels.

Blocks of the shortest time are processed at once.
"""

import torch
from torch import Tensor

from ..precision import wide
from . import SHORTEST


def feedback_delay(
    x: Tensor, times: Tensor, base: Tensor, feedback: Tensor, past: Tensor, limit: float, scale: float
) -> tuple[Tensor, Tensor]:
    _, place, part = places(x, times, base, past, limit, scale)
    line = torch.cat([past, wide(x)], 1)
    taps = torch.empty_like(wide(x))
    for begin, end in _pieces(place, past.shape[1]):
        newer, older = (line.gather(1, place[:, begin:end] - k) for k in (0, 1))
        taps[:, begin:end] = torch.lerp(newer, older, part[:, begin:end])
        line[:, past.shape[1] + begin : past.shape[1] + end] += feedback[:, None] * taps[:, begin:end]
    return taps.to(x.dtype), line[:, x.shape[1] :].clone()


def feedback_delay_backward(
    grad: Tensor,
    grad_final: Tensor,
    x: Tensor,
    times: Tensor,
    base: Tensor,
    feedback: Tensor,
    past: Tensor,
    taps: Tensor,
    limit: float,
    scale: float,
) -> tuple[Tensor, ...]:
    now, place, part = places(x, times, base, past, limit, scale)
    before, length = past.shape[1], x.shape[1]
    later = torch.cat([past.new_zeros(len(x), length), grad_final], 1)
    by_tap = wide(grad).clone()
    for begin, end in reversed(_pieces(place, before)):
        by_tap[:, begin:end] += feedback[:, None] * later[:, before + begin : before + end]
        for k, weight in ((0, 1 - part[:, begin:end]), (1, part[:, begin:end])):
            later.scatter_add_(1, place[:, begin:end] - k, weight * by_tap[:, begin:end])
    return gradients(by_tap, later, (x, times, feedback, past, taps), (now, place), limit, scale)


def gradients(
    by_tap: Tensor, later: Tensor, given: tuple, when: tuple[Tensor, Tensor], limit: float, scale: float
) -> tuple[Tensor, ...]:
    """Compute the gradients of all tensors from those of the taps and of the line."""
    x, times, feedback, past, taps = given
    now, place = when
    before, length = past.shape[1], x.shape[1]
    line = torch.cat([past, wide(x) + feedback[:, None] * taps], 1)
    by_v = later[:, before:]
    slope = by_tap * (line.gather(1, place - 1) - line.gather(1, place))
    slope = torch.where((now >= SHORTEST) & (now <= limit), slope, 0)
    by_time = scale * (slope if times.shape[1] == length else slope.sum(1, keepdim=True))
    return (
        by_v.to(x.dtype, copy=True),
        by_time.to(times.dtype, copy=True),
        slope.sum(1),
        (by_v * taps).sum(1),
        later[:, :before].clone(),
    )


def places(
    x: Tensor, times: Tensor, base: Tensor, past: Tensor, limit: float, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return unclipped times, the position of the newer sample, and the weight of the older one."""
    now = (base[:, None] + scale * wide(times)).expand(x.shape)
    t = now.nan_to_num(SHORTEST).clamp(SHORTEST, limit)
    age = t.long()
    place = past.shape[1] + torch.arange(x.shape[1], device=x.device) - age
    return now, place, t - age


def _pieces(place: Tensor, before: int) -> list[tuple[int, int]]:
    length = place.shape[1]
    age = before + torch.arange(length, device=place.device) - place
    step = int(age.min()) if age.numel() else 1
    return [(begin, min(begin + step, length)) for begin in range(0, length, step)]
