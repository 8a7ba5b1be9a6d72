"""Responses of a node to test signals."""

from dataclasses import replace

import torch
from torch import Tensor

from ..heard import Heard, Outlets, rows_played

IMPULSE = 2**16  # samples of a response
BURST, BEFORE, LENGTH = 1024, 4096, 16384  # samples of noise, of silence before it, and of all
SHIFT = 1000
TOLERANCE = 1e-3


def answer(heard: Heard, node_id: int, signal: Tensor, wet: bool = False) -> Outlets:
    """What comes out of a node for a signal ``(C, L)`` at its first inlet and silence at the others.

    Args:
        heard: The graph.
        node_id: A processor.
        signal: ``(C, L)``.
        wet: Whether its dry/wet weight counts as 1.
    """
    return tuple(outlet[0] for outlet in answers(heard, node_id, signal[None], wet))


def answers(heard: Heard, node_id: int, signals: Tensor, wet: bool = False) -> Outlets:
    """As :func:`answer`, for several signals ``(B, C, L)``, of which each row is for itself."""
    names = heard.G.config[heard.G.nodes[node_id]["node_type"]]["inlets"]
    if wet and node_id in heard.weights:
        heard = replace(heard, weights={**heard.weights, node_id: 1.0})
    inputs = {name: signals if place == 0 else torch.zeros_like(signals) for place, name in enumerate(names)}
    return rows_played(heard, node_id, inputs)


def num_channels(heard: Heard, node_id: int) -> int:
    """How many channels a node gets; 0 for a generator."""
    return next((signal.shape[0] for signal in heard.inputs[node_id].values()), 0)


def is_linear(heard: Heard, node_id: int, level: float = 1.0) -> bool:
    """Whether a node is linear and time-invariant, as far as some noise and its sums and shifts tell."""
    channels = num_channels(heard, node_id)
    if not channels:
        return False
    generator = torch.Generator().manual_seed(0)
    one, two = level * torch.rand(2, channels, BURST, generator=generator, dtype=heard.sources.dtype) - level / 2

    def at(burst: Tensor, shift: int = 0) -> Tensor:
        return torch.nn.functional.pad(burst, (BEFORE + shift, LENGTH - BEFORE - shift - BURST))

    signals = torch.stack([at(one), at(two), at(0.25 * one + two), at(one, SHIFT)])
    rows = torch.cat(answers(heard, node_id, signals), 1)
    first, second, both, later = rows.unbind(0)
    allowed = TOLERANCE * max(first.abs().max().item(), second.abs().max().item()) + 1e-9
    if (both - (0.25 * first + second)).abs().max() > allowed:
        return False
    return bool((later[:, SHIFT:] - first[:, :-SHIFT]).abs().max() <= allowed)
