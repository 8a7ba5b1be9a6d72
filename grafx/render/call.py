"""Calls of processors: one per step, or one per channel count if the nodes of a step differ in it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import RenderError
from ..trees import map_tensors
from .gather import Rows, join, one_by_one
from .plan import RenderStep

Intermediates = dict[str, Any]
Result = tuple[list[Tensor], Intermediates | None]
"""A signal ``(nodes, …, channels, samples)`` for each outlet, and the intermediates, if any."""


def call(
    processor: Any, step: RenderStep, inlets: list[Rows], parameters: Mapping[str, Any], like: Tensor
) -> tuple[tuple[Rows, ...], Intermediates | None]:
    """Compute the outlets of a step, and its intermediates, if any.

    Args:
        processor: The processor of all nodes of the step.
        step: The step.
        inlets: Signals of all nodes for each inlet.
        parameters: Nested tensors ``(nodes, …)``, or ``(nodes, sources, …)`` where the signals have sources.
        like: The input signals ``(nodes, …, channels, samples)``.

    Raises:
        RenderError: The processor does not return one signal for each outlet.
    """
    if all(len(rows) == 1 for rows in inlets):
        outlets, intermediates = _call(processor, step, [rows[0] for rows in inlets], parameters, like)
        return tuple((outlet,) for outlet in outlets), intermediates
    # The result of a node must not depend on the channel counts of other nodes in the step.
    nodes = list(zip(*[one_by_one(rows) for rows in inlets], strict=True))
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, signals in enumerate(nodes):
        groups.setdefault(tuple(signal.shape[-2] for signal in signals), []).append(row)
    results = [
        _call(
            processor,
            step,
            [torch.cat(inlet) for inlet in zip(*[nodes[row] for row in rows], strict=True)],
            map_tensors(parameters, lambda p, rows=rows: p[rows]),
            like,
        )
        for rows in groups.values()
    ]
    return _reunite(list(groups.values()), results, like.shape[1:-2])


def _call(
    processor: Any, step: RenderStep, inlets: list[Tensor], parameters: Mapping[str, Any], like: Tensor
) -> Result:
    """Call a processor with nodes and sources in one batch axis."""
    sources, num_samples = like.shape[1:-2], like.shape[-1]
    shape = (inlets[0].shape[0] if inlets else step.num_nodes, *sources)
    if sources:
        inlets = [signal.expand(*shape, *signal.shape[-2:]).flatten(0, 1) for signal in inlets]
        parameters = map_tensors(parameters, lambda p: p.flatten(0, 1))
    try:
        if inlets:
            outlets, intermediates = _split_result(step, processor(*inlets, **parameters))
        elif parameters:
            outlets, intermediates = _split_result(step, processor(num_samples=num_samples, **parameters))
        else:
            # Such a generator cannot infer the number of rows, so each is a call.
            calls = [_split_result(step, processor(num_samples=num_samples)) for _ in range(math.prod(shape))]
            outlets = [torch.cat(rows) for rows in zip(*[rows for rows, _ in calls], strict=True)]
            intermediates = _reunite_intermediates([[i] for i in range(len(calls))], [found for _, found in calls], ())
    except RenderError:
        raise
    except Exception as error:
        error.add_note(f"In node {step.node_names} of type '{step.node_type}'.")
        raise
    for outlet in outlets:
        if (outlet.shape[0], outlet.shape[2]) != (math.prod(shape), num_samples):
            raise RenderError(
                f"The processor of type '{step.node_type}' (node {step.node_names}) returned {outlet.shape[0]} rows of"
                f" {outlet.shape[2]} samples for a batch of {math.prod(shape)} rows of {num_samples} samples."
            )
    if sources:
        outlets = [outlet.unflatten(0, shape) for outlet in outlets]
        if intermediates is not None:
            intermediates = map_tensors(intermediates, lambda t: _sources_first(t, shape))
    return outlets, intermediates


def _split_result(step: RenderStep, result: Any) -> Result:
    if isinstance(result, Tensor) and result.ndim == 3 and len(step.segments) == 1:
        return [result], None
    parts = list(result) if isinstance(result, (tuple, list)) else [result]
    intermediates = parts.pop() if parts and isinstance(parts[-1], dict) else None
    if len(parts) == 1 and isinstance(parts[0], (tuple, list)):
        parts = list(parts[0])
    expected = len(step.segments)
    if len(parts) != expected or not all(isinstance(p, Tensor) and p.ndim == 3 for p in parts):
        shown = [tuple(p.shape) if isinstance(p, Tensor) else type(p).__name__ for p in parts]
        raise RenderError(
            f"The processor of type '{step.node_type}' (node {step.node_names}) should return {expected} signal(s) of"
            f" shape (nodes, channels, samples), one for each outlet, but returned {shown}."
        )
    return parts, intermediates


def _sources_first(value: Tensor, shape: tuple[int, int]) -> Tensor:
    """Reorder the axes of values for each node and source to (sources, nodes)."""
    if value.ndim == 0 or value.shape[0] != shape[0] * shape[1]:
        return value
    return value.unflatten(0, shape).transpose(0, 1)


def _reunite(
    groups: list[list[int]], results: list[Result], sources: tuple[int, ...]
) -> tuple[tuple[Rows, ...], Intermediates | None]:
    """Merge the results of calls with some rows each, in the order of rows."""
    outlets = []
    for signals in zip(*[signals for signals, _ in results], strict=True):
        rows = {
            row: signal
            for group, tensor in zip(groups, signals, strict=True)
            for row, signal in zip(group, tensor.split(1), strict=True)
        }
        outlets.append(join(rows[row] for row in sorted(rows)))
    return tuple(outlets), _reunite_intermediates(groups, [found for _, found in results], sources)


def _reunite_intermediates(groups: list[list[int]], found: Sequence[Any], sources: tuple[int, ...]) -> Any:
    """Merge intermediates: rows in the order of nodes, the sum of scalars, and a tuple of anything else."""
    if any(value is None for value in found):
        return None
    if all(isinstance(value, dict) for value in found):
        return {name: _reunite_intermediates(groups, [tree[name] for tree in found], sources) for name in found[0]}
    if all(isinstance(value, Tensor) for value in found):
        axis = len(sources)
        if all(value.ndim == 0 for value in found):
            return sum(found)
        if all(
            value.shape[: axis + 1] == (*sources, len(rows)) and value.shape[axis + 1 :] == found[0].shape[axis + 1 :]
            for rows, value in zip(groups, found, strict=True)
        ):
            order = torch.tensor([row for rows in groups for row in rows], device=found[0].device).argsort()
            return torch.cat(list(found), axis).index_select(axis, order)
    return tuple(found)
