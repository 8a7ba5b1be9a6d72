"""Bounds of unconstrained parameters, and exponentials that stay finite."""

import torch
import torch.nn.functional as F
from torch import Tensor

LINEAR_UP_TO = 20.0
SOFT_MARGIN = 10.0


def clip(x: Tensor, low: Tensor | float | None = None, high: Tensor | float | None = None) -> Tensor:
    """Clip to a range. The derivative is 1 within, also at the ends, and 0 outside.

    The derivative of ``Tensor.clamp`` at the ends depends on the version of torch.

    Args:
        x: Real numbers of any shape.
        low: A number, or a tensor that broadcasts with ``x``; it gets the gradient of values clipped to it.
        high: Likewise.
    """
    if low is not None:
        x = torch.where(x < low, low, x)
    return x if high is None else torch.where(x > high, high, x)


def soft_bound(x: Tensor, limit: float = LINEAR_UP_TO, margin: float = SOFT_MARGIN) -> Tensor:
    r"""Bound ``x`` softly to ±(limit + margin), without changing values within ±limit.

    .. math:: b(x) = \operatorname{sgn}(x)\left(l + \frac{m e}{m + e}\right), \quad e = |x| - l > 0

    The derivative is continuous and decays only as 1/e², so an optimizer can return from outside.

    Args:
        x: Real numbers of any shape.
        limit: l, up to which the function is the identity.
        margin: m > 0, the distance of the bounds from the limit.

    Returns:
        The bounded numbers, in the shape of ``x``.
    """
    excess = F.softshrink(x, limit)
    outside = limit * x.sign() + F.softsign(excess / margin) * margin
    return torch.where(x.abs() > limit, outside, x)


def soft_bound_sum(x: Tensor, limit: float, margin: float) -> Tensor:
    """Bound the sums of the positive and of the negative numbers along the last axis softly.

    The numbers of each sign are scaled by one factor, which bounds their sum like :func:`soft_bound`. The log gains of
    filters in series need this: each may be far from its bound, and their product overflow.

    Args:
        x: Real numbers ``(…, K)``.
        limit: Limit of unchanged sums.
        margin: Distance of the bounds of a sum from the limit.

    Returns:
        The scaled numbers, in the shape of ``x``.
    """
    sums = torch.stack([F.relu(x), F.relu(-x)]).sum(-1, keepdim=True)
    # Below the limit the factor is a constant 1, and 0/0 does not occur.
    sums = torch.where(sums > limit, sums, limit)
    up, down = soft_bound(sums, limit, margin) / sums
    return torch.where(x > 0, up * x, down * x)


def safe_exp(x: Tensor) -> Tensor:
    """Compute an exponential whose value, square and gradient are finite for every finite ``x``, also in float32.

    It is ``exp(x)`` exactly for ``|x| ≤ 20`` (a gain of ±174 dB) and tends to ``exp(±30)`` (±261 dB) beyond,
    see :func:`soft_bound`.

    Args:
        x: Natural logarithms of any shape.

    Returns:
        Positive numbers, in the shape of ``x``.
    """
    return torch.exp(soft_bound(x))
