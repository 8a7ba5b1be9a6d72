"""How the values of a control are distributed.

A prior's file has one of these for each control that is drawn::

    frequency_hz = { uniform = [200, 5000] }
    ratio = { normal = 4, spread = 0.1, within = [2, 8] }
    gain_db = { soft = [[-6, -3], [3, 6]], hard = [[-18, -6], [6, 18]], weights = [1, 2] }
    send_db = { spike = 0.3, at = 0, uniform = [-20, -3] }
    knee_db = 2
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from ...processors.base import Control
from .randomness import Draws, rounded

Range = tuple[float, float]

LEVELS = "soft", "moderate", "hard"


@dataclass(frozen=True)
class Fixed:
    """Always the same value, which the processor may not have by default."""

    value: float

    def draw(self, _draws: Draws, _control: Control) -> float:
        return self.value

    def plain(self) -> Any:
        return self.value


@dataclass(frozen=True)
class Uniform:
    """All values of a range alike, on the control's own scale: by octaves for frequencies, say."""

    range: Range

    def draw(self, draws: Draws, control: Control) -> float:
        return _between(self.range, draws.unit(), control)

    def plain(self) -> Any:
        return {"uniform": list(self.range)}


@dataclass(frozen=True)
class Normal:
    """Mostly near one value: a normal distribution, on the control's own scale.

    Attributes:
        mean: The most frequent value.
        spread: Standard deviation, as a share of the control's whole range.
        within: Range beyond which nothing is drawn.
    """

    mean: float
    spread: float
    within: Range

    def draw(self, draws: Draws, control: Control) -> float:
        bell = NormalDist(place_of(self.mean, control), self.spread)
        low, high = (bell.cdf(place_of(end, control)) for end in self.within)
        share = min(max(low + draws.unit() * (high - low), 1e-12), 1 - 1e-12)
        return _held(_value(bell.inv_cdf(share), control), self.within)

    def plain(self) -> Any:
        return {"normal": self.mean, "spread": self.spread, "within": list(self.within)}


@dataclass(frozen=True)
class Levels:
    """Soft, moderate and hard settings: first one of these is drawn, then a value of its ranges.

    Attributes:
        soft, moderate, hard: Their ranges; none for a level that is left out.
        weights: How often each is drawn; 0 where there are no ranges.
    """

    soft: tuple[Range, ...]
    moderate: tuple[Range, ...]
    hard: tuple[Range, ...]
    weights: tuple[float, ...]

    def draw(self, draws: Draws, control: Control) -> float:
        ranges = draws.one_of((self.soft, self.moderate, self.hard), self.weights)
        widths = [place_of(high, control) - place_of(low, control) for low, high in ranges]
        return _between(draws.one_of(ranges, widths), draws.unit(), control)

    def plain(self) -> Any:
        given = {level: ranges for level in LEVELS if (ranges := getattr(self, level))}
        weights = [weight for level, weight in zip(LEVELS, self.weights, strict=True) if level in given]
        shown = {level: list(r[0]) if len(r) == 1 else [list(one) for one in r] for level, r in given.items()}
        return {**shown, "weights": weights}


@dataclass(frozen=True)
class Spike:
    """One value, often the one that does nothing, with a probability; else another distribution.

    Attributes:
        probability: How often it is ``at``.
        at: The value.
        otherwise: What is drawn else.
    """

    probability: float
    at: float
    otherwise: "Uniform | Normal | Levels"

    def draw(self, draws: Draws, control: Control) -> float:
        return self.at if draws.chance(self.probability) else self.otherwise.draw(draws, control)

    def plain(self) -> Any:
        return {"spike": self.probability, "at": self.at, **self.otherwise.plain()}


Distribution = Fixed | Uniform | Normal | Levels | Spike


def ranges_of(distribution: Distribution) -> list[Range]:
    """The ranges that a distribution draws from, and its single values as ranges of one."""
    match distribution:
        case Fixed(value):
            return [(value, value)]
        case Uniform(one):
            return [one]
        case Normal(within=within):
            return [within]
        case Levels(soft, moderate, hard):
            return [*soft, *moderate, *hard]
        case Spike(at=at, otherwise=otherwise):
            return [(at, at), *ranges_of(otherwise)]


def _between(limits: Range, share: float, control: Control) -> float:
    low, high = (place_of(end, control) for end in limits)
    return _held(_value(low + share * (high - low), control), limits)


def _held(value: float, limits: Range) -> float:
    return min(max(rounded(value), limits[0]), limits[1])


def place_of(value: float, control: Control) -> float:
    """Where a value is on the control's scale, from 0 to 1."""
    if control.scale == "log":
        return math.log(value / control.low) / math.log(control.high / control.low)
    return (value - control.low) / (control.high - control.low)


def _value(place: float, control: Control) -> float:
    if control.scale == "log":
        return control.low * math.exp(place * math.log(control.high / control.low))
    return control.low + place * (control.high - control.low)
