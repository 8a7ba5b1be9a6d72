"""Controls of processors, and the parsing, validation and batching of their values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from .core.broadcasting import is_one_of
from .core.maps import AMPLITUDE_DB, IDENTITY, Map
from .errors import ParameterError

Values = dict[str, Any]  # tensors, or more of these
Path = tuple[str, ...]
ParamRange = Mapping[str, tuple[float, float]]
TOLERANCE = 1e-5  # of a range, which float32 may miss by rounding


@dataclass(frozen=True)
class Control:
    """A control of a processor, and its place in the raw parameters.

    Attributes:
        name: Name with its unit: ``"threshold_db"``.
        low: Lowest physical value.
        high: Highest physical value.
        default: Default value; for several values, a number for all or a (nested) tuple.
        raw: Name of the raw parameter.
        index: Index into the raw parameter's last axis; ``None`` for all elements.
        unit: ``"dB"``, ``"Hz"``, ``"ms"`` and the like.
        scale: Whether the normalized value is linear in the physical one or in its logarithm.
        map: Map between the physical and the raw value.
        hertz: Frequencies of the values along the last axis, if they are a spectrum.
    """

    name: str
    low: float
    high: float
    default: float | tuple
    raw: str
    index: int | None = None
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    map: Map = IDENTITY
    hertz: tuple[float, ...] = field(default=(), repr=False)

    def to_norm(self, value: Tensor) -> Tensor:
        """Convert physical to normalized values."""
        if self.scale == "log":
            return torch.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def from_norm(self, norm: Tensor) -> Tensor:
        """Convert normalized to physical values."""
        if self.scale == "log":
            return self.low * torch.exp(norm * math.log(self.high / self.low))
        return self.low * (1 - norm) + self.high * norm

    def within(self, limits: Sequence[float]) -> "Control":
        """Return a copy with another range, on a linear scale if the range includes values below or at 0.

        Raises:
            ParameterError: The range does not ascend, or has no raw values.
        """
        low, high = map(float, limits)
        if not (low < high and self.map.to_raw(torch.tensor([low, high]).double()).isfinite().all()):
            raise ParameterError(f"{self.name} cannot have the range {low:g} to {high:g}; {self} is possible.")
        scale = self.scale if low > 0 else "linear"
        limited = replace(self, low=low, high=high, scale=scale)
        default = torch.tensor(self.default, dtype=torch.double)
        inside = default.clamp(low, high)
        if self.scale == scale == "log" and default.unique().numel() > 1 and not torch.equal(inside, default):
            inside = limited.from_norm(self.to_norm(default))  # Spread defaults must not pile up at the ends.
        return replace(limited, default=_as_tuple(inside.tolist()))

    def __str__(self) -> str:
        return f"{self.name} from {self.low:g} to {self.high:g}{self.unit and ' '}{self.unit}"


def db(
    name: str,
    low: float,
    high: float,
    default: float | tuple,
    raw: str,
    *,
    index: int | None = None,
    map: Map = AMPLITUDE_DB,
    hertz: tuple[float, ...] = (),
) -> Control:
    """A control in decibels, of the logarithm of an amplitude unless the map says otherwise."""
    return Control(name, low, high, default, raw, index=index, unit="dB", map=map, hertz=hertz)


def hz(
    name: str,
    low: float,
    high: float,
    default: float | tuple,
    raw: str,
    *,
    index: int | None = None,
    map: Map = IDENTITY,
) -> Control:
    """A control in Hertz, as fine at the low end of a knob as at the high one."""
    return Control(name, low, high, default, raw, index=index, unit="Hz", scale="log", map=map)


def ms(
    name: str,
    low: float,
    high: float,
    default: float | tuple,
    raw: str,
    *,
    index: int | None = None,
    scale: Literal["linear", "log"] | None = None,
    map: Map = IDENTITY,
    hertz: tuple[float, ...] = (),
) -> Control:
    """A control in milliseconds, on a logarithmic scale unless it begins at 0 or the scale is given."""
    scale = scale or ("log" if low > 0 else "linear")
    return Control(name, low, high, default, raw, index=index, unit="ms", scale=scale, map=map, hertz=hertz)


class Leaf(NamedTuple):
    """A control, its path in containers, and the shape of its values without the batch axis."""

    path: Path
    control: Control
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name for messages."""
        return ".".join(self.path)


