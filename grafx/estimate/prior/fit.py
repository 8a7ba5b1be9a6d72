"""Fit a prior to the graphs that searches have found: what is in consoles, how often, and with which settings."""

import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from statistics import NormalDist, median
from typing import Any

import networkx as nx
import numpy as np
import torch.nn as nn

from ... import trees
from ...errors import EstimateError
from ...processors.base import Control
from ...processors.contract import contract_of
from ...search.mixing.console import ROLES, SEND, console_processors, known_types
from ...search.mixing.weighted import inner
from ...search.songs.collect import FoundProcessor, Run, read_runs
from ...search.songs.collect.run import roles_of
from ...text import Notice, printable
from ...words import count
from .distributions import Distribution, Fixed, Normal, Spike, Uniform, place_of
from .kinds import GROUPS
from .prior import Prior, parse_prior
from .randomness import rounded

OUTER = 0.05
"""Share of songs at each end whose counts and lengths are left out of those that are drawn."""
OFTEN = 0.25
"""Share of settings that a single value must have to be drawn by itself."""
FEW = 8
"""Values that do not tell the form of a distribution."""
LEAST_SPREAD, SHARP = 0.02, 1e-3
PRECISION = 1e-4
"""Of the control's range, within which values are one."""

CLEANING = ("NoiseGate", "Expander", "DeEsser", "DCBlocker")
FAMILIES = {
    "dynamics": "dynamics",
    "container": "tone",
    "filter": "tone",
    "eq": "tone",
    "nonlinear": "character",
    "modulation": "character",
    "delay": "space",
    "reverb": "space",
    "stereo": "level",
}
"""What the families of processors are for."""

STRIPS = {"stem": "stems", "group": "buses", "return": "returns", "master": "master"}


def fit_prior(runs: str | os.PathLike, name: str = "fitted", notice: Notice = print) -> Prior:
    """Fit a prior to the graphs of a folder of searches.

    A kind's weight is the number of times that it was found, compared with the most frequent one. Each control has the
    distribution that fits its values best, on its own scale: a uniform or a normal one between the lowest and the
    highest, or a value of its own where more than a quarter of all are alike. So it is once more for each name of a
    stem that has enough of a kind, for searches to start from. Spectra are drawn as those of their
    octaves were. The structure is a console with as many stems, groups, returns and processors as nine of ten songs
    had.

    Args:
        runs: See :func:`.collect_songs`.
        name: What the prior is called.
        notice: Called with a sentence for each song and each type that is left out.

    Raises:
        EstimateError: No search has found a processor that a prior can have.
        SearchError: There are no searches.
        OSError: The folder cannot be read.
    """
    songs = [(run, parts) for run, parts in read_runs(runs, notice) if parts]
    rates = Counter(rate for run, _ in songs if type(rate := run.metadata.get("sample_rate")) is int)
    sample_rate = rates.most_common(1)[0][0] if rates else 44100
    found: dict[str, list[FoundProcessor]] = defaultdict(list)
    for _, parts in songs:
        for part in parts:
            found[part.kind].append(part)
    kinds = _kinds(found, sample_rate, notice)
    if not any(kind != SEND for kind in kinds):
        raise EstimateError(
            f"{printable(runs)} has no finished search that found a processor of grafx.processors: there is nothing to"
            " fit a prior to."
        )
    known = [(run, [part for part in parts if part.kind in kinds]) for run, parts in songs]
    structure, most = _console(known, kinds)
    return parse_prior(
        {
            "name": name,
            "sample_rate": sample_rate,
            "channels": 2,
            "max_nodes": most,
            "structures": {"console": structure},
            "kinds": kinds,
        }
    )


