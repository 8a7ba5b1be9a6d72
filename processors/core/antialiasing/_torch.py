"""The operators of :mod:`.antialiasing` in plain torch, for every device."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..precision import wide
from ..waveshapes import WAVESHAPES, Curve, Waveshape

# Closer samples are left to quadrature, which is exact there to rounding unless there is a corner between them. A
# difference over h loses ε/h of the antiderivative, and its slope ε/h²; two more powers are lost in the second order.
CLOSE = 1e-2
CLOSE_AT_A_CORNER = {1: 1e-6, 2: 1e-4}

# Gauss: where between two points, and with which weights. Dunavant: the same between three, for the fourth degree.
LINE = [(0.5 - 0.15**0.5, 5 / 18), (0.5, 8 / 18), (0.5 + 0.15**0.5, 5 / 18)]
TRIANGLE = [
    (tuple(1 - 2 * side if i == far else side for i in range(3)), weight)
    for side, weight in ((0.445948490915965, 0.223381589678011), (0.091576213509771, 0.109951743655322))
    for far in range(3)
]


def antialiased(x: Tensor, shape: str, order: int) -> Tensor:
    means = _Lines if order == 1 else _Triangles
    return means(WAVESHAPES[shape], wide(x)).means().to(x.dtype)


def antialiased_backward(grad: Tensor, x: Tensor, shape: str, order: int) -> Tensor:
    means, g = _Lines if order == 1 else _Triangles, wide(grad)
    total, length = wide(torch.zeros_like(x)), grad.shape[1]
    for age, slope in enumerate(means(WAVESHAPES[shape], wide(x)).slopes()):
        total[:, order - age : order - age + length] += slope * g
    return total.to(x.dtype)


class _Lines:
    """Compute means of a curve over lines from each sample to the next, and their derivatives."""

    def __init__(self, wave: Waveshape, v: Tensor) -> None:
        self.wave, self.now, self.before = wave, v[:, 1:], v[:, :-1]
        antiderivative = wave.first(v)
        self.now_first, self.before_first = antiderivative[:, 1:], antiderivative[:, :-1]
        self.step = self.now - self.before
        scale = (1 + self.now_first.abs()).sqrt()
        self.close = _are_close(wave, self.step.abs(), scale, 1, (self.now, self.before))

    def means(self) -> Tensor:
        ends = self.now_first, self.before_first
        return _mean(self.wave.curve, self.now, self.before, *ends, self.close)

    def slopes(self) -> tuple[Tensor, Tensor]:
        """Compute the derivatives by the later and by the earlier sample."""
        y, curve = self.means(), self.wave.curve
        step = torch.where(self.close, 1, self.step)
        slopes = (curve(self.now) - y) / step, (y - curve(self.before)) / step
        if self.close.any():
            a, b = self.now[self.close], self.before[self.close]
            slopes[0][self.close] = 0.5 * _rising(self.wave.slope, a, b)
            slopes[1][self.close] = 0.5 * _rising(self.wave.slope, b, a)
        return slopes


class _Triangles:
    """Compute means of a curve over the triangles of three successive samples, and their derivatives."""

    def __init__(self, wave: Waveshape, v: Tensor) -> None:
        self.wave = wave
        self.x = v[:, 2:], v[:, 1:-1], v[:, :-2]
        second = wave.second(v)
        at = second[:, 2:], second[:, 1:-1], second[:, :-2]
        scale = (1 + at[1].abs()) ** (1 / 3)
        # The quantity of each pair is indexed by the sample that it excludes.
        pairs = (1, 2), (0, 2), (0, 1)
        self.step = [self.x[i] - self.x[j] for i, j in pairs]
        sizes = [step.abs() for step in self.step]
        self.close = [
            _are_close(wave, size, scale, 2, (self.x[i], self.x[j])) for size, (i, j) in zip(sizes, pairs, strict=True)
        ]
        self.all_close = _are_close(wave, torch.stack(sizes).amax(0), scale, 2, self.x)
        self.mean = [
            _mean(wave.first, self.x[i], self.x[j], at[i], at[j], close)
            for close, (i, j) in zip(self.close, pairs, strict=True)
        ]

    def means(self) -> Tensor:
        """Compute 2 F₂[x₀, x₁, x₂]."""
        far12, far02, far01 = (step.abs() for step in self.step)
        by02 = (far02 >= far01) & (far02 >= far12)
        by01 = far01 >= far12
        mean12, mean02, mean01 = self.mean
        rise = torch.where(by02, mean01 - mean12, torch.where(by01, mean02 - mean12, mean01 - mean02))
        step12, step02, step01 = self.step
        step = torch.where(by02, step02, torch.where(by01, step01, step12))
        y = 2 * rise / torch.where(self.all_close, 1, step)
        if self.all_close.any():
            points = _inside([x[self.all_close] for x in self.x])
            y[self.all_close] = sum(weight * self.wave.curve(point) for point, _, weight in points)
        return y

    def slopes(self) -> list[Tensor]:
        """Compute the derivatives by each of the three samples: 2 F₂ of four, two of which coincide."""
        y = self.means()
        slopes = [self._slope(y, i, *(j for j in range(3) if j != i)) for i in range(3)]
        if self.all_close.any():
            points = [(self.wave.slope(p), where, w) for p, where, w in _inside([x[self.all_close] for x in self.x])]
            for i, slope in enumerate(slopes):
                slope[self.all_close] = sum(weight * where[i] * value for value, where, weight in points)
        return slopes

    def _slope(self, y: Tensor, i: int, j: int, k: int) -> Tensor:
        x, other, another = self.x[i], self.x[j], self.x[k]
        swap = (x - other).abs() > (x - another).abs()
        nearer, further = torch.where(swap, another, other), torch.where(swap, other, another)
        mean = torch.where(swap, self.mean[j], self.mean[k])
        close = torch.where(swap, self.close[j], self.close[k])
        rising = 2 * (self.wave.first(x) - mean) / torch.where(close, 1, x - nearer)
        if close.any():
            rising[close] = _rising(self.wave.curve, x[close], nearer[close])
        return (rising - y) / torch.where(self.all_close, 1, x - further)


def _are_close(wave: Waveshape, spread: Tensor, scale: Tensor, order: int, points: Iterable[Tensor]) -> Tensor:
    close = spread < CLOSE * scale
    if wave.piece is not None:
        first, *others = (wave.piece(x) for x in points)
        for other in others:
            close = close & (first == other)
        close = close | (spread < CLOSE_AT_A_CORNER[order] * scale)
    return close


def _mean(curve: Curve, a: Tensor, b: Tensor, at_a: Tensor, at_b: Tensor, close: Tensor) -> Tensor:
    """Compute the mean of a curve between two points from its antiderivative."""
    mean = (at_a - at_b) / torch.where(close, 1, a - b)
    if close.any():
        start, end = b[close], a[close]
        mean[close] = sum(weight * curve(start + place * (end - start)) for place, weight in LINE)
    return mean


def _rising(curve: Curve, a: Tensor, b: Tensor) -> Tensor:
    """Compute the mean of a curve with weights that rise from 0 at b to 2 at a, by quadrature."""
    parts = [2 * place * weight * curve(b + place * (a - b)) for place, weight in LINE]
    return sum(parts[1:], parts[0])


def _inside(corners: list[Tensor]) -> list[tuple[Tensor, tuple[float, ...], float]]:
    """Return quadrature points of a triangle, their barycentric coordinates, and their weights."""
    x, y, z = corners
    return [(x + where[1] * (y - x) + where[2] * (z - x), where, weight) for where, weight in TRIANGLE]
