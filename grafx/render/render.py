"""Rendering: one batched call per step."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ..errors import RenderError
from ..utils import map_tensors
from .check import check_inputs
from .gather import Segments, cut, gather
from .plan import RenderData, Step
from .signals import Signals

Intermediates = dict[str, Any]


def render_grafx(
    processors: Mapping[str, Any],
    input_signals: Tensor,
    per_type_parameters: Mapping[str, Any],
    render_data: RenderData,
    common_parameters: Mapping[str, Tensor] | None = None,
    parameters_grad: bool = True,
    input_signal_grad: bool = False,
) -> tuple[Tensor, list[Intermediates], Signals]:
    """Compute what a graph sounds like.

    Args:
        processors: Node type to processor, for every type but ``in``, ``out`` and ``mix``.
        input_signals: ``(K, C, L)`` or ``(B, K, C, L)``, for the K ``in`` nodes in id order. With a batch of B sources
            the parameters are shared by all of them.
        per_type_parameters: Node type to a (nested) dict of raw parameters whose first axis runs over that type's nodes
            in id order.
        render_data: What :func:`prepare_render` returned.
        common_parameters: Name to a tensor over all V nodes, handed to every processor in addition: a dry/wet weight
            for each node, say.
        parameters_grad: Whether gradients flow to the parameters.
        input_signal_grad: Whether gradients flow to the input signals.

    Returns:
        ``(output, intermediates_list, signals)``. ``output`` has a row for each ``out`` node: ``(N, C, L)`` or
        ``(B, N, C, L)``. ``intermediates_list`` has the dict of intermediates of each step that made one, in order.
        ``signals`` has every node's output by id; they are computed when first asked for, and cost nothing before.

    Raises:
        RenderError: A processor or parameter is missing or has another shape than its processor expects, the number,
            rank or type of the input signals is not what the graph needs, or a processor returns something else than
            one signal for each outlet. The message names the nodes.
    """
    check_inputs(processors, input_signals, per_type_parameters, common_parameters, render_data)
    if not input_signal_grad:
        input_signals = input_signals.detach()
    if not parameters_grad:
        per_type_parameters = map_tensors(per_type_parameters, Tensor.detach)
        common_parameters = map_tensors(common_parameters or {}, Tensor.detach)

    def run() -> Iterator[tuple[int, Step, tuple[Tensor, ...], Intermediates | None]]:
        return _run_steps(processors, input_signals, per_type_parameters, common_parameters or {}, render_data)

    signals = Signals(run, render_data, input_signals, [per_type_parameters, common_parameters or {}])
    intermediates_list = []
    for _, _, outlets, intermediates in run():  # noqa: B007
        if intermediates is not None:
            intermediates_list.append(intermediates)
    return _sources_first(outlets[0], input_signals.ndim), intermediates_list, signals


def _run_steps(
    processors: Mapping[str, Any],
    input_signals: Tensor,
    per_type_parameters: Mapping[str, Any],
    common_parameters: Mapping[str, Tensor],
    render_data: RenderData,
) -> Iterator[tuple[int, Step, tuple[Tensor, ...], Intermediates | None]]:
    # Nodes come first inside, so that a run of nodes is a view whether or not there is a batch of sources.
    nodes_first = input_signals.transpose(0, 1) if input_signals.ndim == 4 else input_signals
    segments: Segments = {}
    for index, step in enumerate(render_data.iter_list):
        intermediates = None
        if step.node_type == "in":
            outlets = (nodes_first,)
        else:
            inlets = []
            for inlet in range(len(step.inlets)):
                silence = inlets[0][:1].new_zeros(inlets[0][:1].shape) if inlets else None
                inlets.append(gather(step, inlet, segments, silence))
            if step.node_type in ("mix", "out"):
                outlets = (inlets[0],)
            else:
                parameters = _rows_of_step(step, per_type_parameters, common_parameters)
                outlets, intermediates = _call(processors[step.node_type], step, inlets, parameters, nodes_first)
        cut(index, step, outlets, segments)
        yield index, step, outlets, intermediates
        for freed in step.frees:
            for outlet in range(len(render_data.iter_list[freed].segments)):
                del segments[freed, outlet]
        del outlets


def _rows_of_step(step: Step, per_type_parameters: Mapping[str, Any], common: Mapping[str, Tensor]) -> dict[str, Any]:
    own = map_tensors(per_type_parameters.get(step.node_type, {}), lambda p: p[slice(*step.rows)])
    return {**map_tensors(common, lambda p: p[slice(*step.nodes)]), **own}


def _call(
    processor: Any, step: Step, inlets: list[Tensor], parameters: dict[str, Any], like: Tensor
) -> tuple[tuple[Tensor, ...], Intermediates | None]:
    """Call a processor with nodes and sources in one batch axis."""
    sources = like.shape[1:-2]
    shape = (step.num_nodes, *sources)
    if sources:
        inlets = [signal.expand(*shape, *signal.shape[-2:]).flatten(0, 1) for signal in inlets]
        parameters = map_tensors(parameters, lambda p: p.unsqueeze(1).expand(*shape, *p.shape[1:]).flatten(0, 1))
    num_samples = {} if inlets else {"num_samples": like.shape[-1]}
    try:
        result = processor(*inlets, **num_samples, **parameters)
    except Exception as error:
        error.add_note(f"In node {step.node_names} of type '{step.node_type}'.")
        raise
    outlets, intermediates = _split_result(step, result, math.prod(shape), like.shape[-1])
    if sources:
        outlets = tuple(signal.unflatten(0, shape) for signal in outlets)
        if intermediates is not None:
            intermediates = map_tensors(intermediates, lambda t: _unflatten_rows(t, shape))
    return outlets, intermediates


def _split_result(
    step: Step, result: Any, num_rows: int, num_samples: int
) -> tuple[tuple[Tensor, ...], Intermediates | None]:
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
    for part in parts:
        if (part.shape[0], part.shape[2]) != (num_rows, num_samples):
            raise RenderError(
                f"The processor of type '{step.node_type}' (node {step.node_names}) returned {part.shape[0]} rows of"
                f" {part.shape[2]} samples for a batch of {num_rows} rows of {num_samples} samples."
            )
    return tuple(parts), intermediates


def _unflatten_rows(value: Tensor, shape: tuple[int, int]) -> Tensor:
    """Give values that there is one of for each node and source the axes (sources, nodes)."""
    if value.ndim == 0 or value.shape[0] != shape[0] * shape[1]:
        return value
    return value.unflatten(0, shape).transpose(0, 1)


def _sources_first(signal: Tensor, ndim: int) -> Tensor:
    return signal.transpose(0, 1) if ndim == 4 else signal