def shape_of(size: int | Sequence[int]) -> tuple[int, ...]:
    """Convert an entry of ``parameter_size`` to a shape."""
    return (size,) if isinstance(size, int) else tuple(size)


def control_shape(control: Control, size: int | tuple[int, ...]) -> tuple[int, ...]:
    """Return the raw parameter's shape, without the axis that the control indexes and axes of length 1."""
    shape = shape_of(size)
    return tuple(n for n in (shape if control.index is None else shape[:-1]) if n != 1)


def limit(leaves: Sequence[Leaf], ranges: Mapping[str, Sequence[float]], who: str) -> list[Leaf]:
    """Replace the ranges of leaves, given by their names.

    Raises:
        ParameterError: The name is unknown, or the range is invalid.
    """
    named = {leaf.name: leaf for leaf in leaves}
    for name, limits in ranges.items():
        if name not in named:
            has = ", ".join(named) or "none"
            raise ParameterError(f"param_range: {who} has no control {name!r}; it has {has}.")
        named[name] = named[name]._replace(control=named[name].control.within(limits))
    return list(named.values())


def read(
    given: Mapping[str, Any], leaves: Sequence[Leaf], who: str, norm: bool, batch_size: int | None, like: Tensor | None
) -> tuple[Values, int, Tensor]:
    """Check and batch given values.

    Args:
        given: Nested names to numbers, tensors, arrays or lists.
        leaves: All controls.
        who: Name of their class, for messages.
        norm: Whether the values are normalized.
        batch_size: Number of rows; by default that of the given values.
        like: A tensor with the device and float type of the result; by default those of the first tensor.

    Returns:
        Physical values ``(batch, …)`` of all controls, nested, the batch size and a tensor ``like`` them.

    Raises:
        ParameterError: An unknown name, or a value with a wrong shape or out of range.
    """
    _check_names(given, [leaf.path for leaf in leaves], who)
    found = {leaf.path: at(given, leaf.path) for leaf in leaves}
    if like is None:
        floats = (v for v in found.values() if isinstance(v, Tensor) and v.is_floating_point())
        like = next(floats, torch.zeros(()))
    tensors = {path: _as_tensor(value, like, path) for path, value in found.items() if value is not None}
    if batch_size is None:
        batched = [tensors[path] for path, _, shape in leaves if path in tensors and tensors[path].ndim > len(shape)]
        batch_size = max((value.shape[0] for value in batched), default=1)
    values: Values = {}
    for leaf in leaves:
        value = tensors.get(leaf.path)
        if value is None:
            default = torch.tensor(leaf.control.default, dtype=like.dtype, device=like.device)
            value = _batch(default.squeeze(), leaf, batch_size)
        else:
            value = _batch(value, leaf, batch_size)
            _check_range(value, leaf, norm)
            value = leaf.control.from_norm(value) if norm else value
        put(values, leaf.path, value)
    return values, batch_size, like


def split(norm: Tensor, leaves: Sequence[Leaf], who: str) -> Values:
    """Convert columns of normalized values to nested values.

    Raises:
        ParameterError: The numbers of columns and controls differ.
    """
    sizes = [math.prod(leaf.shape) for leaf in leaves]
    rows = norm[None] if norm.ndim == 1 else norm
    if rows.ndim != 2 or rows.shape[1] != sum(sizes):
        order = [leaf.name + (f" ({size})" if size > 1 else "") for leaf, size in zip(leaves, sizes, strict=True)]
        raise ParameterError(
            f"norm_params of {who} must be (batch, {sum(sizes)}), in the order {', '.join(order)}, not "
            f"{tuple(norm.shape)}."
        )
    values: Values = {}
    for leaf, part in zip(leaves, rows.split(sizes, -1), strict=True):
        put(values, leaf.path, part.reshape(rows.shape[0], *leaf.shape))
    return values


