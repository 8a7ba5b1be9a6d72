"""Tables of a prior's file, whose keys are checked as they are read."""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from numbers import Real
from typing import Any

from ...errors import EstimateError

Limits = tuple[float, float]


class Table:
    """A table of a file, and where it is.

    Args:
        content: What it holds.
        place: File and table, for messages: ``"drums.toml: [kinds.bell]"``.
        keys: The keys that it may have; any, if None.

    Raises:
        EstimateError: It is no table, or has another key or one that is no text.
    """

    def __init__(self, content: Any, place: str, keys: Collection[str] | None = None) -> None:
        if not isinstance(content, Mapping):
            raise EstimateError(f"{place} is {content!r:.60}, but must be a table.")
        self.content, self.place = content, place
        for key in content:
            if not isinstance(key, str):
                raise EstimateError(f"{place} has the key {key!r:.60}, but keys must be texts.")
            if keys is not None and key not in keys:
                raise EstimateError(f"{place} has the unknown key '{key}'{meant(key, keys)}")

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def refuse(self, key: str, expected: str) -> EstimateError:
        """The error of a key that is missing, or whose value is another than expected."""
        if key not in self.content:
            return EstimateError(f"{self.place} has no '{key}', which must be {expected}.")
        return EstimateError(f"{self.place}: {key} is {self.content[key]!r:.80}, but must be {expected}.")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.content.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.refuse(key, "a text")
        return value

    def texts(self, key: str, default: Collection[str], known: Collection[str]) -> tuple[str, ...]:
        """Different names, each of which must be known."""
        value = self.content.get(key, list(default))
        if not isinstance(value, list | tuple) or len({*map(str, value)}) < len(value):
            raise self.refuse(key, f"a list of different names of {', '.join(known)}")
        for name in value:
            if name not in known:
                raise EstimateError(f"{self.place}: {key} names {name!r}{meant(str(name), known)}")
        return tuple(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.content.get(key, default)
        if not isinstance(value, bool):
            raise self.refuse(key, "true or false")
        return value

    def number(self, key: str, default: float | None = None, low: float = -math.inf, high: float = math.inf) -> float:
        value = self.content.get(key, default)
        if not is_number(value) or not low <= value <= high:
            raise self.refuse(key, f"a number{_limits(low, high)}")
        return float(value)

    def whole(self, key: str, default: int | None = None, low: float = -math.inf, high: float = math.inf) -> int:
        value = self.content.get(key, default)
        if not is_number(value) or not low <= value <= high or value != int(value):
            raise self.refuse(key, f"a whole number{_limits(low, high)}")
        return int(value)

    def counts(self, key: str, default: tuple[int, int], low: int = 0) -> tuple[int, int]:
        """Least and most of something; a number alone is both."""
        value = self.content.get(key, default)
        ends = (value, value) if is_number(value) else value
        whole = isinstance(ends, list | tuple) and len(ends) == 2
        if not (whole and all(is_number(n) and n == int(n) for n in ends) and low <= ends[0] <= ends[1]):
            raise self.refuse(key, f"two whole numbers in ascending order, from {low}, such as [{low}, {low + 3}]")
        return int(ends[0]), int(ends[1])

    def table(self, key: str, keys: Collection[str] | None = None) -> "Table":
        """A table within, empty where there is none."""
        return Table(self.content.get(key, {}), self.inner(key), keys)

    def inner(self, *keys: str) -> str:
        """The place of a table within."""
        base = self.place if self.place.endswith("]") else f"{self.place}: []"
        dot = "" if base.endswith("[]") else "."
        return f"{base[:-1]}{dot}{'.'.join(keys)}]"


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar one, or all."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1, 0.5)
    every = ", ".join(known) or "none"
    return f": did you mean '{near[0]}'? There are {every}." if near else f"; there are {every}."


def _limits(low: float, high: float) -> str:
    if high < math.inf:
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if low > -math.inf else ""
