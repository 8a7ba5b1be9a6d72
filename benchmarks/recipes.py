"""Settings that searches found, beside those of the recipes by which the mixes were made."""

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx

MASTER = "master"
ALIKE = {
    "eq": "peq ParametricEqualizer GraphicEqualizer",
    "compressor": "Compressor",
    "delay": "DelayLine FeedbackDelay MultitapDelay PingPongDelay",
    "reverb": "ConvolutionReverb FeedbackDelayNetwork FilteredNoiseShapingReverb Freeverb STFTMaskedNoiseReverb"
    " VelvetNoiseReverb",
}
KINDS = {node_type: kind for kind, types in ALIKE.items() for node_type in types.split()}
"""Kinds of other node types than those that are named like them."""
TIME_CONSTANTS = 2 * math.pi
"""How many of them a plug-in's times are."""
SOFTER_DB = -1.0
"""By how much an envelope of energies lies below a plug-in's of amplitudes, about."""
OVER_DB = 10.0
"""How far over a threshold, or below that of a gate, a ratio is taken with its dry/wet weight."""

Step = Mapping[str, Any]


class Recipe(NamedTuple):
    """How a mix was made: a chain of plug-ins for each stem and the master."""

    song: str
    chains: dict[str, list[Step]]


class Outcome(NamedTuple):
    """What a search left: metrics and, in signal order, nodes with ``owner``, ``drywet_weight`` and ``settings``."""

    name: str
    nodes: list[dict[str, Any]]
    metrics: dict[str, Any]


class Pair(NamedTuple):
    """A setting of a recipe and the one found; ``heard`` is the one that would sound as the recipe's does."""

    owner: str
    kind: str
    quantity: str
    true: float
    heard: float
    found: float

    @property
    def error(self) -> float:
        """Difference in dB or ms; for ratios and times in %."""
        if self.quantity in IN_PERCENT:
            return 100 * abs(self.found / self.heard - 1)
        return abs(self.found - self.heard)


IN_PERCENT = ("ratio", "attack, ms", "release, ms")


def read_recipe(file: Path) -> Recipe:
    """Read ``truth.json`` of a song, which is named after its folder."""
    truth = json.loads(file.read_text(encoding="utf-8"))
    return Recipe(file.parent.name, {**truth["chains"], MASTER: truth["master"]})


def read_outcome(folder: Path, name: str) -> Outcome:
    """Read ``graph.json`` and ``metrics.json`` of a folder."""
    graph, metrics = (
        json.loads((folder / f"{file}.json").read_text(encoding="utf-8")) for file in ("graph", "metrics")
    )
    nodes = [{**node, **node.get("attributes", {})} for node in graph["nodes"]]
    cables = nx.DiGraph((edge["source"], edge["dest"]) for edge in graph.get("edges", ()))
    place = {node_id: i for i, node_id in enumerate(nx.topological_sort(cables))}
    nodes.sort(key=lambda node: place.get(node.get("id"), 0))
    return Outcome(name, [node for node in nodes if "owner" in node and "drywet_weight" in node], metrics)


