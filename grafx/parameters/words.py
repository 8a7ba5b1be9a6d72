"""Settings in words."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .. import trees
from ..data.attributes import BYPASS, WEIGHT, held_settings
from ..trees import Path

MOST_PLACES = 4
"""Maximum number of bands or taps that are listed; of more, only the highest and the lowest."""


UNITS = {"db": "dB", "hz": "Hz", "freq": "Hz", "ms": "ms", "s": "s"}


_PLACE = re.compile(r"[\d.]+ (Hz|ms)\b")


def settings_text(settings: Mapping[str, Any]) -> str:
    """Format settings, one per line: ``"threshold −20 dB"``."""
    return "\n".join(f"{' '.join(path)} {value}" for path, value in _lines(settings, ()))


def node_lines(data: Mapping[str, Any]) -> list[str]:
    """Format the settings of a node and its dry/wet weight, one per line."""
    settings = held_settings(data) or _plain_settings(data)
    lines = settings_text(settings).split("\n") if isinstance(settings, Mapping) and settings else []
    if data.get(BYPASS) is True:
        return [*lines, "bypassed"]
    weight = data.get(WEIGHT)
    return [*lines, f"{_in_words(100 * weight)} % wet"] if isinstance(weight, int | float) else lines


def node_text(data: Mapping[str, Any]) -> str:
    """Format a node: ``"gain left gain −3 dB, right gain −3 dB, 100 % wet"``."""
    return f"{data['node_type']} {', '.join(node_lines(data))}".rstrip()


def spread_text(settings: Mapping[str, Any]) -> str:
    """Format how far settings spread: ``"threshold −24 to −22 dB, magnitude within 2.1 dB (63 Hz)"``.

    Args:
        settings: A tree of numbers' ``lowest`` and ``highest``. Of numbers at several places, the one that spreads most
            is told.
    """
    return ", ".join(f"{' '.join(path)} {value}" for path, value in _spreads(settings, ()))


def _spreads(settings: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    for name, value in settings.items():
        place, unit = _place_and_unit(name, path)
        if isinstance(value, Mapping) and _is_placed(value):
            widths = {at: max(one["highest"] - one["lowest"] for one in _ends(v)) for at, v in value.items()}
            widest = max(widths, key=lambda at: widths[at])
            alike = {at: [one["lowest"] for one in _ends(v)] for at, v in value.items()}
            text = f"within {_in_words(widths[widest])}{unit} ({widest})"
            yield place, text if widths[widest] else _places_in_words(alike, unit)
        elif isinstance(value, Mapping) and "lowest" not in value:
            yield from _spreads(value, (*path, name))
        else:
            ends = ([_in_words(one[end], name) for end in ("lowest", "highest")] for one in _ends(value))
            yield place, ", ".join(low if low == high else f"{low} to {high}" for low, high in ends) + unit


def _ends(value: Any) -> Iterator[Any]:
    """The lowest and highest of each number, of nested lists of them."""
    return trees.numbers(value)


def _place_and_unit(name: str, path: Path) -> tuple[Path, str]:
    stem, _, suffix = name.rpartition("_")
    unit = UNITS.get(suffix) if stem else None
    return (*path, (stem if unit else name).replace("_", " ")), f" {unit}" if unit else ""


def _plain_settings(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the physical values among the parameters of a node: numbers rather than tensors."""
    parameters = data.get("parameters")
    return parameters if isinstance(parameters, dict) and _is_plain(parameters) else None


def _is_plain(value: Any) -> bool:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    return isinstance(value, int | float) if values is None else all(map(_is_plain, values))


def _lines(settings: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    for name, value in settings.items():
        place, unit = _place_and_unit(name, path)
        if isinstance(value, Mapping) and not _is_placed(value):
            yield from _lines(value, (*path, name))
        elif isinstance(value, Mapping):
            yield place, _places_in_words(value, unit)
        else:
            numbers = ", ".join(_in_words(number, name) for number in trees.numbers(value))
            yield place, numbers + unit


def _is_placed(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(_PLACE.match(key) for key in value)


def _places_in_words(values: Mapping[str, Any], unit: str) -> str:
    pairs = [(number, place) for place, value in values.items() for number in trees.numbers(value)]
    if len(pairs) > MOST_PLACES:
        top, bottom = max(pairs, key=lambda pair: pair[0]), min(pairs, key=lambda pair: pair[0])
        pairs = [top] if _in_words(top[0]) == _in_words(bottom[0]) else [top, bottom]
        if len(pairs) == 1:
            return f"{_in_words(top[0])}{unit} throughout"
    return ", ".join(f"{_in_words(number)}{unit} at {place}" for number, place in pairs)


def _in_words(number: float, name: str = "") -> str:
    """Format three significant digits, without an exponent for large numbers and without a negative zero."""
    if name.endswith("ratio") and abs(number) > 1000:
        return "∞"
    number = 0.0 if abs(number) < 1e-4 else number
    return (f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}").replace("-", "−")
