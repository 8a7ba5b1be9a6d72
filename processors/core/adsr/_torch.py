"""The operators of :mod:`.adsr` in plain torch, for every device without compiled kernels.

A stage follows an edge of the gate. The sample of the edge itself belongs to the stage before it, and is the initial
level of the new one. Levels are computed from stage to stage, and then all samples at once.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..backends.torch_envelopes import fall, slope_of


class Stages(NamedTuple):
    """Stages of all rows, padded to the maximum number.

    Attributes:
        on: Whether the gate is open, ``(rows, K)``.
        start: Sample of the edge, ``(rows, K)``; beyond the last sample for padding.
        last: Index of the last stage of each row, ``(rows, 1)``.
        of: Index of the stage of each sample, ``(rows, L)``.
    """

    on: Tensor
    start: Tensor
    last: Tensor
    of: Tensor


def adsr(held: Tensor, values: Tensor, state: Tensor, linear: bool, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    stages = _stages(held, state)
    levels = _levels(stages, values, state, linear)
    time, on, level = _at_samples(stages, levels)
    y = _value(time, on, level, values, linear)
    level, start, on = (t.gather(1, stages.last) for t in (levels, stages.start, stages.on))
    return y.to(dtype), torch.cat([level, held.shape[1] - start, on], 1)


def adsr_backward(
    grad: Tensor, grad_final: Tensor, held: Tensor, values: Tensor, state: Tensor, y: Tensor, linear: bool
) -> tuple[Tensor, Tensor]:
    stages = _stages(held, state)
    levels = _levels(stages, values, state, linear)
    *by_values, by_level = (grad * slope for slope in _slopes(*_at_samples(stages, levels), values, linear))
    grad_values = torch.stack([part.sum(1) for part in by_values], 1)
    grad_levels = torch.zeros_like(levels).scatter_add(1, stages.of, by_level)
    grad_levels = grad_levels.scatter_add(1, stages.last, grad_final[:, :1])
    durations = stages.start.diff(dim=1)
    *at_ends, to_next = _slopes(durations, stages.on[:, :-1], levels[:, :-1], values, linear)
    at_ends = torch.stack(at_ends, 2)
    by_level = grad_levels[:, -1]
    for k in range(levels.shape[1] - 2, -1, -1):
        grad_values = grad_values + by_level[:, None] * at_ends[:, k]
        by_level = grad_levels[:, k] + by_level * to_next[:, k]
    return grad_values, torch.stack([by_level, torch.zeros_like(by_level), torch.zeros_like(by_level)], 1)


def _stages(held: Tensor, state: Tensor) -> Stages:
    length, was_on = held.shape[1], state[:, 2:] > 0.5
    edges = torch.cat([was_on, held], 1).diff(dim=1)
    after = edges.cumsum(1)
    last = edges.sum(1, keepdim=True)
    count = int(last.max()) + 1 if last.numel() else 1
    start = state.new_full((held.shape[0], count + 1), length + 1)
    n = torch.arange(length, dtype=state.dtype, device=state.device)
    start = start.scatter(1, torch.where(edges, after, count), n.expand(held.shape))[:, :-1]
    start = torch.cat([-state[:, 1:2], start[:, 1:]], 1)
    odd = torch.arange(count, device=held.device) % 2 == 1
    return Stages(was_on ^ odd, start, last, after - edges.long())


def _levels(stages: Stages, values: Tensor, state: Tensor, linear: bool) -> Tensor:
    """Compute the initial level of each stage."""
    levels = [state[:, :1]]
    for k in range(stages.start.shape[1] - 1):
        duration = stages.start[:, k + 1 : k + 2] - stages.start[:, k : k + 1]
        levels.append(_value(duration, stages.on[:, k : k + 1], levels[-1], values, linear))
    return torch.cat(levels, 1)


def _at_samples(stages: Stages, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the time since the start of its stage, the gate, and the initial level, of each sample."""
    start, on, level = (t.gather(1, stages.of) for t in (stages.start, stages.on, levels))
    return torch.arange(start.shape[1], dtype=start.dtype, device=start.device) - start, on, level


def _value(time: Tensor, on: Tensor, level: Tensor, values: Tensor, linear: bool) -> Tensor:
    attack, decay, sustain, release = values[:, None].unbind(2)
    rise = (1 - level) / attack
    decayed = sustain + (1 - sustain) * fall(decay * (time - rise), linear)
    return torch.where(
        on, torch.where(time < rise, level + attack * time, decayed), level * fall(release * time, linear)
    )


def _slopes(time: Tensor, on: Tensor, level: Tensor, values: Tensor, linear: bool) -> tuple[Tensor, ...]:
    """Compute the derivatives of :func:`_value` by the four values and by the level."""
    attack, decay, sustain, release = values[:, None].unbind(2)
    rise = (1 - level) / attack
    rising, decaying = on & (time < rise), on & (time >= rise)
    decayed, released = fall(decay * (time - rise), linear), fall(release * time, linear)
    by_time = (1 - sustain) * slope_of(decayed, linear)
    later_peak = (-by_time * decay / attack).where(decaying, 0)
    return (
        time.where(rising, -later_peak * rise),
        (by_time * (time - rise)).where(decaying, 0),
        (1 - decayed).where(decaying, 0),
        (level * slope_of(released, linear) * time).where(~on, 0),
        torch.where(on, rising.to(time.dtype) - later_peak, released),
    )