def outcomes(runs: Path, songs: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
    """Yield the song and the outcome of each folder with results, in all depths.

    The path of such a folder names the song: ``country``, ``country-2`` or ``country/seed 1``, say.
    """
    for file in sorted(runs.glob("**/metrics.json")):
        place = file.parent.relative_to(runs)
        named = [song for song in songs if any(_names(part, song) for part in place.parts)]
        if named and (file.parent / "graph.json").is_file():
            yield max(named, key=len), read_outcome(file.parent, str(place))


def _names(part: str, song: str) -> bool:
    return part.startswith(song) and not part[len(song) :][:1].isalnum()


def pairs(recipe: Recipe, outcome: Outcome) -> list[Pair]:
    """Compare all settings of kinds that a recipe and an outcome have in the same chain, and all gains and pans."""
    found = [pair for owner, steps in recipe.chains.items() for pair in _of_processors(owner, steps, outcome)]
    return found + [pair for owner, steps in recipe.chains.items() for pair in _of_levels(owner, steps, outcome)]


def _of_processors(owner: str, steps: Sequence[Step], outcome: Outcome) -> Iterator[Pair]:
    for kind in ("compressor", "noisegate"):
        step, node = _step(steps, kind), _node(outcome, owner, kind)
        if step and node:
            settings, gate = node["settings"], kind == "noisegate"
            threshold = step["threshold_db"] + (0.0 if gate else SOFTER_DB)
            ratio = (heard_expansion if gate else heard_compression)(settings["ratio"], node["drywet_weight"])
            yield Pair(owner, kind, "threshold, dB", step["threshold_db"], threshold, settings["threshold_db"])
            yield Pair(owner, kind, "ratio", step["ratio"], step["ratio"], ratio)
            for name, factor in (("attack", 2.0), ("release", 0.5)):  # energies rise half as fast as amplitudes
                true = step[f"{name}_ms"]
                yield Pair(owner, kind, f"{name}, ms", true, factor * true / TIME_CONSTANTS, settings[f"{name}_ms"])
    step, node = _step(steps, "delay"), _node(outcome, owner, "delay")
    times = delay_times(node["settings"]) if node else []
    if step and times:
        true = 1000 * step["delay_seconds"]
        yield Pair(owner, "delay", "delay, ms", true, true, min(times, key=lambda time: abs(time - true)))


def _of_levels(owner: str, steps: Sequence[Step], outcome: Outcome) -> Iterator[Pair]:
    gains, nodes = [step for step in steps if step["kind"] == "gain"], _nodes(outcome, owner, "gain")
    if not gains and not nodes:
        return
    level = sum(step.get("gain_db", 0.0) for step in gains)
    p = sum(step.get("p", 0.0) for step in gains)
    left, right = (math.prod(sides) for sides in zip((1.0, 1.0), *map(gain_amplitudes, nodes), strict=True))
    one, other = map(_decibels, pan_amplitudes(p))
    yield Pair(owner, "gain", "gain, dB", level, level, _decibels(math.hypot(left, right) / math.sqrt(2)))
    yield Pair(owner, "gain", "pan, dB", p, round(one - other, 9), heard_pan(owner, outcome))


def pan_amplitudes(p: float) -> tuple[float, float]:
    """Return the factors of the left and right channel at a pan from −1 to 1: of constant power, 1 in the middle."""
    angle = (p + 1) * math.pi / 4
    return math.sqrt(2) * math.cos(angle), math.sqrt(2) * math.sin(angle)


def gain_amplitudes(node: Mapping[str, Any]) -> tuple[float, float]:
    """Return the factors of the left and right channel of a gain with its dry/wet weight."""
    weight = node["drywet_weight"]
    left, right = (10 ** (node["settings"][f"{side}_gain_db"] / 20) for side in ("left", "right"))
    return 1 + weight * (left - 1), 1 + weight * (right - 1)


def heard_pan(owner: str, outcome: Outcome) -> float:
    """Return the level in dB of left over right that a signal in the middle has in the mix.

    Gains pan it, and imagers after them, such as that of the master, move it back or further.
    """
    sides = 1.0, 1.0
    for node in (node for one in dict.fromkeys((owner, MASTER)) for node in outcome.nodes if node["owner"] == one):
        sides = _through(node, *sides)
    left, right = map(_decibels, sides)
    return left - right


def _through(node: Mapping[str, Any], left: float, right: float) -> tuple[float, float]:
    """The amplitudes of a signal on both sides after a node, if that is a gain or an imager."""
    if kind_of(node) == "gain":
        gains = gain_amplitudes(node)
        return left * gains[0], right * gains[1]
    if kind_of(node) == "imager":
        wide = 1 + node["drywet_weight"] * (10 ** (node["settings"]["side_gain_db"] / 20) - 1)
        mid, side = (left + right) / 2, wide * (left - right) / 2
        return mid + side, mid - side
    return left, right


def heard_compression(ratio: float, weight: float) -> float:
    """Return the ratio that a compressor with a dry/wet weight has up to :data:`OVER_DB` over its threshold."""
    rise = OVER_DB + _mixed_db(-OVER_DB * (1 - 1 / ratio), weight)
    return OVER_DB / rise if rise > 1e-9 else math.inf


def heard_expansion(ratio: float, weight: float) -> float:
    """Return the ratio that a gate with a dry/wet weight has down to :data:`OVER_DB` below its threshold."""
    return 1 - _mixed_db(-OVER_DB * (ratio - 1), weight) / OVER_DB


def _mixed_db(gain_db: float, weight: float) -> float:
    return _decibels(1 - weight + weight * 10 ** (gain_db / 20))


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(max(abs(amplitude), 1e-12))


def delay_times(settings: Mapping[str, Any]) -> list[float]:
    """Return the times of taps in ms: of the loudest, which are named ``"428.1 ms left"``, or of ``delay_ms``."""
    times = [float(tap.split()[0]) for tap in settings.get("loudest_db", {})]
    return times or [float(settings["delay_ms"])] if times or "delay_ms" in settings else []


def kind_of(node: Mapping[str, Any]) -> str:
    """Return the kind of a processor in the words of recipes."""
    node_type = node.get("node_type") or node["type"]
    return KINDS.get(node_type, node_type)


def kinds(recipe: Recipe, outcome: Outcome) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return owners and kinds of a recipe and of an outcome, without gains, which every stem has."""
    wanted = {(owner, step["kind"]) for owner, steps in recipe.chains.items() for step in steps}
    found = {(node["owner"], kind_of(node)) for node in outcome.nodes}
    return tuple({pair for pair in every if pair[1] != "gain"} for every in (wanted, found))


def f1(wanted: set[Any], found: set[Any]) -> float:
    """Return the harmonic mean of precision and recall."""
    hits = len(wanted & found)
    return 2 * hits / max(1, len(wanted) + len(found))


def median_error(of: Sequence[Pair]) -> float:
    """Return the median of errors."""
    return statistics.median(pair.error for pair in of)


def _step(steps: Sequence[Step], kind: str) -> Step | None:
    return next((step for step in steps if step["kind"] == kind), None)


def _node(outcome: Outcome, owner: str, kind: str) -> dict[str, Any] | None:
    """The one of a kind that is heard most."""
    nodes = [node for node in _nodes(outcome, owner, kind) if node.get("settings")]
    return max(nodes, key=lambda node: node["drywet_weight"], default=None)


def _nodes(outcome: Outcome, owner: str, kind: str) -> list[dict[str, Any]]:
    return [node for node in outcome.nodes if node["owner"] == owner and kind_of(node) == kind]
