"""Settings of nodes in physical values, and the raw parameters that they imply.

Processors are used by their contract alone: one with controls has ``dsp_to_raw``, ``raw_to_dsp`` and
``parameter_size``. One whose controls have many values may have ``summary``, which condenses them.

Physical values are meant to be read and edited, so they override raw tensors that disagree with them.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .. import trees
from ..data.attributes import held_settings
from ..errors import GraphError, GraphWarning
from ..processors.contract import contract_of
from ..trees import Path
from .spectra import bands_of, check_octaves, mean_of, shifted

LONGEST = 32
"""Maximum size of a control in settings; larger ones, such as the magnitudes of a spectrum, are omitted."""


_ROUNDING = 1e-4  # relative tolerance between settings and tensors


def raw_row(processor: Any, data: Mapping[str, Any], place: str) -> Any:
    """Return the raw parameters of a node, without a batch axis.

    Args:
        processor: The processor of its type, or ``None`` if unknown.
        data: The attributes of the node. ``parameters`` are raw tensors, physical values of controls, or both; a
            physical value overrides a tensor, with a warning. So do ``settings`` that disagree with the tensors.
            Controls given by neither are at their default.
        place: The node, for messages.

    Raises:
        ValueError: A control has a wrong name or value. The message names the node, the control and its range.
    """
    parameters, settings = data.get("parameters"), held_settings(data)
    if not contract_of(processor).controls:
        return parameters or {}
    if settings is not None and not isinstance(settings, Mapping):
        raise GraphError(f"{place}: its settings are {settings!r:.80}, but should be an object of controls.")
    raw, physical = _sort(processor, parameters or {}, place)
    if raw is not None:
        raw = with_defaults(processor, raw)
        if not settings and not physical:
            return raw
    try:
        if raw is None:
            raw = trees.row(processor.dsp_to_raw({}, batch_size=1))
            return _applied(processor, raw, trees.joined(settings or {}, physical))
        _check_shapes(processor, raw)
        now = settings_of(processor, trees.batch(raw), 1)[0]
        edits = trees.joined(_edits(settings or {}, now), physical)
        row = _applied(processor, raw, edits)
    except ValueError as error:
        raise type(error)(f"{place}: {str(error).rstrip('.')}.") from None
    if edits:
        said = ", ".join(f"{'.'.join(path)} {_said(value)}{_was(now, path)}" for path, value in trees.items(edits))
        warnings.warn(f"{place} is set by hand, which counts in place of its tensors: {said}.", GraphWarning, 2)
    return row


def with_defaults(processor: Any, raw: Mapping[str, Any], rows: int | None = None) -> Mapping[str, Any]:
    """Complete raw parameters with the defaults of controls.

    Args:
        processor: A processor with controls.
        raw: Nested tensors.
        rows: Number of nodes; ``None`` for a single node without a batch axis.
    """
    if set(trees.paths(processor.parameter_size())) <= set(trees.paths(raw)):
        return raw
    like = next(trees.tensors(raw), None)
    defaults = processor.dsp_to_raw({}, rows or 1, like)
    return trees.joined(defaults if rows else trees.row(defaults), raw)


def settings_of(processor: Any, raw_parameters: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Convert the raw parameters of nodes to physical values: for each node, numbers and lists, nested like controls.

    A spectrum is represented by its octave means, ``{"125 Hz": 2.0, …}``. Processors without controls have none; other
    controls with many values are only represented in ``summary``.
    """
    with torch.no_grad():
        values = contract_of(processor).raw_to_dsp(raw_parameters)
        summaries = _summaries(processor, raw_parameters, count)
    spectra = {leaf.path: leaf.control for leaf in _leaves(processor) if leaf.control.hertz}
    return [trees.joined(_readable(values, row, spectra), _rounded(summaries[row])) for row in range(count)]


def with_control(processor: Any, raw: Any, path: Sequence[str | int], value: Any) -> Any:
    """Set a control of raw parameters by its physical value; all others remain bit-identical.

    Args:
        processor: The processor.
        raw: Its nested raw parameters, without a batch axis.
        path: The names that lead to the control; then the octave where it is a spectrum (``"125 Hz"``), and the indices
            of a single value where it has several.
        value: A number, or as many as the control has there.

    Raises:
        GraphError: There is no such control.
        ParameterError: The value is out of its range, or no number.
    """
    leaf, rest = _control_at(processor, path)
    if not rest:
        return _applied(processor, raw, trees.nested(leaf.path, value))
    if isinstance(rest[0], str):
        octave, *index = rest
        numbers = trees.at(settings_of(processor, trees.batch(raw), 1)[0], (*leaf.path, octave))
        if not leaf.control.hertz or numbers is None:
            raise GraphError(f"{leaf.name} has no part {octave!r}.")
        numbers = _replaced(numbers, index, value, leaf.name)
        return _applied(processor, raw, trees.nested(leaf.path, {octave: numbers}))
    batch = trees.map_tensors(trees.batch(raw), Tensor.detach)
    like = next(trees.tensors(batch))
    values = processor.raw_to_dsp(batch)
    edited = trees.copied(values)
    one = processor.complete(trees.nested(leaf.path, value), 1, like)
    changed = trees.at(values, leaf.path).clone()
    _check_index(rest, changed.shape[1:], leaf.name)
    changed[0, *rest] = trees.at(one, leaf.path)[0, *rest]
    trees.put(edited, leaf.path, changed)
    return trees.changed(processor.values_to_raw(values, 1, like), processor.values_to_raw(edited, 1, like), raw)


