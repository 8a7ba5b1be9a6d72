r"""Static curves of dynamic range processors: from the level of a signal to its gain, both natural logarithms.

Each curve reduces levels beyond a threshold T. With the overshoot x = level − T it returns slope·k(x), where k is the
ramp max(0, x), rounded over a knee of width W around the threshold. The slope is 1/R − 1 for a compressor of ratio R.
A downward expander or gate, which acts below its threshold, is the mirror image: negate level and threshold, and use
the slope 1 − R.

A step in place of the ramp makes a gate with a constant gain beyond its threshold.

Levels are ``(…, L)``, the other arguments ``(…, 1)``, and all broadcast.

References:
    D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
    analysis", JAES 60(6), 2012.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .bounds import clip
from .operators import formula

Ramp = Callable[[Tensor, Tensor, Tensor], Tensor]
Slopes = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
GUARD = 1e-3
SURROGATE_WIDTH = 1.0


def hard_knee(level: Tensor, threshold: Tensor, slope: Tensor, width: Tensor | None = None) -> Tensor:
    r"""Compute a hard knee, :math:`s \max(0, x)`.

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        slope: Change of gain per change of level above the threshold, s ≤ 0.
        width: Accepted and ignored, with a gradient of zero.

    Returns:
        The log gain, in the unit of ``level``; never above 0.
    """
    width = torch.ones_like(slope) if width is None else width
    return _curve(level, threshold, slope, width, _hard, _hard_slopes)


def quadratic_knee(level: Tensor, threshold: Tensor, slope: Tensor, width: Tensor) -> Tensor:
    r"""Compute a quadratic knee, a parabola within half a width of the threshold.

    .. math:: k(x) = \frac{(x + W/2)^2}{2W} \text{ for } |x| \le W/2, \quad \max(0, x) \text{ elsewhere}

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        slope: Change of gain per change of level above the knee, s ≤ 0.
        width: W > 0, in the unit of ``level``.

    Returns:
        The log gain, in the unit of ``level``; never above 0.
    """
    return _curve(level, threshold, slope, width, _quadratic, _quadratic_slopes)


def guarded_quadratic_knee(level: Tensor, threshold: Tensor, slope: Tensor, width: Tensor) -> Tensor:
    r"""Compute the parabola of :func:`quadratic_knee` with a guard against a division by zero.

    .. math:: k(x) = \frac{(x + W/2)^2}{2(W + 10^{-3})} \text{ for } |x| \le W/2, \quad \max(0, x) \text{ elsewhere}

    At the upper end of the knee it jumps by up to 5·10⁻⁴.

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        slope: Change of gain per change of level above the knee, s < 1.
        width: W > 0, in the unit of ``level``.

    Returns:
        The log gain, in the unit of ``level``, of the sign of the slope.
    """
    return _curve(level, threshold, slope, width, _guarded, _guarded_slopes)


def exponential_knee(level: Tensor, threshold: Tensor, slope: Tensor, sharpness: Tensor) -> Tensor:
    r"""Compute a soft knee, a softplus: :math:`s \ln(1 + e^{Wx}) / W`.

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        slope: Change of gain per change of level far above the threshold, s ≤ 0.
        sharpness: W > 0, per unit of ``level``: the knee is about 4/W wide.

    Returns:
        The log gain, in the unit of ``level``; below 0.
    """
    return _curve(level, threshold, slope, sharpness, _exponential, _exponential_slopes)


def hard_step(level: Tensor, threshold: Tensor, gain: Tensor, width: Tensor | None = None) -> Tensor:
    r"""Compute a step at the threshold: the gain where :math:`x \ge 0`, and 0 elsewhere.

    A step has no useful derivative except by the gain. So the gradients by level and threshold are those of
    a :func:`quadratic_step` of width 1 (4.3 dB).

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        gain: The log gain above the threshold.
        width: Accepted and ignored, with a gradient of zero.

    Returns:
        The log gain, either ``gain`` or 0.
    """
    width = torch.ones_like(gain) if width is None else width
    return _surrogate_curve(level, threshold, gain, width, _hard_step, _hard_step_slopes)


def quadratic_step(level: Tensor, threshold: Tensor, gain: Tensor, width: Tensor) -> Tensor:
    r"""Compute a smooth step from 0 to the gain along two parabolas, which meet at the threshold halfway up.

    .. math:: k(t) = \begin{cases} 2t^2 & t \le 1/2 \\ 1 - 2(1 - t)^2 & t > 1/2 \end{cases}, \quad
        t = \frac{x}{W} + \frac12 \text{ within } [0, 1]

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        gain: The log gain above the knee.
        width: W > 0, in the unit of ``level``.

    Returns:
        The log gain, from 0 to ``gain``, continuous in value and slope.
    """
    return _curve(level, threshold, gain, width, _quadratic_step, _quadratic_step_slopes)


# Each ramp k, and its derivatives by level and width. In-place operations are on local tensors only.


def _hard(level: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
    return (level - threshold).clamp_(min=0)


def _hard_slopes(level: Tensor, threshold: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    by_level = (level > threshold).to(level.dtype)
    return by_level, torch.zeros_like(by_level)


def _quadratic(level: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
    # With c = t clipped to [0, 1] one product serves all three parts.
    t = _widths_from_foot(level, threshold, width)
    c = t.clamp(0, 1)
    return t.sub(c, alpha=0.5).mul_(c).mul_(width)


def _quadratic_slopes(level: Tensor, threshold: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    c = _widths_from_foot(level, threshold, width).clamp_(0, 1)
    return c, torch.addcmul(c, c, c, value=-1).mul_(0.5)


def _widths_from_foot(level: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
    return torch.addcmul(0.5 - threshold / width, level, 1 / width)


def _guarded(level: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
    x = level - threshold
    return torch.where(x.abs() <= width / 2, (x + width / 2).square() / (2 * (width + GUARD)), x.clamp(min=0))


def _guarded_slopes(level: Tensor, threshold: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    x = level - threshold
    inside = x.abs() <= width / 2
    c = (x + width / 2) / (width + GUARD)
    return torch.where(inside, c, (x > 0).to(c.dtype)), torch.where(inside, 0.5 * c * (1 - c), 0)


def _exponential(level: Tensor, threshold: Tensor, sharpness: Tensor) -> Tensor:
    return F.softplus((level - threshold).mul_(sharpness)).div_(sharpness)


def _exponential_slopes(level: Tensor, threshold: Tensor, sharpness: Tensor) -> tuple[Tensor, Tensor]:
    x = level - threshold
    by_level = torch.sigmoid(x * sharpness)
    return by_level, x.mul_(by_level).sub_(_exponential(level, threshold, sharpness)).div_(sharpness)


def _hard_step(level: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
    return (level >= threshold).to(level.dtype)


def _hard_step_slopes(level: Tensor, threshold: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    by_level, _ = _quadratic_step_slopes(level, threshold, torch.full_like(width, SURROGATE_WIDTH))
    return by_level, torch.zeros_like(by_level)


def _quadratic_step(level: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
    c = _widths_from_foot(level, threshold, width).clamp_(0, 1)
    below = clip(c, high=0.5)
    return below.square().mul_(2).add_(_parabola(F.relu(c - 0.5)))


def _parabola(c: Tensor) -> Tensor:
    """Compute 2c(1 − c), the part above one half."""
    return torch.addcmul(c, c, c, value=-1).mul_(2)


def _quadratic_step_slopes(level: Tensor, threshold: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    c = _widths_from_foot(level, threshold, width).clamp_(0, 1)
    by_level = torch.minimum(c, 1 - c).mul_(4).div_(width)
    return by_level, c.sub_(0.5).mul_(by_level).neg_()


# A ramp or step times the slope. It keeps nothing but its arguments, and makes few passes over memory.


def _times_slope(level: Tensor, threshold: Tensor, slope: Tensor, width: Tensor, ramp: Ramp, slopes: Slopes) -> Tensor:
    return ramp(level, threshold, width).mul_(slope)


def _curve_gradient(grad: Tensor, needed: tuple, *arguments: Any) -> tuple:
    level, threshold, slope, width, ramp, slopes = arguments
    by_level, by_width = slopes(level, threshold, width)
    by_slope = _inner(grad, ramp(level, threshold, width))
    by_width = slope * _inner(grad, by_width)
    by_level = by_level.mul_(grad).mul_(slope)
    by_threshold = -by_level.sum(-1, keepdim=True)
    grads = (by_level, by_threshold, by_slope, by_width)
    return *(g.sum_to_size(v.shape) for g, v in zip(grads, arguments[:4], strict=True)), None, None


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vecdot(a, b).unsqueeze(-1)


_curve = formula(_times_slope, _curve_gradient, "knee")
_surrogate_curve = formula(_times_slope, _curve_gradient, "hard_step", surrogate=True)

# By name.
RAMPS: dict[str, tuple[Ramp, Slopes]] = {
    "hard": (_hard, _hard_slopes),
    "quadratic": (_quadratic, _quadratic_slopes),
    "quadratic step": (_quadratic_step, _quadratic_step_slopes),
}
CURVES: dict[str, Callable[..., Tensor]] = {
    "hard": hard_knee,
    "quadratic": quadratic_knee,
    "exponential": exponential_knee,
    "hard step": hard_step,
    "quadratic step": quadratic_step,
}
