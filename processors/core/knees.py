r"""Static curves of dynamic range processors: from the level of a signal to its gain, both natural logarithms.

Each curve reduces what exceeds a threshold T. With the overshoot x = level − T it returns slope·k(x), where k
is the ramp max(0, x), rounded over a knee of width W around the threshold. The slope is 1/R − 1 for a
compressor of ratio R. A downward expander or gate, which acts below its threshold, is the mirror image: negate
level and threshold, and let the slope be 1 − R.

All arguments broadcast; only the level is as long as the signal.

References:
    D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
    analysis", JAES 60(6), 2012.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def hard_knee(level: Tensor, threshold: Tensor, slope: Tensor) -> Tensor:
    r"""Bend at the threshold at once: :math:`s \max(0, x)`.

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        slope: change of gain per change of level above the threshold, s ≤ 0.

    Returns:
        The log gain, in the unit of ``level``; never above 0.
    """
    return -torch.relu(slope * threshold - slope * level)


def quadratic_knee(level: Tensor, threshold: Tensor, slope: Tensor, width: Tensor) -> Tensor:
    r"""Bend along a parabola within half a width of the threshold.

    .. math:: k(x) = \frac{(x + W/2)^2}{2W} \text{ for } |x| \le W/2, \quad \max(0, x) \text{ elsewhere}

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        slope: change of gain per change of level above the knee, s ≤ 0.
        width: W > 0, in the unit of ``level``.

    Returns:
        The log gain, in the unit of ``level``; never above 0.
    """
    # t counts widths from the foot of the knee. With c = t clipped to [0, 1] one product serves all three parts.
    per_width = 1 / width
    t = level * per_width + (0.5 - threshold * per_width)
    c = F.hardtanh(t, 0.0, 1.0)
    return slope * width * (c * torch.sub(t, c, alpha=0.5))


def exponential_knee(level: Tensor, threshold: Tensor, slope: Tensor, sharpness: Tensor) -> Tensor:
    r"""Bend along a softplus: :math:`s \ln(1 + e^{Wx}) / W`.

    Args:
        level: ln of an energy.
        threshold: T, in the unit of ``level``.
        slope: change of gain per change of level far above the threshold, s ≤ 0.
        sharpness: W > 0, per unit of ``level``: the knee is about 4/W wide.

    Returns:
        The log gain, in the unit of ``level``; below 0.
    """
    return slope / sharpness * F.softplus(sharpness * level - sharpness * threshold)
