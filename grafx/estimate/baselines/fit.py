"""Settings that are fitted from an estimate: a descent along gradients through the render."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...errors import AudioError
from ...render import Renderer
from ...search import MatchLoss
from ..rendering import mixed_output, on_both_channels

ID = "id_of_fit"


@dataclass(frozen=True)
class Fit:
    """A fitted graph.

    Attributes:
        G: The graph that was given, with the parameters and settings that were found on its nodes.
        loss: The distance of its sound.
        losses: That of each step, the first that of the estimate.
    """

    G: GRAFX
    loss: float
    losses: list[float]


def fit_from(
    G: GRAFX,
    dry: Tensor,
    output: Tensor,
    sample_rate: int,
    processors: Mapping[str, nn.Module],
    steps: int = 200,
    learning_rate: float = 0.03,
    show: Callable[[int, float], None] = lambda _step, _loss: None,
) -> Fit:
    """Fit the settings of a graph until it sounds like an output, beginning at those that it has.

    Args:
        G: The graph, such as an :class:`.Estimate` has, at its level.
        dry: What goes in, ``(K, C, L)`` or, for one source, ``(C, L)``.
        output: What should come out, ``(C, L)``.
        sample_rate: In Hz.
        processors: Node type to processor.
        steps: Of Adam.
        learning_rate: Of raw parameters.
        show: Called with each step and its loss.

    Returns:
        The best of all steps, never worse than the beginning, by :class:`.MatchLoss`.

    Raises:
        AudioError: Dry sound and output have other lengths, or are too short to be compared.
        RenderError: The graph cannot be rendered with this dry sound.
    """
    dry = dry if dry.ndim == 3 else dry[None]
    if dry.shape[-1] != output.shape[-1]:
        raise AudioError(
            f"The dry sound has {dry.shape[-1]} samples and the output {output.shape[-1]}: cut them to the same length."
        )
    renderer, measure = Renderer(_with_ids(G), processors), MatchLoss(sample_rate)
    target = measure.reference(on_both_channels(output.float()))
    parameters = list(renderer.parameters())
    if not parameters:
        loss = float(measure(on_both_channels(mixed_output(renderer(dry.float()))), target))
        return Fit(_as_given(renderer.graph(), G), loss, [loss])
    optimizer = torch.optim.Adam(parameters, learning_rate)
    best, kept, losses = float("inf"), [p.detach().clone() for p in parameters], []
    for step in range(steps + 1):
        loss = measure(on_both_channels(mixed_output(renderer(dry.float()))), target)
        losses.append(loss.item())
        show(step, losses[-1])
        if losses[-1] < best:
            best, kept = losses[-1], [p.detach().clone() for p in parameters]
        if step == steps or not loss.isfinite():
            break
        optimizer.zero_grad()
        loss.backward()
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
        optimizer.step()
    with torch.no_grad():
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.copy_(value)
    return Fit(_as_given(renderer.graph(), G), best, losses)


def _with_ids(G: GRAFX) -> GRAFX:
    copied = G.copy()
    for node, data in copied.nodes(data=True):
        data[ID] = node
    return copied


def _as_given(fitted: GRAFX, G: GRAFX) -> GRAFX:
    """What was fitted, by the ids of the graph that was given, which rendering has numbered along its schedule."""
    found = G.copy()
    for _, data in fitted.nodes(data=True):
        own = found.nodes[data[ID]]
        own.update({name: data[name] for name in ("parameters", "settings") if name in data})
    return found
