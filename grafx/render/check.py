"""What is handed to a render, held against what the graph and its processors need."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..data.configs import BUILT_IN_TYPES
from ..errors import RenderError
from .plan import RenderData


def check_inputs(
    processors: Mapping[str, Any],
    input_signals: Tensor,
    per_type_parameters: Mapping[str, Any],
    common_parameters: Mapping[str, Tensor] | None,
    render_data: RenderData,
) -> None:
    """Raise a :class:`RenderError` that says what does not fit, if anything does not."""
    if not isinstance(render_data, RenderData):
        raise RenderError(f"render_data is a {type(render_data).__name__}: give what prepare_render returns.")
    for name, value in (("per_type_parameters", per_type_parameters), ("common_parameters", common_parameters or {})):
        if not hasattr(value, "items"):
            raise RenderError(f"{name} is a {type(value).__name__}, but should map names to parameters.")
    _check_signals(input_signals, render_data)
    counts: dict[str, int] = {}
    for step in render_data.iter_list:
        counts[step.node_type] = step.rows[1]
    for node_type, count in counts.items():
        if node_type in BUILT_IN_TYPES:
            continue
        if node_type not in processors:
            raise RenderError(
                f"There is no processor for the {count} node(s) of type '{node_type}': add it to processors, which has"
                f" {sorted(processors)}."
            )
        given = per_type_parameters.get(node_type, {})
        if not hasattr(processors[node_type], "parameter_size"):
            kind = type(processors[node_type]).__name__
            raise RenderError(f"The processor of type '{node_type}', a {kind}, has no method parameter_size.")
        expected = processors[node_type].parameter_size()
        _check_tree(node_type, expected, given, count)
        _check_no_others(node_type, processors[node_type], expected, given)
    for name, value in (common_parameters or {}).items():
        if not isinstance(value, Tensor) or value.shape[:1] != (render_data.num_nodes,):
            raise RenderError(
                f"The common parameter '{name}' has shape {_shape(value)}: its first axis must run over all"
                f" {render_data.num_nodes} nodes."
            )


def _check_signals(input_signals: Tensor, render_data: RenderData) -> None:
    if not isinstance(input_signals, Tensor):
        raise RenderError(f"input_signals is a {type(input_signals).__name__}, but should be a tensor.")
    shape = tuple(input_signals.shape)
    if input_signals.ndim not in (3, 4):
        raise RenderError(
            f"input_signals has shape {shape}: it must be (sources, channels, samples) or (batch, sources, …)."
        )
    if not input_signals.is_floating_point():
        raise RenderError(f"input_signals has type {input_signals.dtype}: convert it to a floating point type.")
    first = render_data.iter_list[0]
    expected = first.num_nodes if first.node_type == "in" else 0
    if shape[-3] != expected:
        raise RenderError(f"input_signals has {shape[-3]} source(s), but the graph has {expected} 'in' node(s).")


def _check_tree(place: str, expected: Mapping[str, Any], given: Any, count: int) -> None:
    for name, size in expected.items():
        where = f"{place}.{name}"
        if not hasattr(given, "items") or name not in given:
            raise RenderError(
                f"The parameter {where} is missing: per_type_parameters must hold it for {count} node(s)."
            )
        value = given[name]
        if isinstance(size, Mapping):
            _check_tree(where, size, value, count)
            continue
        shape = (count, *((size,) if isinstance(size, int) else size))
        if not isinstance(value, Tensor) or tuple(value.shape) != shape:
            raise RenderError(
                f"The parameter {where} has shape {_shape(value)}, expected {shape}: one row for each node."
            )


def _check_no_others(node_type: str, processor: Any, expected: Mapping[str, Any], given: Any) -> None:
    others = set(given.keys()) - set(expected)
    if not others:
        return
    # A processor may take more than it needs, such as a weight that others hand in as a common parameter.
    arguments = inspect.signature(getattr(processor, "forward", processor)).parameters
    if any(argument.kind is argument.VAR_KEYWORD for argument in arguments.values()):
        return
    if unknown := sorted(others - set(arguments)):
        raise RenderError(
            f"The type '{node_type}' has no parameter {', '.join(map(repr, unknown))}: its processor takes"
            f" {', '.join(map(repr, expected)) or 'none'}."
        )


def _shape(value: Any) -> tuple[int, ...] | str:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
