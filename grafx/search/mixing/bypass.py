"""Removal of processors from a graph at constant level.

A processor should be kept for its sound, not for its effect on the mean level, which any gain could have.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import cache

import networkx as nx
import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...data.attributes import BYPASS
from ...data.cables import first_plug
from ...data.configs import BUILT_IN_TYPES
from ...data.refusals import bypass_problem
from .console import SAMPLE_RATE, console_processors, known_types
from .mixer import WEIGHT, Mixer
from .weighted import is_gain, passes_dry

WET = 0.99
"""Dry/wet weight of gains that take over a level change: practically wet, but still trainable."""
SMALLEST_GAIN = 1e-3


@torch.no_grad()
def level_changes(mixer: Mixer, stems: Tensor) -> dict[int, Tensor]:
    """Measure the level change of each processor: the ratio of its output's to its input's RMS, for each channel.

    Args:
        mixer: The graph.
        stems: ``(K, 2, L)``.

    Returns:
        Node id to ``(2,)``; 1 where the input is silent. The input is that of the first inlet, the signal that passes
        where the processor is bypassed.
    """
    G, signals = mixer.G, mixer.signals(stems)
    changes = {}
    for node in mixer.processor_ids:
        sources = [_outlet(G, signals[source], source, outlet) for source, outlet in main_sources(G, node)]
        before = sum(sources, torch.zeros_like(signals[node])).square().mean(-1)
        after = signals[node].square().mean(-1)
        changes[node] = torch.where(before > 0, after / before, torch.ones_like(before)).sqrt().cpu()
    return changes


def without(
    G: GRAFX, removed: Collection[int], changes: Mapping[int, Tensor], processors: Mapping[str, nn.Module] | None = None
) -> GRAFX:
    """Copy a graph with some processors bypassed, and compensate the level by gains.

    A gain in the same chain takes over the level change of a removed processor; without one, the gains through which
    all comes that the processor gets, where that changes nothing else. A send is cut instead, and what then gets no
    signal, or leads nowhere, goes with it; inputs stay, and so does a silent send which is all that an output has.

    Args:
        G: A graph whose nodes hold their parameters and dry/wet weights.
        removed: Node ids.
        changes: The result of :func:`level_changes`.
        processors: Node type to processor; by default those of a console.

    Returns:
        The smaller graph; ids of the other nodes stay. Where cables beside a removed processor forbid a bypass, a
        ``mix`` takes its place.
    """
    smaller = G.copy()
    if not removed:
        return smaller
    roles = Roles(G, processors)
    cut(smaller, [node for node in removed if G.nodes[node]["node_type"] in roles.sends])
    bypassed = [node for node in removed if node in smaller and smaller.nodes[node]["node_type"] not in roles.sends]
    factors: dict[int, Tensor | float] = {}
    for node in bypassed:
        for gain, sign in gains_in_charge(smaller, node, bypassed, roles).items():
            change = changes[node] if sign > 0 else 1 / changes[node].clamp(min=SMALLEST_GAIN)
            factors[gain] = factors.get(gain, 1.0) * change
    for gain, factor in factors.items():
        amplify(smaller.nodes[gain], factor, cuts=smaller.nodes[gain]["node_type"] in roles.sends)
    for node in bypassed:
        bypass(smaller, node)
    remove_dead(smaller)
    return smaller


class Roles:
    """Which node types of a graph are gains, in chains or of sends, and which are sends.

    Args:
        G: The graph.
        processors: Node type to processor; by default those of a console.
    """

    def __init__(self, G: GRAFX, processors: Mapping[str, nn.Module] | None) -> None:
        types = {data["node_type"] for _, data in G.nodes(data=True)} - set(BUILT_IN_TYPES)
        known = _of_console(frozenset(known_types(types))) if processors is None else processors
        own = {node_type: known[node_type] for node_type in types if node_type in known}
        self.gains = {node_type for node_type, processor in own.items() if is_gain(processor)}
        self.sends = {node_type for node_type, processor in own.items() if not passes_dry(processor)}


@cache
def _of_console(types: frozenset[str]) -> dict[str, nn.Module]:
    return console_processors(SAMPLE_RATE, sorted(types))


def main_sources(G: GRAFX, node: int) -> list[tuple[int, str]]:
    """The sources of a node's first inlet with their outlets, one twice where two cables leave it."""
    first = first_plug(G.config, G.nodes[node]["node_type"], "inlet")
    return [(s, data["outlet"]) for s, _, data in G.in_edges(node, data=True) if data["inlet"] == first]


def returns_of(G: GRAFX, roles: Roles) -> list[int]:
    """The sums that sends alone feed."""
    sums = [node for node, data in sorted(G.nodes(data=True)) if data["node_type"] == "mix"]
    feeding = {node: [G.nodes[source]["node_type"] for source, _ in main_sources(G, node)] for node in sums}
    return [node for node, types in feeding.items() if types and set(types) <= roles.sends]


def _outlet(G: GRAFX, outputs: Tensor | tuple[Tensor, ...], node: int, outlet: str) -> Tensor:
    if isinstance(outputs, Tensor):
        return outputs
    return outputs[G.config.outlet_to_index[G.nodes[node]["node_type"]][outlet]]


# Removal


def bypass(G: GRAFX, node: int) -> None:
    """Remove a node, whose input then passes; a ``mix`` takes its place where it already passes beside it."""
    if not bypass_problem(G, node):
        G.bypass(node)
        return
    first = first_plug(G.config, G.nodes[node]["node_type"], "inlet")
    for source, _, key, data in list(G.in_edges(node, keys=True, data=True)):
        if data["inlet"] == first:
            data["inlet"] = "main"
        else:
            G.remove_edge(source, node, key)
    for _, _, data in G.out_edges(node, data=True):
        data["outlet"] = "main"
    G.replace(node, "mix", name=f"mix {node}")
    for attribute in (WEIGHT, BYPASS):
        G.nodes[node].pop(attribute, None)


