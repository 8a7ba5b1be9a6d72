"""How stems take part in a mix: earlier or later than in their files, with the other polarity, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import networkx as nx
import torch
from torch import Tensor

from ...data import GRAFX
from ...data.cables import first_plug
from ...errors import GraphError, RenderError

DELAY, INVERTED = "delay_samples", "inverted"
"""Attributes of ``in`` nodes: by how many samples a stem is later than in its file, and whether it is inverted."""
LONGEST = 2**20  # samples of a delay: a second at 1 MHz


@dataclass(frozen=True)
class Placement:
    """How a stem takes part in a mix.

    Attributes:
        delay_samples: By how many samples it is heard later than in its file; earlier if negative.
        inverted: Whether its polarity is inverted.
        left_out: Whether the mix does not contain it.
    """

    delay_samples: int = 0
    inverted: bool = False
    left_out: bool = False


def placed(signal: Tensor, placement: Placement) -> Tensor:
    """Shift a signal ``(…, L)`` at constant length, and invert or silence it."""
    if placement.left_out:
        return torch.zeros_like(signal)
    delay = max(-signal.shape[-1], min(placement.delay_samples, signal.shape[-1]))
    kept = signal[..., max(0, -delay) : signal.shape[-1] - max(0, delay)]
    shifted = torch.nn.functional.pad(kept, (max(0, delay), max(0, -delay))) if delay else signal
    return -shifted if placement.inverted else shifted


def placed_stems(stems: Tensor, placements: Sequence[Placement]) -> Tensor:
    """Place ``(K, 2, L)`` stems; those that all are in place are returned as they are.

    Raises:
        RenderError: There are more or fewer stems than placements.
    """
    if all(placement == Placement() for placement in placements):
        return stems
    _check_stems(stems, len(placements))
    result = torch.empty_like(stems)  # filled one by one, as songs are long
    for row, stem, placement in zip(result, stems, placements, strict=True):
        row.copy_(placed(stem, placement))
    return result


def placed_graph(G: GRAFX, placements: Sequence[Placement]) -> GRAFX:
    """Copy a graph for stems as they are in their files, one for each ``in`` node in id order.

    The nodes keep delay and polarity as attributes. A stem that is left out is not connected, except as the key of
    other processors, and what has no other signal at its first inlet goes with it.
    """
    G = G.copy()
    inputs = _inputs(G)
    for node, placement in zip(inputs, placements, strict=True):
        data = G.nodes[node]
        for name, value in ((DELAY, placement.delay_samples), (INVERTED, placement.inverted)):
            data.pop(name, None)
            if value:
                data[name] = value
    silent = {node for node, placement in zip(inputs, placements, strict=True) if placement.left_out}
    if silent:
        _cut(G, silent)
    return G


def placements_of(G: GRAFX) -> list[Placement]:
    """Read the placements of :func:`placed_graph`, one for each ``in`` node in id order.

    Raises:
        GraphError: It is no graph, or the attributes are not a whole number and true or false.
    """
    if not isinstance(G, GRAFX):
        raise GraphError(f"A mix takes a GRAFX, not a {type(G).__name__}.")
    placements = []
    for node in _inputs(G):
        delay, inverted = G.nodes[node].get(DELAY, 0), G.nodes[node].get(INVERTED, False)
        if type(delay) is not int or abs(delay) > LONGEST:
            raise GraphError(
                f"Node {node} has the attribute '{DELAY}' {delay!r}, which should be a whole number of samples, from"
                f" {-LONGEST} to {LONGEST}."
            )
        if not isinstance(inverted, bool):
            raise GraphError(f"Node {node} has the attribute '{INVERTED}' {inverted!r}, which should be true or false.")
        placements.append(Placement(delay, inverted))
    return placements


class PlacementState(NamedTuple):
    """What is still to come of each stem, and how many samples before the beginning."""

    waiting: list[Tensor]
    before: int


class PlacementStream:
    """Places stems block by block; what is early waits for what is to come first.

    Attributes:
        latency_samples: How much later than placed all stems come.
        state: Whoever takes a block sets it to what comes with that.
    """

    def __init__(self, placements: Sequence[Placement]) -> None:
        self.latency_samples = max(0, *(-placement.delay_samples for placement in placements))
        self._signs = torch.tensor([-1.0 if placement.inverted else 1.0 for placement in placements])
        waiting = [torch.zeros(2, self.latency_samples + placement.delay_samples) for placement in placements]
        self.state = PlacementState(waiting, self.latency_samples)

    def __call__(self, stems: Tensor) -> tuple[Tensor, PlacementState]:
        """Take the next block of stems, ``(K, 2, L)``.

        Returns:
            A placed block, which is shorter by what comes before the beginning, and the state after it.
        """
        _check_stems(stems, len(self.state.waiting))
        length = stems.shape[-1]
        early = min(self.state.before, length)
        rows = [torch.cat([before.to(stem), stem], -1) for before, stem in zip(self.state.waiting, stems, strict=True)]
        block = self._signs.to(stems)[:, None, None] * torch.stack([row[:, early:length] for row in rows])
        return block, PlacementState([row[:, length:].clone() for row in rows], self.state.before - early)

    def rest(self, tail: bool) -> Tensor:
        """Return what still waits, placed: up to the end of the stems or, with the tail, all."""
        waiting = self.state.waiting
        length = max(row.shape[-1] for row in waiting) if tail else self.latency_samples
        return self(torch.zeros(len(waiting), 2, length).to(waiting[0]))[0]


def _check_stems(stems: Tensor, count: int) -> None:
    shape = tuple(stems.shape) if isinstance(stems, Tensor) else type(stems).__name__
    if not isinstance(stems, Tensor) or stems.ndim != 3 or len(stems) != count:
        raise RenderError(f"The graph mixes stems of shape ({count}, 2, samples), not {shape}.")


def _inputs(G: GRAFX) -> list[int]:
    return sorted(node for node, data in G.nodes(data=True) if data.get("node_type") == "in")


def _cut(G: GRAFX, silent: set[int]) -> None:
    """Take inputs, and what hears nothing without them, out of a graph in place."""
    dead = set(silent)
    cables = []
    for node in list(nx.topological_sort(G)):
        node_type = G.nodes[node]["node_type"]
        main = first_plug(G.config, node_type, "inlet")
        heard = [
            (source, key) for source, _, key, data in G.in_edges(node, keys=True, data=True) if data["inlet"] == main
        ]
        if heard and node_type != "out" and all(source in dead for source, _ in heard):
            dead.add(node)
        elif node not in silent:
            cables += [(source, node, key) for source, key in heard if source in silent]
    for source, node, key in cables:
        G.remove_edge(source, node, key)
    for node in dead - silent:
        G.remove(node)
    G.forget_schedule()