def _kinds(
    found: Mapping[str, Sequence[FoundProcessor]], sample_rate: int, notice: Notice
) -> dict[str, dict[str, Any]]:
    """Tables of kinds, the most frequent first."""
    processors = console_processors(sample_rate, known_types(found))
    tables: dict[str, dict[str, Any]] = {}
    most = max((len(parts) for kind, parts in found.items() if kind in processors), default=1)
    for kind, parts in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        if kind not in processors:
            notice(f"'{printable(kind)}' is no processor of a console: {count(len(parts), 'node')} of it are left out.")
            continue
        weight = float(f"{len(parts) / most:.3g}")
        if kind == SEND:
            tables[kind] = _send(parts, weight)
            continue
        processor = inner(processors[kind])
        role = ROLES.get(kind)
        options = dict(role.keywords) if isinstance(role, partial) else {}
        controls = _controls(processor, parts)
        by_stem = {stem: _controls(processor, own) for stem, own in _by_stem(parts).items()}
        by_stem = {stem: own for stem, own in by_stem.items() if own}
        tables[kind] = {
            "processor": type(processor).__name__,
            "weight": weight,
            "group": _group(processor),
            **({"options": options} if options else {}),
            **({"controls": controls} if controls else {}),
            **({"by_stem": by_stem} if by_stem else {}),
        }
    return tables


def _by_stem(parts: Sequence[FoundProcessor]) -> dict[str, list[FoundProcessor]]:
    """Those that are on stems of one name, where they are more than a few."""
    by: dict[str, list[FoundProcessor]] = defaultdict(list)
    for part in parts:
        by[part.stem].append(part)
    return {stem: own for stem, own in sorted(by.items()) if len(own) >= FEW}


def _send(parts: Sequence[FoundProcessor], weight: float) -> dict[str, Any]:
    """A send of a console has a gain for each channel; that of a prior has one, and the dry sound goes on."""
    from ...processors import Send

    (leaf,) = contract_of(Send()).leaves()
    levels = [
        float(np.mean(list(trees.numbers([v for _, v in trees.items(part.settings)]))))
        for part in parts
        if part.settings
    ]
    level = fit_distribution(levels, leaf.control)
    controls = {"controls": {leaf.name: level.plain()}} if level else {}
    return {"processor": Send.__name__, "weight": weight, "group": "level", **controls}


def _controls(processor: nn.Module, parts: Sequence[FoundProcessor]) -> dict[str, Any]:
    """Plain distributions of those controls whose values are in the settings."""
    tables = {}
    for leaf in contract_of(processor).leaves():
        values = [v for part in parts for v in _values(trees.at(part.settings, leaf.path))]
        if distribution := fit_distribution(values, leaf.control):
            tables[leaf.name] = distribution.plain()
    return tables


def _values(setting: Any) -> list[float]:
    """The numbers of a setting: one, a list, or those of octaves."""
    settings = [value for _, value in trees.items(setting)] if isinstance(setting, Mapping) else [setting]
    numbers = (number for value in settings for number in trees.numbers(value))
    return [float(n) for n in numbers if isinstance(n, int | float) and math.isfinite(n)]


def _group(processor: nn.Module) -> str:
    if type(processor).__name__ in CLEANING:
        return "cleaning"
    families = type(processor).__module__.split(".")
    return next((FAMILIES[family] for family in families if family in FAMILIES), "tone")


# Distributions


def fit_distribution(values: Iterable[float], control: Control) -> Distribution | None:
    """The distribution that fits values best; ``None`` where there are none.

    Args:
        values: In the unit of the control, beyond whose range they are cut.
        control: Its scale is that of the distribution.
    """
    values = np.array([rounded(min(max(float(v), control.low), control.high)) for v in values])
    if not len(values):
        return None
    places = np.array([place_of(value, control) for value in values])
    usual, number = Counter(np.round(places / PRECISION).astype(int).tolist()).most_common(1)[0]
    alike = np.abs(places - usual * PRECISION) < PRECISION
    at = float(values[alike][0])
    if alike.all() and len(values) > 2:
        return Fixed(at)
    if len(values) >= FEW and number > OFTEN * len(values):
        return Spike(float(f"{alike.mean():.3g}"), at, _smooth(values[~alike], places[~alike], control))
    return _smooth(values, places, control)


