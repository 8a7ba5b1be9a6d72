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


@dataclass(frozen=True)
class Fit:
    """A fitted graph.

    Attributes:
        G: The graph, with raw parameters and settings on its nodes.
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
    renderer, measure = Renderer(G, processors), MatchLoss(sample_rate)
    target = measure.reference(on_both_channels(output.float()))
    parameters = list(renderer.parameters())
    if not parameters:
        loss = float(measure(on_both_channels(mixed_output(renderer(dry.float()))), target))
        return Fit(renderer.graph(), loss, [loss])
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
    return Fit(renderer.graph(), best, losses)
