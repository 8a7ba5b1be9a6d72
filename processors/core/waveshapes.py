r"""Curves of memoryless nonlinearities, with their derivatives and antiderivatives for antialiasing.

All have the slope 1 at 0. Saturating ones saturate at 1; folding ones fold at 1 and −1.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .bounds import clip

Curve = Callable[[Tensor], Tensor]

LN2 = math.log(2)
STEEPNESS = math.pi / 2  # of an arctangent of slope and ceiling 1
CORNER = 1.5  # where the cubic reaches its ceiling
NEGATIVE = 2.0  # how much sooner a tube saturates below 0
# B₂ₖ / (2k + 1)!, by which the dilogarithm is a series of −ln(1 − z).
DILOGARITHM = (
    1 / 36,
    -1 / 3600,
    1 / 211680,
    -1 / 10886400,
    1 / 526901760,
    -4.0647616451442256e-11,
    8.921691020456452e-13,
)


class Waveshape(NamedTuple):
    """A curve with its derivative and its first and second antiderivatives, up to arbitrary constants.

    Attributes:
        curve: f.
        slope: f′; at corners, that of one side.
        first: F₁, of which f is the slope.
        second: F₂, of which F₁ is the slope.
        piece: Number of the piece of the curve; ``None`` if it is smooth everywhere.
    """

    curve: Curve
    slope: Curve
    first: Curve
    second: Curve
    piece: Curve | None = None


def _clipped(limit: float, curve: Curve, slope: Curve, first: Curve, second: Curve) -> Waveshape:
    """Make an odd polynomial up to a limit, constant beyond."""

    def clipped(x: Tensor) -> Tensor:
        return clip(x, -limit, limit)

    def first_beyond(x: Tensor) -> Tensor:
        c = clipped(x)
        return first(c) + curve(c) * (x - c)

    def second_beyond(x: Tensor) -> Tensor:
        c = clipped(x)
        beyond = x - c
        return second(c) + beyond * (first(c) + 0.5 * beyond * curve(c))

    return Waveshape(
        lambda x: curve(clipped(x)),
        lambda x: torch.where(x.abs() < limit, slope(x), 0),
        first_beyond,
        second_beyond,
        lambda x: torch.trunc((x / limit).clamp(-1, 1)),
    )


def _ln_cosh(x: Tensor) -> Tensor:
    size = x.abs()
    return size + torch.log1p(torch.exp(-2 * size)) - LN2


def _ln_cosh_integral(x: Tensor) -> Tensor:
    r"""Compute the integral of ln cosh: :math:`x^2/2 - x \ln 2 + \pi^2/24 + \operatorname{Li}_2(-e^{-2x})/2`, x ≥ 0."""
    size = x.abs()
    u = -torch.log1p(torch.exp(-2 * size))
    square = u.square()
    series = torch.zeros_like(u)
    for coefficient in reversed(DILOGARITHM):
        series = series * square + coefficient
    dilogarithm = u * (1 - u / 4 + series * square)
    return torch.sign(x) * (size * (0.5 * size - LN2) + math.pi**2 / 24 + 0.5 * dilogarithm)


def _sech_square(x: Tensor) -> Tensor:
    return 1 - torch.tanh(x).square()


def _arctan_slope(x: Tensor) -> Tensor:
    return 1 / (1 + (STEEPNESS * x).square())


def _arctan_first(x: Tensor) -> Tensor:
    v = STEEPNESS * x
    return (v * torch.atan(v) - 0.5 * torch.log1p(v.square())) / STEEPNESS**2


def _arctan_second(x: Tensor) -> Tensor:
    v = STEEPNESS * x
    square = v.square()
    return 0.5 * ((square - 1) * torch.atan(v) + v * (1 - torch.log1p(square))) / STEEPNESS**3


def _tube(of_tanh: Curve, power: int) -> Curve:
    """Make a tanh curve with a scaled negative half."""

    def curve(x: Tensor) -> Tensor:
        scale = torch.where(x < 0, NEGATIVE, 1.0).to(x.dtype)
        return of_tanh(scale * x) / scale**power

    return curve


def _triangle(x: Tensor) -> Tensor:
    t = x - 4 * torch.round(x / 4)
    return torch.where(t.abs() <= 1, t, torch.sign(t) * 2 - t)


def _triangle_slope(x: Tensor) -> Tensor:
    t = x - 4 * torch.round(x / 4)
    return torch.where(t.abs() <= 1, 1.0, -1.0).to(x.dtype)


def _triangle_first(x: Tensor) -> Tensor:
    return 0.5 * _triangle_slope(x) * (_triangle(x).square() - 1)


def _triangle_second(x: Tensor) -> Tensor:
    y = _triangle(x)
    return y * (y.square() / 6 - 0.5)


WAVESHAPES = {
    "hard": _clipped(1.0, lambda c: c, torch.ones_like, lambda c: 0.5 * c.square(), lambda c: c**3 / 6),
    "cubic": _clipped(
        CORNER,
        lambda c: c - 4 / 27 * c**3,
        lambda c: 1 - 4 / 9 * c.square(),
        lambda c: c.square() * (0.5 - c.square() / 27),
        lambda c: c**3 * (1 / 6 - c.square() / 135),
    ),
    "tanh": Waveshape(torch.tanh, _sech_square, _ln_cosh, _ln_cosh_integral),
    "arctan": Waveshape(lambda x: torch.atan(STEEPNESS * x) / STEEPNESS, _arctan_slope, _arctan_first, _arctan_second),
    "tube": Waveshape(
        _tube(torch.tanh, 1), _tube(_sech_square, 0), _tube(_ln_cosh, 2), _tube(_ln_cosh_integral, 3), torch.signbit
    ),
    "sine_fold": Waveshape(torch.sin, torch.cos, lambda x: -torch.cos(x), lambda x: -torch.sin(x)),
    "triangle_fold": Waveshape(
        _triangle, _triangle_slope, _triangle_first, _triangle_second, lambda x: torch.round(x / 2)
    ),
}
"""Name to curve."""
