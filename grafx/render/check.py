"""Checks of the arguments of a render against the graph and its processors."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch.nn as nn
from torch import Tensor

from ..data.configs import BUILT_IN_TYPES
from ..errors import RenderError
from ..parameters.tensors import shape_of
from ..processors.contract import contract_of, plugs_of
from .parameters import is_per_source
from .plan import RenderData, RenderStep

Processors = Mapping[str, Any] | nn.ModuleDict  # by node type

Where = Callable[[], str]
"""Describes the nodes of a type. Called only for messages, since there may be very many."""


def check_inputs(
    processors: Processors,
    input_signals: Tensor,
    per_type_parameters: Mapping[str, Any],
    common_parameters: Mapping[str, Tensor] | None,
    render_data: RenderData,
) -> None:
    """Check all arguments, and raise a :class:`RenderError` that names the first misfit."""
    if not isinstance(render_data, RenderData):
        raise RenderError(f"render_data is a {type(render_data).__name__}: give what prepare_render returns.")
    for name, value in (("per_type_parameters", per_type_parameters), ("common_parameters", common_parameters or {})):
        if not hasattr(value, "items"):
            raise RenderError(f"{name} is a {type(value).__name__}, but should map names to parameters.")
    _check_signals(input_signals, render_data)
    for node_type, count in render_data.counts.items():
        if node_type in BUILT_IN_TYPES:
            continue
        where = partial(_where, node_type, render_data)
        if node_type not in processors:
            raise RenderError(
                f"There is no processor for the {where()}: add it to processors, which has {[*processors]}."
            )
        processor, given = processors[node_type], per_type_parameters.get(node_type, {})
        if not hasattr(processor, "parameter_size"):
            kind = type(processor).__name__
            raise RenderError(f"The processor of {where()}, a {kind}, has no method parameter_size.")
        _check_plugs(where, processor, render_data.step_of(node_type))
        expected = processor.parameter_size()
        if not hasattr(given, "items"):
            kind = type(given).__name__
            raise RenderError(f"The parameters of {where()} are a {kind}, but should map names to tensors.")
        _check_tree("", where, expected, given, count, input_signals)
        _check_no_others(where, processor, expected, given, common_parameters or {})
    for name, value in (common_parameters or {}).items():
        _check_common(name, value, render_data.num_nodes, input_signals)


def _where(node_type: str, render_data: RenderData) -> str:
    return f"type '{node_type}' ({render_data.describe_nodes(node_type)})"


def _check_plugs(where: Where, processor: Any, step: RenderStep) -> None:
    """Refuse a graph that knows inlets and outlets in another order than the processor, which takes them in its own."""
    for side, names in (("inlets", step.inlet_names), ("outlets", step.outlet_names)):
        own = plugs_of(processor, side)
        if isinstance(own, (list, tuple)) and tuple(own) != names:
            raise RenderError(
                f"The {where()} has the {side} {list(names)} in the graph, but {list(own)} in its processor: build the"
                " graph with config=NodeConfigs.from_processors(processors)."
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
    expected = render_data.counts.get("in", 0)
    if shape[-3] != expected:
        named = f" ({render_data.describe_nodes('in')})" if expected else ""
        raise RenderError(f"input_signals has {shape[-3]} source(s), but the graph has {expected} 'in' node(s){named}.")


def _check_tree(
    prefix: str, where: Where, expected: Mapping[str, Any], given: Any, count: int, input_signals: Tensor
) -> None:
    for key, size in expected.items():
        name = f"{prefix}{key}"
        if not hasattr(given, "items") or key not in given:
            raise RenderError(f"The parameter '{name}' of {where()} is missing: put it into per_type_parameters.")
        value = given[key]
        if isinstance(size, Mapping):
            _check_tree(f"{name}.", where, size, value, count, input_signals)
        else:
            _check_parameter(name, where, size, value, count, input_signals)


def _check_parameter(name: str, where: Where, size: Any, value: Any, count: int, input_signals: Tensor) -> None:
    shapes = [(count, *shape_of(size))]
    if input_signals.ndim == 4:
        shapes.append((input_signals.shape[0], *shapes[0]))
    if not isinstance(value, Tensor) or tuple(value.shape) not in shapes:
        raise RenderError(
            f"The parameter '{name}' of {where()} has shape {_shape(value)}, expected"
            f" {' or '.join(map(str, shapes))}: one row for each node."
        )
    _check_kind(lambda: f"The parameter '{name}' of {where()}", value, input_signals)


def _check_common(name: str, value: Any, num_nodes: int, input_signals: Tensor) -> None:
    per_source = (
        isinstance(value, Tensor)
        and input_signals.ndim == 4
        and is_per_source(value, None, num_nodes, input_signals.shape[0])
    )
    if not per_source and (not isinstance(value, Tensor) or value.shape[:1] != (num_nodes,)):
        raise RenderError(
            f"The common parameter '{name}' has shape {_shape(value)}: its first axis must run over all"
            f" {num_nodes} nodes."
        )
    _check_kind(lambda: f"The common parameter '{name}'", value, input_signals)


def _check_kind(what: Callable[[], str], value: Tensor, input_signals: Tensor) -> None:
    """Refuse another device or dtype."""
    same_type = value.dtype == input_signals.dtype or not value.is_floating_point()
    if value.device != input_signals.device or not same_type:
        raise RenderError(
            f"{what()} is {value.dtype} on {value.device}, but input_signals are {input_signals.dtype} on"
            f" {input_signals.device}: convert one of them with .to(...)."
        )


def _check_no_others(
    where: Where, processor: Any, expected: Mapping[str, Any], given: Any, common: Mapping[str, Any]
) -> None:
    external = contract_of(processor).external_parameters()
    if unknown := _unknown("", expected, given, external):
        raise RenderError(f"The {where()} has no parameter {', '.join(map(repr, unknown))}.")
    others = (set(given.keys()) | set(common)) - set(expected)
    if not others:
        return
    # A processor may take more than it needs, such as a weight that comes as a common parameter.
    arguments = inspect.signature(getattr(processor, "forward", processor)).parameters
    if any(argument.kind is argument.VAR_KEYWORD for argument in arguments.values()):
        return
    if unknown := sorted(others - set(arguments)):
        raise RenderError(
            f"The {where()} has no parameter {', '.join(map(repr, unknown))}: its processor takes"
            f" {', '.join(map(repr, expected)) or 'none'}."
        )


def _unknown(prefix: str, expected: Mapping[str, Any], given: Any, external: set[str]) -> list[str]:
    """List names in nested dicts that are not declared."""
    found = []
    for name, size in expected.items():
        if isinstance(size, Mapping):
            place = f"{prefix}{name}."
            found += [f"{place}{other}" for other in sorted(set(given[name].keys()) - set(size) - external)]
            found += _unknown(place, size, given[name], external)
    return found


def _shape(value: Any) -> tuple[int, ...] | str:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
