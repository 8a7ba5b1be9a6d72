"""Reading the inputs of a step straight from the outputs of earlier ones."""

from functools import reduce
from operator import add

import torch
from torch import Tensor

from ..errors import RenderError
from .plan import Part, Step

Segments = dict[tuple[int, int], tuple[Tensor, ...]]
"""``(step, outlet)`` to the segments of its signal, each ``(nodes, …, channels, samples)``."""


def cut(index: int, step: Step, outlets: tuple[Tensor, ...], segments: Segments) -> None:
    """File the outlets of a step under ``segments``, cut for their readers."""
    for outlet, (signal, lengths) in enumerate(zip(outlets, step.segments, strict=True)):
        segments[index, outlet] = (signal,) if len(lengths) <= 1 else signal.split(lengths)


def gather(step: Step, inlet: int, segments: Segments, silence: Tensor | None) -> Tensor:
    """The signal at an inlet: ``(nodes, …, channels, samples)``.

    What is one segment is passed on without a copy. Mono meets stereo by broadcasting.

    Args:
        step: The step that reads.
        inlet: Which inlet.
        segments: Outputs of earlier steps.
        silence: One silent row, for nodes with nothing connected to a further inlet.

    Raises:
        RenderError: Signals that meet have channel counts that do not broadcast.
    """
    rows = []
    for part in step.inlets[inlet]:
        reads = [segments[read.step, read.outlet][read.segment] for read in part.reads]
        rows += [_sum(step, inlet, part, reads, silence)] if part.summed else reads
    return rows[0] if len(rows) == 1 else torch.cat(_same_channels(step, inlet, rows))


def _sum(step: Step, inlet: int, part: Part, reads: list[Tensor], silence: Tensor | None) -> Tensor:
    if not part.reads:
        return silence
    sums = [read if read.shape[0] == 1 else read.sum(0, keepdim=True) for read in reads]
    return reduce(add, _same_channels(step, inlet, sums))


def _same_channels(step: Step, inlet: int, signals: list[Tensor]) -> list[Tensor]:
    counts = {signal.shape[-2] for signal in signals}
    if len(counts) == 1:
        return signals
    channels = max(counts)
    if counts != {1, channels}:
        raise RenderError(
            f"Signals of {sorted(counts)} channels meet at inlet {inlet} of node {step.node_names} of type"
            f" '{step.node_type}': only mono broadcasts to other channel counts."
        )
    return [signal.expand(*signal.shape[:-2], channels, signal.shape[-1]) for signal in signals]
