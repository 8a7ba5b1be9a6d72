"""Gains of dynamic range processors: from the energy of a signal to its gain, by a static curve."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..backends.dispatch import kernels
from ..knees import CURVES
from ..operators import formula, is_plain
from ..shapes import as_rows
from . import _torch as by_torch

COMPILED = "hard", "quadratic", "quadratic step"
"""Curves of which there are kernels."""


class Curve(NamedTuple):
    """A static curve.

    Attributes:
        knee: Name of the function in :data:`~grafx.processors.core.knees.CURVES`.
        slope: Change of gain per change of level, or the gain beyond a step, ``(…, 1)``.
        width: Width or sharpness of the knee, ``(…, 1)``; ``None`` where it has none.
        mirrored: Whether it acts below the threshold.
    """

    knee: str
    slope: Tensor
    width: Tensor | None
    mirrored: bool = False

    def log_gain(self, level: Tensor, threshold: Tensor) -> Tensor:
        """Compute the log gain ``(…, L)`` of levels ``(…, L)`` for a threshold ``(…, 1)``."""
        sides = (-level, -threshold) if self.mirrored else (level, threshold)
        return CURVES[self.knee](*sides, self.slope, self.width)


def gain_of_energy(energy: Tensor, floor: float, threshold: Tensor, curve: Curve) -> Tensor:
    r"""Compute gains :math:`\exp g(\ln(\max(0, e) + \varepsilon))` for a static curve g.

    Args:
        energy: e, of shape ``(…, L)``.
        floor: ε > 0, added since silence has no logarithm.
        threshold: T, ln of an energy, ``(…, 1)``.
        curve: g.

    Returns:
        Linear gains ``(…, L)``.
    """
    knee, slope, width, mirrored = curve
    tensors = energy, threshold, slope, *(() if width is None else (width,))
    if knee not in COMPILED or any(tensor.dtype != torch.float32 or tensor.is_cuda for tensor in tensors):
        return curve.log_gain(torch.log(F.relu(energy) + floor), threshold).exp()
    side = -threshold if mirrored else threshold
    return _gain(energy, side, slope, torch.ones_like(slope) if width is None else width, floor, knee, mirrored)


def _value(
    energy: Tensor, threshold: Tensor, slope: Tensor, width: Tensor, floor: float, knee: str, mirrored: bool
) -> Tensor:
    if not is_plain(energy, threshold, slope, width):
        return by_torch.gains(energy, threshold, slope, width, floor, knee, mirrored)
    leading, *rows = _rows(energy, threshold, slope, width)
    gains = kernels("gain_curve", energy).gains(*rows, floor, knee, mirrored)
    return gains.reshape(*leading, energy.shape[-1])


def _gradient(grad: Tensor, needed: tuple, *arguments: Any) -> tuple:
    tensors, options = arguments[:4], arguments[4:]
    if is_plain(grad, *tensors):
        leading, *rows = _rows(*tensors)
        grads = kernels("gain_curve", grad).gains_backward(grad.reshape(rows[0].shape), *rows, *options)
        grads = [g.reshape(*leading, g.shape[-1]) for g in grads]
    else:
        grads = by_torch.gains_backward(grad, *tensors, *options)
    return *(g.sum_to_size(v.shape) for g, v in zip(grads, tensors, strict=True)), None, None, None


def _rows(energy: Tensor, threshold: Tensor, slope: Tensor, width: Tensor) -> tuple:
    own = {"threshold": (threshold, 1), "slope": (slope, 1), "width": (width, 1)}
    return as_rows(energy=(energy, energy.shape[-1]), **own)


_gain = formula(_value, _gradient, "gain")
