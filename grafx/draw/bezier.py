"""Bézier curves."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np


class Bezier:
    """Bézier curves by the algorithm of de Casteljau."""

    @staticmethod
    def TwoPoints(t: float, P1: np.ndarray, P2: np.ndarray) -> np.ndarray:
        """Interpolate linearly between two points at ``t`` from 0 to 1."""
        return (1 - t) * np.asarray(P1) + t * np.asarray(P2)

    @staticmethod
    def Points(t: float, points: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Interpolate between each point and the next at ``t``."""
        return [Bezier.TwoPoints(t, a, b) for a, b in pairwise(points)]

    @staticmethod
    def Point(t: float, points: Sequence[np.ndarray]) -> np.ndarray:
        """Evaluate the curve with these control points at ``t``."""
        while len(points) > 1:
            points = Bezier.Points(t, points)
        return np.asarray(points[0])

    @staticmethod
    def Curve(t_values: Iterable[float], points: Sequence[np.ndarray]) -> np.ndarray:
        """Evaluate the curve at all ``t_values``; the result is ``(N, dimensions)``."""
        return np.array([Bezier.Point(t, points) for t in t_values])
