"""The operators of :mod:`.ramp` in plain torch, for every device without compiled kernels."""

import torch
from torch import Tensor

from ..precision import wide

MOVED = 1e-12  # by more than that, a target is another one
OVER = 0.5  # remaining samples of a ramp that has landed
STARTED, LANDED = 1, 2


def ramp(targets: Tensor, duration: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    y, events = torch.empty_like(targets), torch.empty_like(targets, dtype=torch.uint8)
    value, target, increment, remaining = state.unbind(1)
    for n, (x, d) in enumerate(zip(wide(targets).unbind(1), _lengths(duration, targets), strict=True)):
        starts = (remaining <= OVER) | ((x - target).abs() > MOVED)
        increment = torch.where(starts, (x - value) / d, increment)
        target = torch.where(starts, x, target)
        remaining = torch.where(starts, d, remaining - 1)
        lands = remaining <= 1
        value = torch.where(lands, target, value + increment)
        remaining = remaining.masked_fill(lands, 0)
        y[:, n], events[:, n] = value, starts * STARTED + lands * LANDED
    return y, torch.stack([value, target, increment, remaining], 1), events


def ramp_backward(
    grad: Tensor, grad_final: Tensor, targets: Tensor, duration: Tensor, state: Tensor, y: Tensor, events: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    lengths = _lengths(duration, targets)
    grad_targets, slopes = (torch.empty_like(targets, dtype=state.dtype) for _ in range(2))
    distances = wide(targets) - torch.cat([state[:, :1], wide(y)], 1)[:, : y.shape[1]]
    value, target, increment, remaining = grad_final.unbind(1)
    for n in range(targets.shape[1] - 1, -1, -1):
        starts, lands = events[:, n] & STARTED > 0, events[:, n] & LANDED > 0
        value = value + grad[:, n]
        target = target + value.where(lands, 0)
        value = value.masked_fill(lands, 0)
        increment, remaining = increment + value, remaining.masked_fill(lands, 0)
        by_distance = (increment / lengths[n]).where(starts, 0)
        grad_targets[:, n] = target.where(starts, 0) + by_distance
        slopes[:, n] = remaining.where(starts, 0) - by_distance * distances[:, n] / lengths[n]
        value = value - by_distance
        target, increment, remaining = (t.masked_fill(starts, 0) for t in (target, increment, remaining))
    slopes = slopes.masked_fill(duration < 1, 0)
    grad_duration = slopes.sum(1, keepdim=True) if duration.shape[1] == 1 else slopes
    grad_state = torch.stack([value, target, increment, remaining], 1)
    return grad_targets.to(targets.dtype), grad_duration.to(duration.dtype), grad_state


def _lengths(duration: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    """Compute how many samples a ramp from each sample would take."""
    return wide(duration).clamp(min=1).expand_as(targets).unbind(1)
