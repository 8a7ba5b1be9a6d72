"""Broadcasting of single rows of signals and parameters over a batch."""

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
    """Broadcast signals and raw parameters to the same number of rows.

    A parameter of one number for each row, ``(B, 1)``, may omit its axis. Values that are not tensors, or not raw
    parameters, are unchanged.

    Args:
        processor: Anything with a ``parameter_size``.
        arguments: Positional arguments of ``forward``: a signal for each inlet, then raw parameters.
        parameters: Named arguments; raw parameters nest as their sizes do.

    Returns:
        The arguments and the parameters.

    Raises:
        ParameterError: A signal is not ``(batch, channels, samples)``, or a raw parameter has another shape or number
            of rows. The message names it, its shape and the expected shape.
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
    """Yield names, tensors and shapes without rows of all given raw parameters."""
    found: list[tuple[str, Tensor, tuple[int, ...]]] = []
    for name, size in sizes.items():
        value = values.get(name)
        if isinstance(size, Mapping):
            found += _leaves(size, value, f"{place}{name}.") if hasattr(value, "keys") else []
        elif isinstance(value, Tensor):
            found.append((place + name, _with_axes(value, size), shape_of(size)))
    return found


def _with_axes(value: Tensor, size: Any) -> Tensor:
    """Add the omitted axes of a parameter of one number."""
    return (
        value.reshape(-1, 1) if value.ndim < 2 and shape_of(size) == (1,) else value[None] if not value.ndim else value
    )


def _spread(value: Tensor, rows: int) -> Tensor:
    return value if value.shape[0] == rows else value.expand(rows, *value.shape[1:])


def _spread_all(value: Any, size: Any, rows: int) -> Any:
    if isinstance(size, Mapping) and hasattr(value, "keys"):
        return {name: _spread_all(value[name], size[name], rows) if name in size else value[name] for name in value}
    return _spread(_with_axes(value, size), rows) if isinstance(value, Tensor) else value