def _control_at(processor: Any, path: Sequence[str | int]) -> tuple[Any, list[str | int]]:
    """The control that a path begins with, and the rest of the path."""
    for leaf in _leaves(processor):
        if tuple(path[: len(leaf.path)]) == leaf.path:
            return leaf, list(path[len(leaf.path) :])
    has = ", ".join(leaf.name for leaf in _leaves(processor)) or "none"
    raise GraphError(f"There is no control {'.'.join(map(str, path))!r}; there are {has}.")


def _check_index(index: Sequence[Any], shape: Sequence[int], name: str) -> None:
    inside = len(index) == len(shape) and all(
        type(i) is int and 0 <= i < length for i, length in zip(index, shape, strict=True)
    )
    if not inside:
        sizes = " × ".join(map(str, shape)) or "one"
        raise GraphError(f"{name} has no value {list(index)}: it has {sizes}, counted from 0.")


def _replaced(numbers: Any, index: Sequence[Any], value: Any, name: str) -> Any:
    """Nested lists with another number at an index."""
    _check_index(index, torch.tensor(numbers).shape if index else (), name)
    if not index:
        return value
    first, *rest = index
    return [_replaced(n, rest, value, name) if i == first else n for i, n in enumerate(numbers)]


# Separation of raw and physical values


def _sort(processor: Any, parameters: Mapping[str, Any], place: str) -> tuple[Any, dict[str, Any]]:
    """Separate raw tensors, or ``None`` if there are none, from physical values."""
    if not hasattr(parameters, "items"):
        raise GraphError(f"{place}: its parameters are {parameters!r:.80}, but should be a dict.")
    sizes, controls = set(trees.paths(processor.parameter_size())), {leaf.path for leaf in _leaves(processor)}
    given = dict(trees.items(parameters))
    if given and all(path in sizes and (isinstance(v, Tensor) or path not in controls) for path, v in given.items()):
        _refuse_lists(processor, given, place)
        return parameters, {}
    raw, physical = {}, {}
    for path, value in given.items():
        trees.put(raw if isinstance(value, Tensor) and path in sizes else physical, path, value)
    _refuse_others(physical, sizes, controls, place)
    return raw or None, physical


def _refuse_others(physical: Mapping[str, Any], sizes: set[Path], controls: set[Path], place: str) -> None:
    """Tensors that a file kept while the type of their node was changed."""
    others = [path for path, v in trees.items(physical) if isinstance(v, Tensor) and v.ndim and path not in controls]
    if others and not any(path[:1] == other[:1] for path in controls for other in others):
        has = ", ".join(".".join(path) for path in sorted(sizes)) or "none"
        raise GraphError(
            f"{place} has the tensor {'.'.join(others[0])}, which is of another type; its raw parameters are {has}."
            " Where the type was changed by hand, give the node a new id as well, here and in its edges: then it has no"
            " tensors, and is at its settings, or its defaults. In Python, G.replace does it."
        )


def _refuse_lists(processor: Any, given: Mapping[Path, Any], place: str) -> None:
    for path, value in given.items():
        if isinstance(value, int | float | list | tuple):
            names = ", ".join(leaf.name for leaf in _leaves(processor))
            raise GraphError(
                f"{place}: {'.'.join(path)} is a raw parameter, which is a tensor, and not {value!r:.80}; numbers are"
                f" given to the controls {names}."
            )


def _leaves(processor: Any) -> list[Any]:
    return contract_of(processor).leaves()


# Detection of edits


def _was(before: Mapping[str, Any], path: Path) -> str:
    value = trees.at(before, path)
    return "" if value is None else f" (was {_said(value)})"


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else repr(value)[:80]