def join(values: Mapping[str, Any], leaves: Sequence[Leaf]) -> Tensor:
    """Convert nested physical values to columns of normalized ones."""
    columns = [leaf.control.to_norm(at(values, leaf.path)).flatten(1 if leaf.shape else 0) for leaf in leaves]
    return torch.cat([c if c.ndim == 2 else c.unsqueeze(-1) for c in columns], -1)


def at(tree: Any, path: Path) -> Any:
    """Return the entry of a nested dict at a path, or ``None``."""
    for name in path:
        if tree is None:
            return None
        tree = tree.get(name)
    return tree


def put(tree: Values, path: Path, value: Any) -> None:
    """Set the entry of a nested dict at a path."""
    *outer, last = path
    for name in outer:
        tree = tree.setdefault(name, {})
    tree[last] = value


def _check_names(given: Any, paths: list[Path], who: str) -> None:
    known = list(dict.fromkeys(path[0] for path in paths))
    if not hasattr(given, "items"):
        raise ParameterError(
            f"{who} takes its controls by name, in a dict, or normalized ones in one tensor, not {given!r}."
        )
    for name, value in given.items():
        if name not in known:
            has = f"its controls are {', '.join(known)}" if known else "it has no controls, only raw parameters"
            raise ParameterError(f"{who} has no control {name!r}; {has}.")
        inner = [path[1:] for path in paths if path[0] == name and len(path) > 1]
        if inner and not hasattr(value, "items"):
            raise ParameterError(f"{name!r} of {who} must be a dict of controls, not {value!r}.")
        if inner:
            _check_names(value, inner, f"{name!r} of {who}")


def _as_tensor(value: Any, like: Tensor, path: Path) -> Tensor:
    try:
        if _has_bool(value):
            raise TypeError
        return torch.as_tensor(value, dtype=like.dtype, device=like.device)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ParameterError(f"{'.'.join(path)} must be a number or a tensor of numbers, not {value!r}.") from None


def _has_bool(value: Any) -> bool:
    return any(map(_has_bool, value)) if isinstance(value, list | tuple) else isinstance(value, bool)


def _batch(value: Tensor, leaf: Leaf, batch_size: int) -> Tensor:
    shape = (batch_size, *leaf.shape)
    if value.ndim == 0 or value.shape == leaf.shape:
        return value.expand(shape)
    rows = value.squeeze(-1) if not leaf.shape and value.ndim == 2 and value.shape[-1] == 1 else value
    if rows.shape[1:] == leaf.shape and is_one_of(rows.shape[0], 1, batch_size):
        return rows.expand(shape)
    either = f"{leaf.shape} or " if leaf.shape else ""
    raise ParameterError(
        f"{leaf.name} has the shape {tuple(value.shape)}, but must be a number, or of shape {either}{shape} for a "
        f"batch of {batch_size}; its control is {leaf.control}."
    )


def _check_range(value: Tensor, leaf: Leaf, norm: bool) -> None:
    if torch.compiler.is_compiling():
        return
    low, high = (0.0, 1.0) if norm else (leaf.control.low, leaf.control.high)
    margin = TOLERANCE * (high - low)
    outside = ~((value >= low - margin) & (value <= high + margin))  # also where it is not a number
    if outside.any():
        first = value[outside][0].item()
        kind = f"normalized, from 0 to 1 for {leaf.control}" if norm else str(leaf.control)
        raise ParameterError(f"{leaf.name} is {first:g}, but must lie within its range: {kind}.")


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