def cut(G: GRAFX, sends: Collection[int]) -> None:
    """Remove sends, and what is dead without them; those that are all that an output has stay, and are silent."""
    trial = G.copy()
    trial.remove_nodes_from(sends)
    if _outputs_live(trial):
        _remove_all(G, sends)
    else:
        for send in sends:
            trial = G.copy()
            trial.remove_node(send)
            if _outputs_live(trial):
                _remove_all(G, [send])
            else:
                G.nodes[send][WEIGHT] = 0.0
    remove_dead(G)


def remove_dead(G: GRAFX) -> None:
    """Remove nodes that get no signal at their first inlet, and those from which nothing reaches an output.

    Inputs and outputs stay.
    """
    while dead := _dead(G):  # what led to it alone is dead after it
        _remove_all(G, dead)


def _dead(G: GRAFX) -> list[int]:
    outputs = [node for node, data in G.nodes(data=True) if data["node_type"] == "out"]
    heard = set(outputs).union(*(nx.ancestors(G, output) for output in outputs))
    alive = _live(G) & heard
    return [n for n, data in G.nodes(data=True) if n not in alive and data["node_type"] not in _ENDS]


_ENDS = ("in", "out")


def _remove_all(G: GRAFX, nodes: Iterable[int]) -> None:
    for node in nodes:
        G.remove(node)


def _live(G: GRAFX) -> set[int]:
    """The nodes that get a signal."""
    live: set[int] = set()
    for node in nx.topological_sort(G):
        is_source = first_plug(G.config, G.nodes[node]["node_type"], "inlet") is None
        if is_source or any(source in live for source, _ in main_sources(G, node)):
            live.add(node)
    return live


def _outputs_live(G: GRAFX) -> bool:
    live = _live(G)
    return all(node in live for node, data in G.nodes(data=True) if data["node_type"] == "out")


# Compensation


def amplify(data: dict, factor: Tensor | float, cuts: bool) -> None:
    """Amplify what a gain, or a send, which cuts, gives at its node."""
    log_gain = data["parameters"]["log_gain"]
    if cuts:
        gain = factor * log_gain.exp()
    else:
        audible = 1 + data.get(WEIGHT, 1.0) * torch.expm1(log_gain)
        gain = 1 + (factor * audible - 1) / WET
        data[WEIGHT] = WET
    data["parameters"] = {"log_gain": gain.clamp(min=SMALLEST_GAIN).log()}
    data.pop("settings", None)  # they describe the removed state


def gains_in_charge(G: GRAFX, node: int, removed: Collection[int], roles: Roles) -> dict[int, int]:
    """Find gains that take over the level change of a node: 1 for those that take it over, −1 for those that undo it.

    There are none where the change would be heard elsewhere.
    """
    gains = [n for n, data in G.nodes(data=True) if data["node_type"] in roles.gains and n not in removed]
    chain = chain_of(G, node)
    own = next((gain for gain in gains if gain in chain), None)  # in the order of the graph
    if own is not None:
        return {own: 1}
    return gains_before(G, node, gains)


def gains_before(G: GRAFX, node: int, gains: Collection[int]) -> dict[int, int]:
    """Find the nearest gains that together scale all that a node gets, and nothing else that is heard.

    Whatever is not a gain passes a factor on: so its inputs and its output are scaled alike, or not at all. What must
    be scaled like the input of the node is collected; it must not reach an input or an output of the graph, what drives
    a sidechain, or what follows the node.
    """
    scaled, waiting = set(), [(node, "in")]
    while waiting:
        end = waiting.pop()
        if end in scaled:
            continue
        scaled.add(end)
        n, side = end
        node_type = G.nodes[n]["node_type"]
        if node_type in _ENDS or (side == "out" and (n == node or not main_sources(G, n))):
            return {}
        if n not in gains and n != node:
            waiting.append((n, "out" if side == "in" else "in"))
        if side == "in":
            waiting += [(source, "out") for source, _ in main_sources(G, n)]
            continue
        for _, dest, cable in G.out_edges(n, data=True):
            if cable["inlet"] != first_plug(G.config, G.nodes[dest]["node_type"], "inlet"):
                return {}
            waiting.append((dest, "in"))
    signs = {gain: ((gain, "out") in scaled) - ((gain, "in") in scaled) for gain in gains}
    return {gain: sign for gain, sign in signs.items() if sign}


def chain_of(G: GRAFX, node: int) -> list[int]:
    """The processors on the way through a node, in signal order, from where signals meet or part to where they do."""
    chain = [node]
    while (before := _only_source(G, chain[0])) is not None:
        chain.insert(0, before)
    while (after := _only_dest(G, chain[-1])) is not None:
        chain.append(after)
    return chain


def _only_source(G: GRAFX, node: int) -> int | None:
    sources = main_sources(G, node)
    if len(sources) != 1 or G.nodes[sources[0][0]]["node_type"] in BUILT_IN_TYPES or G.out_degree(sources[0][0]) != 1:
        return None
    return sources[0][0]


def _only_dest(G: GRAFX, node: int) -> int | None:
    if G.out_degree(node) != 1:
        return None
    ((_, dest),) = G.out_edges(node)
    alone = G.nodes[dest]["node_type"] not in BUILT_IN_TYPES and main_sources(G, dest) == [(node, _plug(G, node, dest))]
    return dest if alone else None


def _plug(G: GRAFX, source: int, dest: int) -> str:
    ((_, cable),) = G[source][dest].items()
    return cable["outlet"]
