"""Rendering: one batched call per step."""

import importlib.util
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint as recomputed

from ..data.configs import BUILT_IN_TYPES
from ..errors import RenderError
from ..processors.core.autocast import autocast_of
from ..trees import map_tensors
from .call import Intermediates, call
from .check import Processors, check_inputs
from .gather import Rows, Segments, cut, gather, same_channels
from .parameters import nodes_first
from .plan import RenderData, RenderStep
from .signals import Signals


def render_grafx(
    processors: Processors,
    input_signals: Tensor,
    per_type_parameters: Mapping[str, Any],
    render_data: RenderData,
    common_parameters: Mapping[str, Tensor] | None = None,
    parameters_grad: bool = True,
    input_signal_grad: bool = False,
    checkpoint: bool = False,
    aggregation: Literal["native", "scatter"] = "native",
) -> tuple[Tensor, list[Intermediates], Signals | None]:
    """Render a graph.

    Args:
        processors: Node type to processor, for every type but ``in``, ``out`` and ``mix``.
        input_signals: ``(K, C, L)`` or ``(B, K, C, L)``, for the K ``in`` nodes in id order, where B is a batch of
            sources for the same graph, such as songs or excerpts of one.
        per_type_parameters: Node type to a (nested) dict of raw parameters whose first axis runs over that type's nodes
            in id order. With B sources each parameter is either shared by them, or has an axis of length B before that
            of the nodes.
        render_data: The result of :func:`prepare_render`.
        common_parameters: Name to a tensor over all V nodes, passed to every processor in addition, such as a dry/wet
            weight for each node. With B sources they may have an axis of length B before that of the nodes, too.
        parameters_grad: Whether gradients flow to the parameters.
        input_signal_grad: Whether gradients flow to the input signals.
        checkpoint: Keep only the outputs of nodes for the backward pass, and run each processor once more in it. This
            saves the memory inside processors, at the cost of one more forward pass.
        aggregation: Method to sum the signals at an inlet: ``"native"``, or ``"scatter"`` for the package
            ``torch_scatter``, which is slower in our benchmarks.

    Returns:
        ``(output, intermediates_list, signals)``. ``output`` has a row for each ``out`` node: ``(N, C, L)`` or
        ``(B, N, C, L)``. ``intermediates_list`` has the dict of intermediates of each step that made one, in order.
        ``signals`` has every node's output by id, computed on first access and without cost before.
        Inside ``torch.compile`` they are ``None``.

    Raises:
        RenderError: A processor or parameter is missing or has another shape than its processor expects, the number,
            rank or dtype of the input signals does not fit the graph, or a processor does not return one signal for
            each outlet. The message names the nodes.
    """
    if isinstance(input_signals, Tensor) and autocast_of(input_signals):
        # Processors compute in full precision; what autocast made for them need not have it.
        trees = input_signals, per_type_parameters, common_parameters
        input_signals, per_type_parameters, common_parameters = (map_tensors(tree, _single) for tree in trees)
    check_inputs(processors, input_signals, per_type_parameters, common_parameters, render_data)
    _check_aggregation(aggregation)
    if not input_signal_grad:
        input_signals = input_signals.detach()
    # Copies of the dicts, whose entries may be replaced before the signals are accessed.
    per_type_parameters, common_parameters = (
        map_tensors(tree, lambda p: p if parameters_grad else p.detach())
        for tree in (per_type_parameters, common_parameters or {})
    )

    if input_signals.ndim == 4:
        per_type_parameters, common_parameters = per_source(
            processors, input_signals, per_type_parameters, common_parameters, render_data
        )

    arguments = processors, input_signals, per_type_parameters, common_parameters, render_data
    run = partial(_run_steps, *arguments, checkpoint, aggregation)
    signals = None
    if not torch.compiler.is_compiling():
        used = [processors[node_type] for node_type in render_data.counts if node_type not in BUILT_IN_TYPES]
        signals = Signals(
            run, render_data, input_signals, [input_signals, per_type_parameters, common_parameters, *used]
        )
    intermediates_list = []
    for outlets, intermediates in run():  # noqa: B007
        if intermediates is not None:
            intermediates_list.append(intermediates)
    return output_of(outlets[0], input_signals.ndim), intermediates_list, signals


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _run_steps(
    processors: Processors,
    input_signals: Tensor,
    per_type_parameters: Mapping[str, Any],
    common_parameters: Mapping[str, Tensor],
    render_data: RenderData,
    checkpoint: bool,
    aggregation: str,
) -> Iterator[tuple[tuple[Rows, ...], Intermediates | None]]:
    """Compute the outlets of each step, and its intermediates, if any."""
    # Nodes come first, so that consecutive nodes are a view with or without a batch of sources.
    sources = input_signals.transpose(0, 1) if input_signals.ndim == 4 else input_signals
    segments: Segments = {}
    for index, step in enumerate(render_data.iter_list):
        read = {(r.step, r.outlet): segments[r.step, r.outlet] for inlet in step.inlets for p in inlet for r in p.reads}
        own = rows_of_step(step, per_type_parameters, common_parameters)
        compute = partial(compute_step, processors, step, read, own, sources, aggregation)
        recompute = checkpoint and step.node_type not in BUILT_IN_TYPES
        outlets, intermediates = recomputed(compute, use_reentrant=False) if recompute else compute()
        for outlet, (rows, lengths) in enumerate(zip(outlets, step.segments, strict=True)):
            segments[index, outlet] = cut(rows, lengths)
        yield outlets, intermediates
        for freed in step.frees:
            for outlet in range(len(render_data.iter_list[freed].segments)):
                del segments[freed, outlet]
        del outlets, read, compute