def _smooth(values: np.ndarray, places: np.ndarray, control: Control) -> Uniform | Normal:
    """A uniform or a normal distribution between the lowest and the highest value: what is more likely."""
    low, high = float(values.min()), float(values.max())
    middle = rounded(median(values.tolist()))
    spread = max(_spread_of(places), LEAST_SPREAD)
    if len(values) < FEW:  # which say where, but not how far
        within = (float(control.low), float(control.high))
        return Normal(middle, float(f"{max(spread, 2 * LEAST_SPREAD):.3g}"), within)
    if not low < high:
        return Normal(middle, SHARP, (float(control.low), float(control.high)))
    bell = NormalDist(place_of(middle, control), spread)
    inside = max(bell.cdf(place_of(high, control)) - bell.cdf(place_of(low, control)), 1e-12)
    likely = np.mean([math.log(max(bell.pdf(place), 1e-300)) for place in places]) - math.log(inside)
    if likely < -math.log(place_of(high, control) - place_of(low, control)):
        return Uniform((low, high))
    return Normal(middle, float(f"{spread:.3g}"), (low, high))


def _spread_of(places: np.ndarray) -> float:
    """The standard deviation, by the middle two thirds, which a few far values do not change."""
    low, high = np.quantile(places, [0.1587, 0.8413])
    return float(high - low) / 2


# Structures


def _console(
    songs: Sequence[tuple[Run, Sequence[FoundProcessor]]], kinds: Mapping[str, Mapping[str, Any]]
) -> tuple[dict, int]:
    """The table of a console, and how many nodes one has at most."""
    lengths: dict[str, list[int]] = defaultdict(list)
    groups: dict[str, set[str]] = defaultdict(set)
    counts: dict[str, list[int]] = {role: [] for role in STRIPS}
    sends: list[float] = []
    for run, parts in songs:
        owners = _owners(run)
        own: dict[str, int] = dict.fromkeys(owners, 0)
        for part in parts:
            if part.kind != SEND and part.owner in own:
                own[part.owner] += 1
                groups[part.role].add(kinds[part.kind]["group"])
        for owner, role in owners.items():
            lengths[role].append(own[owner])
        numbers = Counter(owners.values())
        for role in STRIPS:
            counts[role].append(numbers[role])
        if numbers["return"]:
            sent = sum(part.kind == SEND for part in parts)
            sends.append(min(sent / (numbers["return"] * (numbers["stem"] + numbers["group"])), 1.0))
    every = Counter(kind["group"] for name, kind in kinds.items() if name != SEND)
    table: dict[str, Any] = {"sends": float(f"{np.mean(sends) if sends else 0.5:.3g}")}
    nodes = 2
    for role, strips in STRIPS.items():
        used = [group for group in GROUPS if group in (groups[role] or every)]
        least = {"return": 1}.get(role, 0)
        low, high = _most(lengths[role] or [least], least, sum(every[group] for group in used))
        number = (1, 1) if role == "master" else _most(counts[role], int(role == "stem"))
        if role == "return" and SEND not in kinds:
            number = (0, 0)
        table[strips] = {"length": [low, high], "groups": used}
        if role != "master":
            table[strips]["count"] = list(number)
        nodes += number[1] * (high + 2)
    stems, returns = table["stems"]["count"][1], table["returns"]["count"][1]
    return table, nodes + stems * returns


def _owners(run: Run) -> dict[str, str]:
    """Names of a console's strips, and what they are."""
    assert run.G is not None
    G = nx.DiGraph(run.G)
    nodes = {i: (data["node_type"], data.get("name")) for i, data in run.G.nodes(data=True)}
    return roles_of(nodes, G.edges())


def _most(numbers: Sequence[int], least: int, most: int | None = None) -> tuple[int, int]:
    """Least and most of what nine of ten have."""
    low, high = np.quantile(numbers, [OUTER, 1 - OUTER], method="nearest")
    top = max(int(high), least) if most is None else max(min(int(high), most), least)
    return min(max(int(low), least), top), top
