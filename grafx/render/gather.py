"""Inputs of a step, read directly from the outputs of earlier steps."""

from collections.abc import Iterable
from functools import reduce
from operator import add

import torch
from torch import Tensor

from ..errors import RenderError
from .plan import RenderStep

Rows = tuple[Tensor, ...]
"""Signals of consecutive nodes as ``(nodes, …, channels, samples)``: one tensor for each change of channel count."""

Segments = dict[tuple[int, int], tuple[Rows, ...]]
"""``(step, outlet)`` to the segments of its signals."""


def cut(rows: Rows, lengths: tuple[int, ...]) -> tuple[Rows, ...]:
    """Split rows into segments."""
    if len(lengths) <= 1:
        return (rows,)
    if len(rows) == 1:
        return tuple((segment,) for segment in rows[0].split(lengths))
    single = iter(one_by_one(rows))
    return tuple(join([next(single) for _ in range(length)]) for length in lengths)


def one_by_one(rows: Rows) -> list[Tensor]:
    """Convert each row to a tensor of its own."""
    return [row for tensor in rows for row in tensor.split(1)]


def join(tensors: Iterable[Tensor]) -> Rows:
    """Concatenate neighbours of equal channel count."""
    groups: list[list[Tensor]] = []
    for tensor in tensors:
        if groups and groups[-1][0].shape[-2] == tensor.shape[-2]:
            groups[-1].append(tensor)
        else:
            groups.append([tensor])
    return tuple([group[0] if len(group) == 1 else torch.cat(group) for group in groups])


def gather(step: RenderStep, inlet: int, segments: Segments, first: Rows, aggregation: str) -> Rows:
    """The signals at an inlet. What is one segment is passed on without a copy.

    Args:
        step: The step that reads.
        inlet: Index of the inlet.
        segments: Outputs of earlier steps.
        first: For a further inlet, the signals at the first: an unconnected node reads silence with as many
            channels.
        aggregation: ``"native"`` or ``"scatter"``.

    Raises:
        RenderError: Signals at one inlet have channel counts that do not broadcast.
    """
    parts = step.inlets[inlet]
    if len(parts) == 1 and len(parts[0].reads) == 1 and not parts[0].summed:
        read = parts[0].reads[0]
        return segments[read.step, read.outlet][read.segment]
    reads = [
        [tensor for read in part.reads for tensor in segments[read.step, read.outlet][read.segment]] for part in parts
    ]
    channels = {tensor.shape[-2] for tensors in reads for tensor in tensors}
    if aggregation == "scatter" and len(channels) == 1 and any(part.summed and part.reads for part in parts):
        return (_scatter([part.summed for part in parts], reads),)
    silence = [] if all(reads) else [torch.zeros_like(row) for row in one_by_one(first)]
    found: list[Tensor] = []
    node = step.nodes[0]
    for part, tensors in zip(parts, reads, strict=True):
        if not tensors:
            tensors = [silence[node - step.nodes[0]]]
        elif part.summed:
            place = f"the inlet '{step.inlet_names[inlet]}' of node {node} of type '{step.node_type}'"
            tensors = [_sum(same_channels(tensors, place))]
        found += tensors
        node += sum(tensor.shape[0] for tensor in tensors)
    return join(found)


def _sum(signals: list[Tensor]) -> Tensor:
    return reduce(add, [signal if signal.shape[0] == 1 else signal.sum(0, keepdim=True) for signal in signals])


def _scatter(summed: list[bool], reads: list[list[Tensor]]) -> Tensor:
    """All rows of an inlet at once, by a library's kernel instead of native sums."""
    from torch_scatter import scatter  # pyright: ignore[reportMissingImports] – an extra that has to be compiled

    index, num_rows = [], 0
    for is_summed, tensors in zip(summed, reads, strict=True):
        count = sum(tensor.shape[0] for tensor in tensors)
        index += [num_rows] * count if is_summed else range(num_rows, num_rows + count)
        num_rows += 1 if is_summed else count
    rows = torch.cat([tensor for tensors in reads for tensor in tensors])
    return scatter(rows, torch.tensor(index, device=rows.device), dim=0, dim_size=num_rows, reduce="sum")


def same_channels(signals: list[Tensor], place: str) -> list[Tensor]:
    """Broadcast mono signals to the channels of the others.

    Raises:
        RenderError: Other channel counts differ. The message contains ``place``.
    """
    counts = {signal.shape[-2] for signal in signals}
    if len(counts) <= 1:
        return signals
    channels = max(counts)
    if counts != {1, channels}:
        raise RenderError(
            f"Signals of {sorted(counts)} channels meet at {place}: only mono broadcasts to other channel counts."
        )
    return [signal.expand(*signal.shape[:-2], channels, signal.shape[-1]) for signal in signals]
