"""Random draws that are the same on every machine.

Python documents that ``random.Random(seed).random()`` stays what it is; of nothing else is this known.
"""

import random
from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")

DIGITS = 5
"""Significant digits of drawn settings, which hide how machines round logarithms."""


class Draws:
    """A stream of random numbers.

    Args:
        key: What it is for; another key gives an independent stream.
    """

    def __init__(self, *key: object) -> None:
        digest = sha256("/".join(map(str, key)).encode()).digest()
        self.unit = random.Random(int.from_bytes(digest, "big")).random
        """Returns a number from 0 to below 1."""

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return low + int(self.unit() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Return whether something of this probability happens."""
        return self.unit() < probability

    def one_of(self, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """Return one of some items, in proportion to their weights; no weight is below 0, and not all are 0."""
        if weights is None:
            return items[self.whole(0, len(items) - 1)]
        rest = self.unit() * sum(weights)
        chosen = items[0]
        for item, weight in zip(items, weights, strict=True):
            if weight > 0:
                chosen = item
                if rest < weight:
                    break
                rest -= weight
        return chosen


def rounded(value: float) -> float:
    """Round to the significant digits of settings."""
    return float(f"{value:.{DIGITS}g}")
