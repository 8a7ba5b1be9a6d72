"""Weighted sums of polynomials, for memoryless nonlinearities."""

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from .bounds import soft_bound
from .operators import formula

Basis = Literal["powers", "chebyshev"]
LARGEST = 1e14  # products with gains of up to exp(30), and sums of their squares, are finite in float32


def polynomial_sum(u: Tensor, weights: Tensor, basis: Basis, saturate: bool = False) -> Tensor:
    r"""Sum polynomials of a signal.

    .. math:: y = \sum_{k=0}^{K-1} w_k\, f(p_k(u)), \quad
        p_k(u) = u^k \text{ or } p_k(u) = T_k(u) = \cos(k \arccos u)

    with f = tanh or the identity. Signals whose highest polynomial exceeds 10¹⁴ are bounded softly. Only the arguments
    are kept for the backward pass, which recomputes the rest.

    Args:
        u: Signals ``(B, C, L)``.
        weights: w, of shape ``(B, K)``.
        basis: ``"powers"``, or ``"chebyshev"`` for the Chebyshev polynomials of the first kind.
        saturate: Whether f is tanh.

    Returns:
        ``(B, C, L)``.
    """
    u = soft_bound(u, *_range(weights.shape[-1] - 1, basis))
    return _polynomial_sum(u, weights, basis == "chebyshev", saturate)


def _range(degree: int, basis: Basis) -> tuple[float, float]:
    """Return where the polynomial of this degree reaches the largest value, and the margin that about doubles it."""
    degree = max(1, degree)
    if basis == "powers":
        limit = LARGEST ** (1 / degree)
        return limit, limit / degree
    angle = math.acosh(LARGEST) / degree
    return math.cosh(angle), math.sinh(angle) / degree


def _values(u: Tensor, count: int, chebyshev: bool) -> Iterator[Tensor]:
    previous, value = u, torch.ones_like(u)  # T₋₁ = T₁ = u
    for _ in range(count):
        yield value
        previous, value = value, _step(u * value, previous, chebyshev)


def _values_and_slopes(u: Tensor, count: int, chebyshev: bool) -> Iterator[tuple[Tensor, Tensor]]:
    previous_slope, slope = torch.ones_like(u), torch.zeros_like(u)
    for value in _values(u, count, chebyshev):
        yield value, slope
        previous_slope, slope = slope, _step(torch.addcmul(value, u, slope), previous_slope, chebyshev)


def _step(product: Tensor, previous: Tensor, chebyshev: bool) -> Tensor:
    """Compute uᵏ⁺¹ = u uᵏ, or Tₖ₊₁ = 2u Tₖ − Tₖ₋₁; the derivatives follow the product rule."""
    return product.mul_(2).sub_(previous) if chebyshev else product


def _sum(u: Tensor, weights: Tensor, chebyshev: bool, saturate: bool) -> Tensor:
    y = torch.zeros_like(u)
    for k, value in enumerate(_values(u, weights.shape[-1], chebyshev)):
        y.addcmul_(value.tanh() if saturate else value, weights[:, k, None, None])
    return y


def _sum_gradient(grad: Tensor, needed: tuple, u: Tensor, weights: Tensor, chebyshev: bool, saturate: bool) -> tuple:
    by_u, by_weights = torch.zeros_like(u), torch.zeros_like(weights)
    for k, (value, slope) in enumerate(_values_and_slopes(u, weights.shape[-1], chebyshev)):
        if saturate:
            value = value.tanh()
            slope = slope * (1 - value.square())
        by_u.addcmul_(slope, weights[:, k, None, None])
        by_weights[:, k] = torch.linalg.vecdot(grad, value).sum(1)
    return by_u.mul_(grad), by_weights, None, None


_polynomial_sum = formula(_sum, _sum_gradient, "polynomial_sum")
