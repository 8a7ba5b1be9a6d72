"""Checks of tensors before kernels access them, in public functions and in operators.

In public functions, leading axes broadcast by torch's rules (:func:`as_rows`). They call *operators*, which are also
available in ``torch.ops``. Kernels trust their operators, which therefore refuse tensors that do not fit each other
(:func:`shaped`).
"""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import ParameterError
from .broadcasting import broadcast_shapes
from .precision import COMPLEX, REAL

Result = TypeVar("Result")
Axis = int | tuple[int, ...]
KINDS = {
    "real": {*REAL},
    "complex": {*COMPLEX},
    "real or complex": {*REAL, *COMPLEX},
    "int": {torch.int64},
    "bool": {torch.bool},
    "byte": {torch.uint8},
}


def shape_text(tensor: Tensor) -> str:
    """Format a shape for messages."""
    return str(tuple(tensor.shape))


def num_samples(signals: Tensor) -> int:
    """Return the length of the last axis of signals ``(..., L)``.

    Raises:
        ParameterError: There is no axis.
    """
    if not signals.ndim:
        raise ParameterError("Signals must be of shape (..., samples), not ().")
    return signals.shape[-1]


def as_rows(**arguments: tuple) -> tuple[torch.Size, *tuple[Tensor, ...]]:
    """Tensors whose leading axes broadcast, as rows that kernels take.

    Args:
        **arguments: Name to a tensor ``(..., *own)`` and the sizes of its own last axes, each a number, or several
            allowed numbers: ``as_rows(x=(x, 100), times=(times, (1, 100)), gain=(gain,))``.

    Returns:
        The broadcast shape of the leading axes, and each tensor as ``(rows, *own)``.

    Raises:
        ParameterError: The message names the tensor that does not fit, its shape, and the expected shape.
    """
    leading = torch.Size()
    for name, (tensor, *own) in arguments.items():
        depth = len(own)
        if tensor.ndim < depth or any(map(_differs, tensor.shape[tensor.ndim - depth :], own)):
            raise ParameterError(_misfit(name, arguments, own))
        try:
            leading = broadcast_shapes(leading, tensor.shape[: tensor.ndim - depth])
        except RuntimeError:
            raise ParameterError(_misfit(name, arguments)) from None
    rows = math.prod(leading)
    parts = [(tensor, tensor.shape[tensor.ndim - len(own) :]) for tensor, *own in arguments.values()]
    return leading, *(tensor.expand((*leading, *size)).reshape(rows, *size) for tensor, size in parts)


def _misfit(name: str, arguments: dict[str, tuple], own: Sequence[Axis] | None = None) -> str:
    tensor, names = arguments[name][0], list(arguments)
    others = ", ".join(f"{other} {shape_text(arguments[other][0])}" for other in names[: names.index(name)])
    if own is None:
        return (
            f"The leading axes of {name} {shape_text(tensor)} do not broadcast with those of {others}: give each row "
            "its own, or one for all."
        )
    expected = ", ".join(["...", *map(_axis_text, own)])
    return f"{name} must be of shape ({expected}){' for ' if others else ''}{others}, not {shape_text(tensor)}."


def check_rows(name: str, tensor: Any, *shape: int, beside: Tensor | None = None) -> Tensor:
    """Broadcast a tensor of one row to a shape.

    Args:
        name: Name of the tensor for the message.
        tensor: Tensor of one row, or with the rows of the shape.
        *shape: Shape of the result.
        beside: Signals to mention in the message.

    Raises:
        ParameterError: The message names the tensor, its shape, and the expected shape.
    """
    given = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
    if given not in (shape, (1, *shape[1:])):
        name = name if beside is None else f"{name} for signals {shape_text(beside)}"
        raise ParameterError(f"{name} must be of shape {shape}, or {(1, *shape[1:])} for all rows, not {given}.")
    return tensor.expand(shape)


def shaped(**layouts: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Make an operator refuse tensors that do not fit each other or lie elsewhere, which its kernels rely on.

    Args:
        **layouts: Argument to its axes: a name stands for the same size everywhere, a number for itself, and names and
            numbers separated by ``|`` for one of these. Text before a colon is the kind of its values, one of
            ``KINDS``; the default is real.

    Returns:
        A decorator. The operator raises ParameterError, which names the argument, its shape and the expected one.
    """
    parsed = {name: _parse(layout) for name, layout in layouts.items()}

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        names = list(inspect.signature(function).parameters)
        places = [(names.index(name), name, *layout) for name, layout in parsed.items()]

        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Result:
            sizes: dict[str, int] = {}
            device = None
            for place, name, kind, axes in places:
                tensor = args[place] if place < len(args) else kwargs[name]
                device = device or tensor.device
                if tensor.device != device:
                    raise ParameterError(
                        f"{name} is on {tensor.device}, but {places[0][1]} on {device}: move one to where the other is."
                    )
                if tensor.dtype not in KINDS[kind]:
                    raise ParameterError(f"{name} must hold {kind} values, not {tensor.dtype}.")
                if tensor.ndim != len(axes) or not all(map(_fits, tensor.shape, axes, [sizes] * len(axes))):
                    expected = ", ".join("|".join(_size_text(choice, sizes) for choice in axis) for axis in axes)
                    raise ParameterError(f"{name} must be of shape ({expected}), not {shape_text(tensor)}.")
            return function(*args, **kwargs)

        return checked

    return decorate


def require(holds: bool, message: str) -> None:
    """Raise an error unless a condition of a kernel holds.

    Raises:
        ParameterError: The condition is false.
    """
    if not holds:
        raise ParameterError(message)


def check_indices(name: str, indices: Tensor, low: int, high: int) -> None:
    """Refuse integers that would be out of bounds.

    Only on the CPU, since other devices would have to synchronize; indexing is checked there.

    Raises:
        ParameterError: The message names the minimum and the maximum of the integers, and the range.
    """
    if indices.device.type != "cpu" or not indices.numel():
        return
    least, most = (bound.item() for bound in indices.aminmax())
    require(low <= least and most <= high, f"{name} must be from {low} to {high}, but reach from {least} to {most}.")


def _parse(layout: str) -> tuple[str, list[list[str]]]:
    kind, _, axes = layout.rpartition(":")
    return kind.strip() or "real", [axis.split("|") for axis in axes.split()]


def _fits(size: int, axis: Sequence[str], sizes: dict[str, int]) -> bool:
    if len(axis) == 1 and not axis[0].isdigit():
        return sizes.setdefault(axis[0], size) == size
    return any(size == (int(choice) if choice.isdigit() else sizes.get(choice)) for choice in axis)


def _size_text(choice: str, sizes: dict[str, int]) -> str:
    return str(sizes.get(choice, choice))


def _differs(size: int, allowed: Axis) -> bool:
    return size not in (allowed if isinstance(allowed, tuple) else (allowed,))


def _axis_text(axis: Axis) -> str:
    return " or ".join(map(str, dict.fromkeys(axis))) if isinstance(axis, tuple) else str(axis)
