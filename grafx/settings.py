"""What the nodes of a graph are set to, in physical values, and the raw parameters that this means.

Processors are known by their contract alone: one that has controls has ``dsp_to_raw``, ``raw_to_dsp`` and
``parameter_size``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

LONGEST = 16
"""More numbers than this in one control, such as the magnitudes of a whole spectrum, are no setting to read."""

UNITS = {"db": "dB", "hz": "Hz", "freq": "Hz", "ms": "ms", "s": "s"}


def raw_row(processor: Any, parameters: Mapping[str, Any] | None, place: str) -> Any:
    """The raw parameters of a node, without a batch axis.

    Args:
        processor: That of its type, or None where it is not known.
        parameters: What the node holds: raw tensors or physical values of controls. What is missing is at the default
            of its control.
        place: The node, for messages.

    Raises:
        ValueError: A control has a wrong name or value. The message names the node, the control and its range.
    """
    given = parameters or {}
    if not hasattr(processor, "dsp_to_raw") or not processor.controls:
        return given
    if _is_raw(processor, given):
        return with_defaults(processor, given)
    try:
        raw = processor.dsp_to_raw(given, batch_size=1)
    except ValueError as error:
        raise type(error)(f"{place}: {error}") from None
    return _map(raw, lambda tensor: tensor[0])


def with_defaults(processor: Any, raw: Mapping[str, Any], rows: int | None = None) -> Mapping[str, Any]:
    """Raw parameters in which those that are missing are at the defaults of their controls.

    Args:
        processor: One that has controls.
        raw: Nested tensors.
        rows: How many nodes they are of; None for those of a single one, without a batch axis.
    """
    if set(_paths(processor.parameter_size())) <= set(_paths(raw)):
        return raw
    like = next((value for value in _flat_tree(raw) if isinstance(value, torch.Tensor)), None)
    defaults = processor.dsp_to_raw({}, rows or 1, like)
    return _overlaid(defaults if rows else _map(defaults, lambda tensor: tensor[0]), raw)


def _overlaid(below: Any, above: Any) -> Any:
    if not (hasattr(below, "items") and hasattr(above, "items")):
        return above
    return {**below, **{name: _overlaid(below.get(name), value) for name, value in above.items()}}


def _flat_tree(tree: Any) -> Iterator[Any]:
    for value in tree.values():
        yield from _flat_tree(value) if hasattr(value, "items") else [value]


def settings_of(processor: Any, raw_parameters: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Physical values of the raw parameters of nodes: for each, numbers and lists, nested as controls are.

    There are none of processors without controls, nor of controls with many numbers, such as a spectrum.
    """
    if not hasattr(processor, "raw_to_dsp"):
        return [{}] * count
    with torch.no_grad():
        values = processor.raw_to_dsp(raw_parameters)
    return [_readable(values, row) for row in range(count)]


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in words, a line for each: ``"threshold −20 dB"``."""
    return "\n".join(f"{' '.join(path)} {value}" for path, value in _lines(settings, ()))


def _lines(settings: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _lines(value, (*path, name))
            continue
        stem, _, suffix = name.rpartition("_")
        unit = UNITS.get(suffix) if stem else None
        numbers = ", ".join(map(_in_words, _flat(value)))
        yield (*path, (stem if unit else name).replace("_", " ")), f"{numbers} {unit}" if unit else numbers


def _in_words(number: float) -> str:
    """Three digits, and no power of ten where there are more before the point."""
    return (f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}").replace("-", "−")


def _flat(value: Any) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _is_raw(processor: Any, parameters: Mapping[str, Any] | None) -> bool:
    names = set(_paths(parameters or {}))
    return bool(names) and names <= set(_paths(processor.parameter_size()))


def _paths(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in tree.items():
        if hasattr(value, "items"):
            yield from _paths(value, (*path, name))
        else:
            yield (*path, name)


def _readable(values: Mapping[str, Any], row: int) -> dict[str, Any]:
    readable = {
        name: _readable(value, row) if isinstance(value, Mapping) else _rounded(value[row].tolist())
        for name, value in values.items()
        if isinstance(value, Mapping) or value[row].numel() <= LONGEST
    }
    return {name: value for name, value in readable.items() if value != {}}


def _rounded(value: Any) -> Any:
    return [_rounded(v) for v in value] if isinstance(value, list) else float(f"{value:.5g}")


def _map(tree: Any, function: Any) -> Any:
    if isinstance(tree, torch.Tensor):
        return function(tree)
    return {name: _map(value, function) for name, value in tree.items()}
