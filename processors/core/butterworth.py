"""Butterworth filters of any order, as first- and second-order sections in series."""

import math

import torch
from torch import Tensor

from . import cookbook
from .cookbook import Coefficients, bilinear


def low_pass(w0: Tensor, order: int) -> Coefficients:
    r"""Design a low-pass of order N, with −3 dB at its cutoff.

    .. math:: |H|^2 = \frac{1}{1 + (\tan \tfrac{\omega}{2} / \tan \tfrac{\omega_0}{2})^{2N}}

    Args:
        w0: Cutoffs ω₀ in radians per sample, between 0 and π, ``(…)``, in double precision.
        order: N, at least 1.

    Returns:
        Numerators and denominators of ⌈N/2⌉ sections, ``(…, K, 3)``.
    """
    return _sections(w0, order, cookbook.low_pass, 1.0)


def high_pass(w0: Tensor, order: int) -> Coefficients:
    """Design a high-pass of order N, with −3 dB at its cutoff, see :func:`low_pass`."""
    return _sections(w0, order, cookbook.high_pass, -1.0)


def all_pass(w0: Tensor, order: int) -> Coefficients:
    """Design an all-pass of order N with the poles of :func:`low_pass`."""
    b, a = _sections(w0, order, cookbook.all_pass, 1.0)
    if order % 2:
        b = torch.cat([b[..., :-1, :], _flip_first_order(a[..., -1:, :])], -2)
    return b, a


def band_pass(low: Tensor, high: Tensor, order: int) -> Coefficients:
    r"""Design a band-pass from a low-pass of order N, with −3 dB at both edges.

    With :math:`\Omega = \tan \tfrac{\omega}{2}`, the variable of the low-pass is :math:`(s^2 + \Omega_1 \Omega_2) /
    (s (\Omega_2 - \Omega_1))`.

    Args:
        low: Lower edges ω₁ in radians per sample, between 0 and π, ``(…)``, in double precision.
        high: Upper edges ω₂, above the lower ones.
        order: N, at least 1, of each slope.

    Returns:
        Numerators and denominators of N sections, ``(…, K, 3)``.
    """
    lower, upper = torch.tan(low / 2), torch.tan(high / 2)
    width, square = upper - lower, lower * upper
    sums, products = [], []  # of the poles of each section: the middle terms with their sign changed, and the last ones
    for q_inv in _inverse_qualities(order):
        pole = torch.complex(-q_inv * width, math.sqrt(4 - q_inv**2) * width) / 4
        root = torch.sqrt(pole * pole - square)
        for s in (pole + root, pole - root):
            sums.append(2 * s.real)
            products.append(s.real.square() + s.imag.square())
    if order % 2:
        sums.append(-width)
        products.append(square)
    one, zero = torch.ones_like(sums[0]), torch.zeros_like(sums[0])
    b = bilinear(zero, width, zero, 1.0)[..., None, :].expand(*width.shape, order, 3)
    return b, torch.stack([bilinear(one, -c, d, 1.0) for c, d in zip(sums, products, strict=True)], -2)


def _inverse_qualities(order: int) -> list[float]:
    """Compute 1/Q of each pair of poles."""
    return [2 * math.cos(math.pi * (order - 1 - 2 * k) / (2 * order)) for k in range(order // 2)]


def _sections(w0: Tensor, order: int, second_order, sign: float) -> Coefficients:
    q_inv = w0.new_tensor(_inverse_qualities(order))
    b, a = second_order(w0[..., None], q_inv)
    if order % 2 == 0:
        return b, a
    # (1 ± 1/z) sin or cos of half the cutoff, over the sum of both.
    sin, cos = torch.sin(w0 / 2), torch.cos(w0 / 2)
    level, zero = sin if sign > 0 else cos, torch.zeros_like(sin)
    b1, a1 = torch.stack([level, sign * level, zero], -1), torch.stack([sin + cos, sin - cos, zero], -1)
    return torch.cat([b, b1[..., None, :]], -2), torch.cat([a, a1[..., None, :]], -2)


def _flip_first_order(a: Tensor) -> Tensor:
    return torch.stack([a[..., 1], a[..., 0], a[..., 2]], -1)
