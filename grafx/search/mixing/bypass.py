"""Removal of processors from a graph at constant level.

A processor should be kept for its sound, not for its effect on the mean level, which any gain could have.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from ...data import GRAFX
from ...data.refusals import bypass_problem
from .mixer import WEIGHT, Mixer

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
        Node id to ``(2,)``; 1 where the input is silent.
    """
    signals = mixer.signals(stems)
    changes = {}
    for node in mixer.processor_ids:
        sources = [signals[source] for source, _ in mixer.G.in_edges(node)]  # one twice, where two cables leave it
        before = sum(sources, torch.zeros_like(signals[node])).square().mean(-1)
        after = signals[node].square().mean(-1)
        changes[node] = torch.where(before > 0, after / before, torch.ones_like(before)).sqrt().cpu()
    return changes


def without(G: GRAFX, removed: Collection[int], changes: Mapping[int, Tensor]) -> GRAFX:
    """Copy a graph with some processors bypassed, and compensate the level by gains.

    The gain in the same chain takes over the level change of a removed processor; without one, the gains of the chains
    that feed it do.

    Args:
        G: A graph of console processors, whose nodes hold their parameters and dry/wet weights.
        removed: Node ids.
        changes: The result of :func:`level_changes`.

    Returns:
        The smaller graph; ids of the other nodes stay.
    """
    factors: dict[int, Tensor] = {}
    for node in removed:
        for gain in _gains_in_charge(G, G.nodes[node]["owner"], removed) or ():
            factors[gain] = factors.get(gain, 1.0) * changes[node]
    smaller = G.copy()
    for gain, factor in factors.items():
        data = smaller.nodes[gain]
        audible = 1 + data[WEIGHT] * torch.expm1(data["parameters"]["log_gain"])
        data["parameters"] = {"log_gain": (1 + (factor * audible - 1) / WET).clamp(min=SMALLEST_GAIN).log()}
        data.pop("settings", None)  # they describe the removed state
        data[WEIGHT] = WET
    for node in removed:
        if bypass_problem(smaller, node):  # beside a cable from where it is fed to what it feeds, a sum keeps its place
            smaller.replace(node, "mix")
            for attribute in (WEIGHT, "owner"):
                smaller.nodes[node].pop(attribute, None)
        else:
            smaller.bypass(node)
    return smaller


def _gains_in_charge(G: GRAFX, owner: str, removed: Collection[int]) -> list[int] | None:
    """Find the gains that the whole signal of a chain passes through, or ``None`` if a part of it has no gain."""
    for node, data in G.nodes(data=True):
        if data["node_type"] == "gain" and data["owner"] == owner and node not in removed:
            return [node]
    feeders = [_owner(G, source) for source in _bus_inputs(G, owner)]
    gains = [_gains_in_charge(G, feeder, removed) for feeder in feeders]
    return None if not gains or None in gains else [gain for group in gains for gain in group]


def _bus_inputs(G: GRAFX, owner: str) -> list[int]:
    buses = [node for node, data in G.nodes(data=True) if data["node_type"] == "mix" and data["name"] == owner]
    return [source for bus in buses for source in G.predecessors(bus)]


def _owner(G: GRAFX, node: int) -> str:
    data = G.nodes[node]
    return data["name"] if data["node_type"] in ("in", "mix") else data["owner"]