def compute_step(
    processors: Processors,
    step: RenderStep,
    segments: Segments,
    parameters: Mapping[str, Any],
    sources: Tensor,
    aggregation: str,
) -> tuple[tuple[Rows, ...], Intermediates | None]:
    """Compute the outlets of a step."""
    if step.node_type == "in":
        return ((sources,),), None
    inlets: list[Rows] = []
    for inlet in range(len(step.inlets)):
        inlets.append(gather(step, inlet, segments, inlets[0] if inlets else (), aggregation))
    if step.node_type in BUILT_IN_TYPES:
        return (inlets[0],), None
    return call(processors[step.node_type], step, inlets, parameters, sources)


def _check_aggregation(aggregation: str) -> None:
    if aggregation not in ("native", "scatter"):
        raise RenderError(f"aggregation must be 'native' or 'scatter', not {aggregation!r}.")
    if aggregation == "scatter" and importlib.util.find_spec("torch_scatter") is None:
        raise RenderError(
            "aggregation='scatter' needs the package torch_scatter, which is compiled against the installed torch:"
            " pip install torch_scatter --no-build-isolation."
        )


def per_source(
    processors: Processors,
    input_signals: Tensor,
    per_type_parameters: Mapping[str, Any],
    common_parameters: Mapping[str, Tensor],
    render_data: RenderData,
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Move the axis of sources of the parameters behind that of nodes."""
    num_sources = input_signals.shape[0]
    own = {
        node_type: nodes_first(
            per_type_parameters.get(node_type, {}), processors[node_type].parameter_size(), count, num_sources
        )
        for node_type, count in render_data.counts.items()
        if node_type not in BUILT_IN_TYPES
    }
    return own, nodes_first(common_parameters, {}, render_data.num_nodes, num_sources)


def rows_of_step(
    step: RenderStep, per_type_parameters: Mapping[str, Any], common: Mapping[str, Tensor]
) -> dict[str, Any]:
    own = map_tensors(per_type_parameters.get(step.node_type, {}), lambda p: p[slice(*step.rows)])
    return {**map_tensors(common, lambda p: p[slice(*step.nodes)]), **own}


def output_of(rows: Rows, ndim: int) -> Tensor:
    signals = same_channels(list(rows), "the 'out' nodes")
    output = signals[0] if len(signals) == 1 else torch.cat(signals)
    return output.transpose(0, 1) if ndim == 4 else output
