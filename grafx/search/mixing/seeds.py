"""Which answer is sure: what searches of one song that began elsewhere have in common."""

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from ... import trees
from ...data import GRAFX, load_grafx
from ...data.attributes import WEIGHT, held_settings
from ...errors import SearchError
from .search import Options, Search
from .state import Found

_TIME = re.compile(r"[\d.]+(e[+-]?\d+)? ms\b")


@dataclass(frozen=True)
class Spread:
    """A number in several graphs."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Sureness:
    """How sure a processor is.

    Attributes:
        owner: The stem, group or bus in whose chain it is.
        type: Its node type.
        id: That of its node, where a chain of some graph has several of its type; otherwise None.
        survived: In how many graphs it is.
        of: Of how many.
        drywet_weight: The spread of its weight where it is, or None where it is nowhere.
        settings: Its physical settings as a node holds them, with a :class:`Spread` for each number; without what not
            all that hold it have in the same form. Of taps at times of their own, ``{"loudest_db": {"250 ms": -6}}``,
            there are the level and the time of the loudest: ``"loudest_db"`` and ``"loudest_ms"``.
    """

    owner: str
    type: str
    id: int | None
    survived: int
    of: int
    drywet_weight: Spread | None
    settings: dict[str, Any]


@dataclass(frozen=True)
class SeedResult:
    """What the search with one seed found, and the console that it fitted first."""

    seed: int
    console: Found
    found: Found


def search_seeds(
    seeds: Iterable[int], *arguments: Any, options: Options | None = None, **others: Any
) -> list[SeedResult]:
    """Search once for each seed, one after another.

    Args:
        seeds: Such as ``range(5)``.
        arguments: Those of :class:`.Search`, as are ``options``, in which the seed is replaced, and ``others``.

    Raises:
        ValueError: See :class:`.Search`.

    Examples:
        >>> results = search_seeds(range(5), stems, mix, 44100, ["drums", "bass"])
        >>> for part in sureness([result.found.G for result in results]):
        ...     print(part.owner, part.type, f"{part.survived} of {part.of}")
    """
    results = []
    for each in [replace(options or Options(), seed=seed) for seed in seeds]:
        search = Search(*arguments, options=each, **others)
        for _ in search.run():
            pass
        found = search.result()
        results.append(SeedResult(each.seed, search.console or found, found))
    return results


def best_result(results: Sequence[SeedResult], tolerance: float = Options.tolerance) -> SeedResult:
    """The smallest graph whose loss is within the tolerance over the best console's; of several, that of least loss.

    Args:
        results: What :func:`search_seeds` returns.
        tolerance: That of the searches.

    Raises:
        SearchError: There are no results.
    """
    numbers = [(r.console.loss, r.found.loss, r.found.num_processors) for r in results]
    return results[best_of(numbers, tolerance)]


def best_of(numbers: Sequence[tuple[float, float, int]], tolerance: float) -> int:
    """Which of several graphs is the best, see :func:`best_result`.

    Args:
        numbers: Of each, the loss of its console, its own, and how many processors it has.
        tolerance: Of the searches.
    """
    if not numbers:
        raise SearchError("There are no results to choose the best from: give at least one.")
    bound = min(console for console, _, _ in numbers) + tolerance
    return min(range(len(numbers)), key=lambda i: (numbers[i][1] > bound, numbers[i][2], numbers[i][1], i))


def sureness(graphs: Iterable[GRAFX | str | os.PathLike], console: GRAFX | None = None) -> list[Sureness]:
    """Compare graphs that were found for one song: how often each processor survived, and how alike its settings are.

    Processors are told apart by owner and type and, where a chain of some graph has several of a type, by their ids,
    which searches from the same console share.

    Args:
        graphs: Of which nodes hold their dry/wet weights and settings; or folders with results.
        console: The graph that all began with, for what survived nowhere.

    Returns:
        One entry for each processor, in the order of the console or, without it, of their ids.

    Raises:
        SearchError: There are no graphs.
    """
    found = [G if isinstance(G, GRAFX) else load_grafx(G)[0] for G in graphs]
    if not found:
        raise SearchError("There are no graphs to compare: give at least one.")
    everything = [_processors(G) for G in ([] if console is None else [console]) + found]
    several = {
        kind for nodes in everything for kind, number in Counter(map(_kind, nodes.values())).items() if number > 1
    }
    keyed: list[dict[tuple[str, str, int | None], Mapping[str, Any]]] = [
        {(*_kind(data), node if _kind(data) in several else None): data for node, data in nodes.items()}
        for nodes in everything
    ]
    places: dict[tuple[str, str, int | None], int] = {}
    for nodes, keys in zip(everything, keyed, strict=True):
        for node, key in zip(nodes, keys, strict=True):
            places.setdefault(key, node)
    order = sorted(places, key=lambda key: places[key]) if console is None else places
    return [
        _sureness(*key, [nodes[key] for nodes in keyed[-len(found) :] if key in nodes], len(found)) for key in order
    ]


def _processors(G: GRAFX) -> dict[int, Mapping[str, Any]]:
    return {node: data for node, data in sorted(G.nodes(data=True)) if WEIGHT in data}


def _kind(data: Mapping[str, Any]) -> tuple[str, str]:
    return data.get("owner") or "", data["node_type"]


def _sureness(owner: str, node_type: str, node: int | None, held: Sequence[Mapping[str, Any]], of: int) -> Sureness:
    weights = _spread([float(data[WEIGHT]) for data in held]) if held else None
    settings = _spreads([comparable(held_settings(data) or {}) for data in held])
    return Sureness(owner, node_type, node, len(held), of, weights, settings)


def comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose numbers have the same names in all graphs."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value and all(_TIME.match(place) for place in value):
            loudest = max(value, key=lambda place: max(trees.numbers(value[place])))
            found |= {name: value[loudest], f"{name.removesuffix('_db')}_ms": float(loudest.split()[0])}
        else:
            found[name] = comparable(value) if isinstance(value, Mapping) else value
    return found


def _spreads(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The spread of each number that all settings have."""
    found: dict[str, Any] = {}
    for path in trees.paths(settings[0]) if settings else ():
        if (spread := _of_alike([trees.at(each, path) for each in settings])) is not None:
            trees.put(found, path, spread)
    return found


def _of_alike(values: Sequence[Any]) -> Any:
    """Spreads of numbers, or of lists of them of one form; None of anything else."""
    if all(isinstance(value, list | tuple) for value in values) and len({len(value) for value in values}) == 1:
        spreads = [_of_alike(part) for part in zip(*values, strict=True)]
        return None if None in spreads else spreads
    numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    return _spread(values) if numbers else None


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))
