"""Bounds of unconstrained parameters, and exponentials of them that stay finite."""

import torch
import torch.nn.functional as F
from torch import Tensor

LINEAR_UP_TO = 20.0
SOFT_MARGIN = 10.0


def clip(x: Tensor, low: Tensor | float | None = None, high: Tensor | float | None = None) -> Tensor:
    """What lies outside a range comes to its end. The slope is 1 within, also at the very ends, and 0 outside.

    ``Tensor.clamp`` has another slope at the ends with each version of torch.

    Args:
        x: real numbers of any shape.
        low: a number, or a tensor that broadcasts with ``x``; it gets the gradient of what comes to it.
        high: likewise.
    """
    if low is not None:
        x = torch.where(x < low, low, x)
    return x if high is None else torch.where(x > high, high, x)


def soft_bound(x: Tensor, limit: float = LINEAR_UP_TO, margin: float = SOFT_MARGIN) -> Tensor:
    r"""Confine ``x`` to ±(limit + margin), leaving everything within ±limit untouched.

    .. math:: b(x) = \operatorname{sgn}(x)\left(l + \frac{m e}{m + e}\right), \quad e = |x| - l > 0

    The slope is continuous and decays only as 1/e², so an optimizer can still find its way back from outside.

    Args:
        x: real numbers of any shape.
        limit: l, up to which the function is the identity.
        margin: m > 0, by which the bounds lie further out.

    Returns:
        The bounded numbers, in the shape of ``x``.
    """
    excess = F.softshrink(x, limit)
    outside = limit * x.sign() + F.softsign(excess / margin) * margin
    return torch.where(x.abs() > limit, outside, x)


def soft_bound_sum(x: Tensor, limit: float, margin: float) -> Tensor:
    """Shrink numbers so that neither the positive nor the negative ones among the last axis add up to much.

    Each sign by itself is scaled by one factor, which takes the sum of its numbers to what :func:`soft_bound` makes of
    it. The log gains of filters in series need this: each may be far from its bound, and their product overflow.

    Args:
        x: real numbers ``(…, K)``.
        limit: up to which a sum is left untouched.
        margin: by which the bounds of a sum lie further out.

    Returns:
        The scaled numbers, in the shape of ``x``.
    """
    sums = torch.stack([F.relu(x), F.relu(-x)]).sum(-1, keepdim=True)
    # Below the limit the factor is 1 with no slope, and 0/0 does not arise.
    sums = torch.where(sums > limit, sums, limit)
    up, down = soft_bound(sums, limit, margin) / sums
    return torch.where(x > 0, up * x, down * x)


def safe_exp(x: Tensor) -> Tensor:
    """Exponential whose value, square and gradient are finite for every finite ``x``, in float32 too.

    It is ``exp(x)`` exactly for ``|x| ≤ 20`` (a gain of ±174 dB) and tends to ``exp(±30)`` (±261 dB) beyond,
    see :func:`soft_bound`.

    Args:
        x: natural logarithms of any shape.

    Returns:
        Positive numbers, in the shape of ``x``.
    """
    return torch.exp(soft_bound(x))
