"""Distributions as a file has them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import EstimateError
from ...processors.base import Control
from ...words import count
from .distributions import LEVELS, Distribution, Fixed, Levels, Normal, Range, Spike, Uniform
from .reading import Table, is_number

HOW = (
    "a number, or one of { uniform = [low, high] }, { normal = mean, spread = 0.1 }, { soft = [low, high], moderate ="
    " …, hard = … }, any of the three with spike = probability and at = value"
)
_MARKS = {"uniform": "uniform", "normal": "normal", **dict.fromkeys(LEVELS, "levels")}
_KEYS = {"uniform": ("uniform",), "normal": ("normal", "spread", "within"), "levels": (*LEVELS, "weights")}


def parse_distribution(value: Any, place: str, control: Control) -> Distribution:
    """Read the distribution of a control.

    Args:
        value: A number, or a table.
        place: File and table, for messages.
        control: Its range and default are those of the distribution, where it says no other.

    Raises:
        EstimateError: It is none, or reaches beyond the control's range.
    """
    if not isinstance(value, Mapping):
        if not is_number(value):
            raise EstimateError(f"{place} is {value!r:.60}, but must be {HOW}.")
        return Fixed(_inside(value, place, control))
    families = {_MARKS[key] for key in Table(value, place).content if key in _MARKS}
    if len(families) != 1:
        raise EstimateError(f"{place} must be {HOW}; it has {', '.join(value) or 'nothing'}.")
    spiked = ("spike", "at") if "spike" in value or "at" in value else ()
    (family,) = families
    table = Table(value, place, (*_KEYS[family], *spiked))
    distribution = {"uniform": _uniform, "normal": _normal, "levels": _levels}[family](table, control)
    if not spiked:
        return distribution
    at = table.number("at", default_of(control))
    return Spike(table.number("spike", low=0, high=1), _inside(at, f"{place}: at", control), distribution)


def default_of(control: Control) -> float | None:
    """The default of a control, None where its values have different ones."""
    values = {*_numbers(control.default)}
    return values.pop() if len(values) == 1 else None


def _uniform(table: Table, control: Control) -> Uniform:
    (one,) = _ranges(table, "uniform", control)
    return Uniform(one)


def _normal(table: Table, control: Control) -> Normal:
    (within,) = _ranges(table, "within", control) if "within" in table else [(float(control.low), float(control.high))]
    mean = default_of(control) if table.content.get("normal") == "default" else table.number("normal")
    if mean is None:
        raise table.refuse("normal", "a number, as this control has several values with defaults of their own")
    if not within[0] <= _inside(mean, f"{table.place}: normal", control) <= within[1]:
        raise table.refuse("within", f"a range that includes {mean:g}, where most values are")
    return Normal(float(mean), table.number("spread", 0.1, low=1e-3), within)


def _levels(table: Table, control: Control) -> Levels:
    ranges = {level: _ranges(table, level, control, many=True) if level in table else [] for level in LEVELS}
    given = [level for level in LEVELS if ranges[level]]
    weights = table.content.get("weights", [1] * len(given))
    fits = isinstance(weights, list | tuple) and len(weights) == len(given)
    if not fits or not all(is_number(w) and w >= 0 for w in weights) or not sum(weights) > 0:
        raise table.refuse("weights", f"{count(len(given), 'number')} of at least 0, not all 0, for {', '.join(given)}")
    by_level = dict(zip(given, map(float, weights), strict=True))
    soft, moderate, hard = (tuple(ranges[level]) for level in LEVELS)
    return Levels(soft, moderate, hard, tuple(by_level.get(level, 0.0) for level in LEVELS))


def _ranges(table: Table, key: str, control: Control, many: bool = False) -> list[Range]:
    """One range, or where there may be many a list of them."""
    value = table.content[key]
    listed = many and isinstance(value, list | tuple) and all(isinstance(one, list | tuple) for one in value)
    ranges = list(value) if listed else [value]
    for one in ranges:
        pair = isinstance(one, list | tuple) and len(one) == 2 and all(map(is_number, one))
        if not pair or not one[0] < one[1]:
            other = " or a list of such ranges" if many else ""
            raise table.refuse(
                key, f"two numbers in ascending order, such as [{control.low:g}, {control.high:g}]{other}"
            )
        for end in one:
            _inside(end, f"{table.place}: {key}", control)
    if not ranges:
        raise table.refuse(key, f"a range, such as [{control.low:g}, {control.high:g}]")
    return [(float(low), float(high)) for low, high in ranges]


def _inside(value: float, place: str, control: Control) -> float:
    if not control.low <= value <= control.high:
        raise EstimateError(f"{place} has {value:g}, which the control does not reach: give values of {control}.")
    return float(value)


def _numbers(value: Any) -> Iterable[float]:
    if isinstance(value, tuple | list):
        for one in value:
            yield from _numbers(one)
    elif math.isfinite(value):
        yield float(value)
