"""Pans of what is summed in place of an imager on the sum."""

from collections.abc import Callable, Mapping
from typing import cast

import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...processors import SideGainImager
from ...render import Signals
from .bypass import SMALLEST_GAIN, Roles, amplify, bypass, chain_of, gains_before
from .mixer import WEIGHT
from .weighted import amplitude, inner


def sources(G: GRAFX, processors: Mapping[str, nn.Module]) -> dict[int, list[int]]:
    """Find the imagers on sums, and the gains of what is summed.

    A pan changes the side of one source as an imager does that of all: gains are there anyway, so they are preferred.

    Args:
        G: A graph.
        processors: Node type to processor.

    Returns:
        Node id of each imager to those of the nearest gains through which all comes that it gets.
    """
    roles, found = Roles(G, processors), {}
    imagers = {t for t, processor in processors.items() if isinstance(inner(processor), SideGainImager)}
    gains = [node for node, data in sorted(G.nodes(data=True)) if data["node_type"] in roles.gains]
    for node, data in sorted(G.nodes(data=True)):
        if data["node_type"] in imagers:
            chain = chain_of(G, node)
            signs = gains_before(G, node, [gain for gain in gains if gain not in chain])
            if signs and min(signs.values()) > 0:
                found[node] = list(signs)
    return found


@torch.no_grad()
def panned(G: GRAFX, imager: int, gains: list[int], signals: Signals, processors: Mapping[str, nn.Module]) -> GRAFX:
    r"""Copy a graph without an imager on a sum, and with gains that do to each channel of a source what it did.

    .. math:: c_l = \frac{\lVert m + a s \rVert}{\lVert m + s \rVert}, \quad
        c_r = \frac{\lVert m - a s \rVert}{\lVert m - s \rVert}

    for mid m and side s after a gain, and the gain a of the side. For a mono source that is panned it is exact.

    Args:
        G: A graph whose nodes hold their parameters and dry/wet weights.
        imager: Its id.
        gains: The result of :func:`sources` for it.
        signals: What nodes put out, ``(2, L)``, by id.
        processors: Node type to processor.

    Returns:
        The smaller graph; ids of the other nodes stay.
    """
    smaller, roles, data = G.copy(), Roles(G, processors), G.nodes[imager]
    processor = processors[data["node_type"]]
    side_gain = float(amplitude(processor, data["parameters"]["log_gain"], float(data.get(WEIGHT, 1.0))))
    for gain in gains:
        channels = cast(Tensor, signals[gain])
        shift = (side_gain - 1) / 2 * (channels[0] - channels[1])
        before, after = (x.square().mean(-1) for x in (channels, channels + torch.stack([shift, -shift])))
        factor = torch.where(before > 0, after / before, torch.ones_like(before)).sqrt().clamp(min=SMALLEST_GAIN)
        node = smaller.nodes[gain]
        amplify(node, factor.cpu(), node["node_type"] in roles.sends)
    bypass(smaller, imager)
    return smaller


def pan(
    G: GRAFX,
    processors: Mapping[str, nn.Module],
    signals: Callable[[], Signals],
    evaluate: Callable[[GRAFX], float],
    bound: float,
) -> GRAFX:
    """Let pans take the place of imagers on sums as long as the loss stays within a bound.

    Args:
        G: A graph whose nodes hold their parameters and dry/wet weights.
        processors: Node type to processor.
        signals: Renders what its nodes put out.
        evaluate: Computes the loss of a graph.
        bound: Largest accepted loss.
    """
    tried = sources(G, processors)
    if not tried:
        return G
    heard = signals()
    for imager, gains in tried.items():
        trial = panned(G, imager, gains, heard, processors)
        if evaluate(trial) <= bound:
            G = trial
    return G
