"""Plain-torch kernels of :mod:`.gain_curve` for every device."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..knees import CURVES, RAMPS


def gains(
    energy: Tensor, threshold: Tensor, slope: Tensor, width: Tensor, floor: float, knee: str, mirrored: bool
) -> Tensor:
    return CURVES[knee](_level(energy, floor, mirrored), threshold, slope, width).exp()


def gains_backward(
    grad: Tensor,
    energy: Tensor,
    threshold: Tensor,
    slope: Tensor,
    width: Tensor,
    floor: float,
    knee: str,
    mirrored: bool,
) -> tuple[Tensor, ...]:
    ramp, slopes = RAMPS[knee]
    level = _level(energy, floor, mirrored)
    log_ramp, (by_level, by_width) = ramp(level, threshold, width), slopes(level, threshold, width)
    grad = grad * (slope * log_ramp).exp()
    by_level = grad * slope * by_level
    of_rows = -by_level, grad * log_ramp, grad * slope * by_width
    by_energy = (-by_level if mirrored else by_level) / (F.relu(energy) + floor) * (energy >= 0)
    return by_energy, *(g.sum(-1, keepdim=True) for g in of_rows)


def _level(energy: Tensor, floor: float, mirrored: bool) -> Tensor:
    level = torch.log(F.relu(energy) + floor)
    return -level if mirrored else level
