"""One row of a signal or of a parameter for all rows of a batch."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn as nn
from torch import Tensor

from .contract import contract_of
from .controls import shape_of
from .core.broadcasting import is_one_of
from .errors import ParameterError

Arguments = tuple[Sequence[Any], Mapping[str, Any]]


def share_rows(processor: nn.Module, arguments: Sequence[Any], parameters: Mapping[str, Any]) -> Arguments:
    """Give signals and raw parameters as many rows each: what has one row serves all.

    A parameter of one number for each row, ``(B, 1)``, may leave its axis out. What is no tensor, or has another name
    than a raw parameter, stays as it is.

    Args:
        processor: anything with a ``parameter_size``.
        arguments: what its ``forward`` gets by position, a signal for each inlet, and then raw parameters.
        parameters: what it gets by name; raw parameters nest as their sizes do.

    Returns:
        The arguments and the parameters.

    Raises:
        ParameterError: a signal is not ``(batch, channels, samples)``, or a raw parameter has another shape, or other
            rows. The message names it, and tells its shape and what was expected.
    """
    sizes, who = processor.parameter_size(), type(processor).__name__
    signals, positional = _by_place(processor, arguments, sizes)
    named = {**positional, **{name: value for name, value in parameters.items() if name in sizes}}
    rows = 1
    for signal in signals:
        rows = signal.shape[0] if rows == 1 else rows
    if any(not is_one_of(signal.shape[0], 1, rows) for signal in signals):
        return arguments, parameters  # which forward refuses
    leaves = _leaves(sizes, named)
    for _, tensor, _ in leaves:
        rows = tensor.shape[0] if rows == 1 else rows
    for name, tensor, shape in leaves:
        if not is_one_of(tensor.shape[0], 1, rows) or tensor.shape[1:] != shape:
            count = f" for {rows} signals" if signals else ""
            raise ParameterError(
                f"{who} needs {name} of shape {(rows, *shape)}{count}, not {tuple(tensor.shape)}. One row serves all."
            )
    spread = [_spread(value, rows) if i < len(signals) else value for i, value in enumerate(arguments)]
    for name, place in zip(positional, range(len(arguments) - len(positional), len(arguments)), strict=True):
        spread[place] = _spread_all(arguments[place], sizes[name], rows)
    return spread, {
        name: _spread_all(value, sizes[name], rows) if name in sizes else value for name, value in parameters.items()
    }


def _by_place(
    processor: nn.Module, arguments: Sequence[Any], sizes: Mapping[str, Any]
) -> tuple[Sequence[Tensor], dict[str, Any]]:
    """The signals at inlets, and raw parameters that are given by position."""
    count = len(contract_of(processor).inlets)
    signals = [x for x in arguments[:count] if isinstance(x, Tensor)]
    if len(signals) < min(count, len(arguments)):
        return (), {}  # which forward knows
    for signal in signals:
        if signal.ndim != 3:
            who = type(processor).__name__
            raise ParameterError(f"{who} takes signals (batch, channels, samples), not of shape {tuple(signal.shape)}.")
    if len(arguments) == len(signals):
        return signals, {}
    taken = list(inspect.signature(processor.forward).parameters.values())
    explicit = [p.name for p in taken if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = list(sizes) if any(p.kind is p.VAR_POSITIONAL for p in taken) else explicit[count:]
    given = arguments[count:]
    positional = dict(zip(names[: len(given)], given[: len(names)], strict=True))
    fit = len(positional) == len(arguments) - count and all(name in sizes for name in positional)
    return signals, positional if fit else {}


def _leaves(
    sizes: Mapping[str, Any], values: Mapping[str, Any], place: str = ""
) -> list[tuple[str, Tensor, tuple[int, ...]]]:
    """Names, tensors and shapes without their rows, of all raw parameters that are given."""
    found: list[tuple[str, Tensor, tuple[int, ...]]] = []
    for name, size in sizes.items():
        value = values.get(name)
        if isinstance(size, Mapping):
            found += _leaves(size, value, f"{place}{name}.") if hasattr(value, "keys") else []
        elif isinstance(value, Tensor):
            found.append((place + name, _with_axes(value, size), shape_of(size)))
    return found


def _with_axes(value: Tensor, size: Any) -> Tensor:
    """A parameter of one number may leave out its axis, and that of the rows."""
    return (
        value.reshape(-1, 1) if value.ndim < 2 and shape_of(size) == (1,) else value[None] if not value.ndim else value
    )


def _spread(value: Tensor, rows: int) -> Tensor:
    return value if value.shape[0] == rows else value.expand(rows, *value.shape[1:])


def _spread_all(value: Any, size: Any, rows: int) -> Any:
    if isinstance(size, Mapping) and hasattr(value, "keys"):
        return {name: _spread_all(value[name], size[name], rows) if name in size else value[name] for name in value}
    return _spread(_with_axes(value, size), rows) if isinstance(value, Tensor) else value