def _edits(given: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Select the settings that differ from the current ones."""
    edits = {}
    for name, value in given.items():
        known = now.get(name)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            if inner := _edits(value, known):
                edits[name] = inner
        elif not _same(value, known):
            edits[name] = value
    return edits


def _same(value: Any, known: Any) -> bool:
    if isinstance(value, list | tuple) and isinstance(known, list | tuple):
        return len(value) == len(known) and all(map(_same, value, known))
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in (value, known)):
        return False
    return abs(value) < 1e300 and math.isclose(value, known, rel_tol=_ROUNDING, abs_tol=1e-6)


def _applied(processor: Any, raw: Any, edits: Mapping[str, Any]) -> Any:
    """Change some physical values of raw parameters; the others remain bit-identical."""
    if not edits:
        return raw
    batch = trees.map_tensors(trees.batch(raw), Tensor.detach)
    like = next(trees.tensors(batch))
    values = processor.raw_to_dsp(batch)
    before = processor.values_to_raw(values, 1, like)
    spectra = {leaf.path: leaf for leaf in _leaves(processor) if leaf.control.hertz}
    plain, octaves = _split(edits, spectra)
    _refuse_nulls(edits)
    _refuse_summaries(processor, batch, plain)
    complete = processor.complete(plain, 1, like)
    edited = trees.copied(values)
    for path in (leaf.path for leaf in _leaves(processor) if trees.at(plain, leaf.path) is not None):
        trees.put(edited, path, trees.at(complete, path))
    for path, numbers in octaves.items():
        check_octaves(processor, spectra[path], numbers, like)
        trees.put(edited, path, shifted(trees.at(edited, path), numbers, spectra[path]))
    return trees.changed(before, processor.values_to_raw(edited, 1, like), raw)


def _split(edits: Mapping[str, Any], spectra: Mapping[Path, Any], path: Path = ()) -> tuple[dict, dict]:
    """Separate edits of controls, nested, from edits of octaves of a spectrum, by path."""
    plain, octaves = {}, {}
    for name, value in edits.items():
        here = (*path, name)
        if here in spectra and isinstance(value, Mapping):
            octaves[here] = value
        elif isinstance(value, Mapping):
            inner, of_members = _split(value, spectra, here)
            octaves |= of_members
            if inner or not of_members:
                plain[name] = inner
        else:
            plain[name] = value
    return plain, octaves


def _refuse_nulls(edits: Mapping[str, Any]) -> None:
    for path, value in trees.items(edits):
        if value is None:
            raise GraphError(f"{'.'.join(path)} is null, but must be a number: leave it out to have its default")


def _check_shapes(processor: Any, raw: Any) -> None:
    sizes = dict(trees.items(processor.parameter_size()))
    for path, value in trees.items(raw):
        size = sizes.get(path, value.shape)
        shape = (size,) if isinstance(size, int) else tuple(size)
        if tuple(value.shape) != shape:
            raise GraphError(f"{'.'.join(path)} must be of shape {shape}, not {tuple(value.shape)}")


def _refuse_summaries(processor: Any, batch: Any, edits: Mapping[str, Any]) -> None:
    for path in dict.fromkeys(path[:-1] for path, _ in trees.items(_summaries(processor, batch, 1)[0])):
        if trees.at(edits, path) is not None:
            names = ", ".join(leaf.name for leaf in _leaves(processor))
            raise GraphError(
                f"{'.'.join(path)} summarizes many values of the tensors, and cannot be set: leave it as it"
                f" was, or delete it and set {names}"
            )


# Trees


def _summaries(processor: Any, raw_parameters: Any, count: int) -> list[dict[str, Any]]:
    """What the processor, or members of it, tell of many values."""
    contract = contract_of(processor)
    if (own := contract.summary(raw_parameters)) is not None:
        return own
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for path, member in contract.members().items():
        for row, summary in zip(rows, _summaries(member, trees.at(raw_parameters, path), count), strict=True):
            if summary:
                row.update(trees.joined(row, trees.nested(path, summary)))
    return rows


def _readable(values: Mapping[str, Any], row: int, spectra: Mapping[Path, Any], path: Path = ()) -> dict[str, Any]:
    readable = {}
    for name, value in values.items():
        here = (*path, name)
        if isinstance(value, Mapping):
            readable[name] = _readable(value, row, spectra, here)
        elif not value[row].isfinite().all():
            continue  # no number that a file could hold
        elif value[row].numel() <= LONGEST:
            readable[name] = _rounded(value[row].tolist())
        elif here in spectra:
            control = spectra[here]
            means = {label: mean_of(value[row][..., band], control) for label, band in bands_of(control).items()}
            readable[name] = {label: _rounded(mean.tolist()) for label, mean in means.items()}
    return {name: value for name, value in readable.items() if value != {}}


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(child) for name, child in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else float(f"{value:.5g}")
