"""One delay or reverb on a return in place of several alike in chains."""

from collections.abc import Callable, Collection, Mapping

import torch
import torch.nn as nn

from ... import processors as library
from ...data import GRAFX
from .bypass import Roles, amplify, bypass, chain_of, gains_in_charge, main_sources, returns_of
from .mixer import WEIGHT
from .weighted import inner

SHARED = tuple(getattr(library, name) for name in (*library.delay.__all__, *library.reverb.__all__))
SMALLEST_DRY = 0.05  # of a chain from which the return is to get something
SMALLEST_WEIGHT = 0.05  # through which it can get it


def replaceable(G: GRAFX, processors: Mapping[str, nn.Module]) -> dict[int, int]:
    """Find the delays and reverbs of chains that send to a return with one of the same class.

    They are to be tried before sends and returns are removed: a shared one is preferred.

    Args:
        G: A graph.
        processors: Node type to processor.

    Returns:
        Node id to that of the send which could replace it.
    """
    kinds = {node_type: type(inner(processor)) for node_type, processor in processors.items()}
    roles, found = Roles(G, processors), {}

    def kind(node: int) -> type | None:
        own = kinds.get(G.nodes[node]["node_type"])
        return own if own is not None and issubclass(own, SHARED) else None

    for bus in returns_of(G, roles):
        offered = {kind(node) for node in _chain_after(G, bus)} - {None}
        for send, _ in main_sources(G, bus):
            before = main_sources(G, send)
            for node in chain_of(G, before[0][0]) if len(before) == 1 else ():
                if kind(node) in offered:
                    found.setdefault(node, send)
    return found


@torch.no_grad()
def shared(G: GRAFX, own: Collection[int], processors: Mapping[str, nn.Module]) -> GRAFX:
    """Copy a graph with delays or reverbs of chains removed, and their sends raised by what these did.

    Args:
        G: A graph whose nodes hold their parameters and dry/wet weights.
        own: Ids out of :func:`replaceable`.
        processors: Node type to processor.

    Returns:
        The smaller graph; ids of the other nodes stay. The dry part keeps its level where a gain can take care of it.
    """
    smaller, roles, sends = G.copy(), Roles(G, processors), replaceable(G, processors)
    for node in own:
        data = smaller.nodes[sends[node]]
        weight = float(G.nodes[node].get(WEIGHT, 1.0))
        bus_weight = max(_weight_on_return(G, node, sends[node], processors), SMALLEST_WEIGHT)
        gains = gains_in_charge(smaller, node, [node], roles)
        # The return has a dry part, too: together it and the chain's should be what the processor left dry.
        dry = max(1 - weight / bus_weight, SMALLEST_DRY) if gains else 1.0
        for gain, sign in gains.items():
            amplify(smaller.nodes[gain], dry**sign, smaller.nodes[gain]["node_type"] in roles.sends)
        bypass(smaller, node)
        sent = weight / (dry * bus_weight * max(float(data.get(WEIGHT, 1.0)), SMALLEST_WEIGHT))
        data["parameters"] = {"log_gain": (data["parameters"]["log_gain"].exp() + sent).log()}
        data.pop("settings", None)
    return smaller


def share(G: GRAFX, processors: Mapping[str, nn.Module], evaluate: Callable[[GRAFX], float], bound: float) -> GRAFX:
    """Let returns take the place of delays and reverbs of chains as long as the loss stays within a bound.

    All are tried at once, those with the smallest weights first; a failed trial is repeated with half as many.

    Args:
        G: A graph whose nodes hold their parameters and dry/wet weights.
        processors: Node type to processor.
        evaluate: Computes the loss of a graph.
        bound: Largest accepted loss.
    """
    own = sorted(replaceable(G, processors), key=lambda node: (G.nodes[node].get(WEIGHT, 1.0), node))
    size = len(own)
    while size and own:
        trial = shared(G, own[:size], processors)
        if evaluate(trial) <= bound:
            G, own = trial, own[size:]
            size = min(size, len(own))
        else:
            size //= 2
    return G


def _chain_after(G: GRAFX, bus: int) -> list[int]:
    after = list(G.successors(bus))
    return chain_of(G, after[0]) if len(after) == 1 else []


def _weight_on_return(G: GRAFX, node: int, send: int, processors: Mapping[str, nn.Module]) -> float:
    """The dry/wet weight of what is of the class of a node on the return of a send."""
    (bus,) = G.successors(send)
    kind = type(inner(processors[G.nodes[node]["node_type"]]))
    alike = [n for n in _chain_after(G, bus) if type(inner(processors[G.nodes[n]["node_type"]])) is kind]
    return float(G.nodes[alike[0]].get(WEIGHT, 1.0))
