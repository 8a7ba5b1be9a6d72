"""What the nodes of a graph are set to, in physical values and in words, and the raw parameters that this means.

Processors are known by their contract alone: one that has controls has ``dsp_to_raw``, ``raw_to_dsp`` and
``parameter_size``. One that has many values in a control may have ``summary``, which tells what they amount to.

Physical values are what people read and edit, so they count where they and raw tensors disagree.
"""

import hashlib
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from .errors import GraphError, GraphWarning

WEIGHT = "drywet_weight"
"""Node attribute that holds how much of a processor's output is heard, from 0 to 1."""

BYPASS = "bypass"
"""Node attribute that is true where nothing of it is heard, whatever its weight."""

LONGEST = 32
"""More numbers than this in one control, such as the magnitudes of a whole spectrum, are no setting to read."""

OCTAVES = (31.5, 63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)
"""Bands in Hz by whose means a spectrum is told and set."""

MOST_PLACES = 4
"""Of more bands or taps than this, words tell the highest and the lowest."""

UNITS = {"db": "dB", "hz": "Hz", "freq": "Hz", "ms": "ms", "s": "s"}
_PLACE = re.compile(r"[\d.]+ (Hz|ms)\b")
_ROUNDING = 1e-4  # of a number, by which settings may miss what tensors tell

Path = tuple[str, ...]


class Settings(dict):
    """Physical values of a node, which know the tensors that they tell of."""

    def __init__(self, values: Mapping[str, Any], parameters: Any) -> None:
        super().__init__(values)
        self.digest = _digest(parameters)


def held_settings(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The settings of a node; None where there are none, or where they are of other tensors than it has now."""
    settings = data.get("settings")
    if not isinstance(settings, Settings):
        return settings
    return settings if settings.digest == _digest(data.get("parameters")) else None


def raw_row(processor: Any, data: Mapping[str, Any], place: str) -> Any:
    """The raw parameters of a node, without a batch axis.

    Args:
        processor: That of its type, or None where it is not known.
        data: The attributes of the node. ``parameters`` are raw tensors, or physical values of controls, or both; where
            both say something about a control, the physical value counts, and a warning says so. So do ``settings``
            that disagree with the tensors. Controls that are given by neither are at their default.
        place: The node, for messages.

    Raises:
        ValueError: A control has a wrong name or value. The message names the node, the control and its range.
    """
    parameters, settings = data.get("parameters"), held_settings(data)
    if not hasattr(processor, "dsp_to_raw") or not processor.controls:
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
            raw = _row(processor.dsp_to_raw({}, batch_size=1))
            return _applied(processor, raw, _joined(settings or {}, physical))
        _check_shapes(processor, raw)
        now = settings_of(processor, _batch(raw), 1)[0]
        edits = _joined(_edits(settings or {}, now), physical)
        row = _applied(processor, raw, edits)
    except ValueError as error:
        raise type(error)(f"{place}: {str(error).rstrip('.')}.") from None
    if edits:
        said = ", ".join(f"{'.'.join(path)} {_said(value)}{_was(now, path)}" for path, value in _items(edits))
        warnings.warn(f"{place} is set by hand, which counts in place of its tensors: {said}.", GraphWarning, 2)
    return row


def with_defaults(processor: Any, raw: Mapping[str, Any], rows: int | None = None) -> Mapping[str, Any]:
    """Raw parameters in which those that are missing are at the defaults of their controls.

    Args:
        processor: One that has controls.
        raw: Nested tensors.
        rows: How many nodes they are of; None for those of a single one, without a batch axis.
    """
    if set(_paths(processor.parameter_size())) <= set(_paths(raw)):
        return raw
    like = next((value for _, value in _items(raw) if isinstance(value, Tensor)), None)
    defaults = processor.dsp_to_raw({}, rows or 1, like)
    return _joined(defaults if rows else _row(defaults), raw)


def settings_of(processor: Any, raw_parameters: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Physical values of the raw parameters of nodes: for each, numbers and lists, nested as controls are.

    A spectrum is told by its means in octaves, ``{"125 Hz": 2.0, …}``. There are none of processors without controls,
    nor of other controls with many numbers, but what ``summary`` tells of them.
    """
    if not hasattr(processor, "raw_to_dsp"):
        return [{}] * count
    with torch.no_grad():
        values = processor.raw_to_dsp(raw_parameters)
        summaries = _summaries(processor, raw_parameters, count)
    spectra = {leaf.path: leaf.control for leaf in _leaves(processor) if leaf.control.hertz}
    return [_joined(_readable(values, row, spectra), _rounded(summaries[row])) for row in range(count)]


# In words


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in words, a line for each: ``"threshold −20 dB"``."""
    return "\n".join(f"{' '.join(path)} {value}" for path, value in _lines(settings, ()))


def node_lines(data: Mapping[str, Any]) -> list[str]:
    """What a node is set to in words, a line for each setting, and how much of it is heard."""
    settings = held_settings(data) or _plain_settings(data)
    lines = settings_text(settings).split("\n") if isinstance(settings, Mapping) and settings else []
    if data.get(BYPASS) is True:
        return [*lines, "bypassed"]
    weight = data.get(WEIGHT)
    return [*lines, f"{_in_words(100 * weight)} % wet"] if isinstance(weight, int | float) else lines


def node_text(data: Mapping[str, Any]) -> str:
    """A node in words: ``"gain left gain −3 dB, right gain −3 dB, 100 % wet"``."""
    return f"{data['node_type']} {', '.join(node_lines(data))}".rstrip()


def _plain_settings(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Physical values that a node was given as parameters: numbers, where raw parameters are tensors."""
    parameters = data.get("parameters")
    return parameters if isinstance(parameters, dict) and _is_plain(parameters) else None


def _is_plain(value: Any) -> bool:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    return isinstance(value, int | float) if values is None else all(map(_is_plain, values))


def _lines(settings: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    for name, value in settings.items():
        stem, _, suffix = name.rpartition("_")
        unit = UNITS.get(suffix) if stem else None
        place = (*path, (stem if unit else name).replace("_", " "))
        if isinstance(value, Mapping) and not _is_placed(value):
            yield from _lines(value, (*path, name))
        elif isinstance(value, Mapping):
            yield place, _places_in_words(value, f" {unit}" if unit else "")
        else:
            numbers = ", ".join(_in_words(number, name) for number in _flat(value))
            yield place, f"{numbers} {unit}" if unit else numbers


def _is_placed(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(_PLACE.match(key) for key in value)


def _places_in_words(values: Mapping[str, Any], unit: str) -> str:
    pairs = [(number, place) for place, value in values.items() for number in _flat(value)]
    if len(pairs) > MOST_PLACES:
        top, bottom = max(pairs, key=lambda pair: pair[0]), min(pairs, key=lambda pair: pair[0])
        pairs = [top] if _in_words(top[0]) == _in_words(bottom[0]) else [top, bottom]
        if len(pairs) == 1:
            return f"{_in_words(top[0])}{unit} throughout"
    return ", ".join(f"{_in_words(number)}{unit} at {place}" for number, place in pairs)


def _in_words(number: float, name: str = "") -> str:
    """Three digits, and no power of ten where there are more before the point, nor a sign of nothing."""
    if name.endswith("ratio") and abs(number) > 1000:
        return "∞"
    number = 0.0 if abs(number) < 1e-4 else number
    return (f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}").replace("-", "−")


def _flat(value: Any) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value


# What is raw and what physical


def _sort(processor: Any, parameters: Mapping[str, Any], place: str) -> tuple[Any, dict[str, Any]]:
    """Raw tensors, or None where there are none, and physical values."""
    if not hasattr(parameters, "items"):
        raise GraphError(f"{place}: its parameters are {parameters!r:.80}, but should be a dict.")
    sizes, controls = set(_paths(processor.parameter_size())), {leaf.path for leaf in _leaves(processor)}
    given = dict(_items(parameters))
    if given and all(path in sizes and (isinstance(v, Tensor) or path not in controls) for path, v in given.items()):
        _refuse_lists(processor, given, place)
        return parameters, {}
    raw, physical = {}, {}
    for path, value in given.items():
        _put(raw if isinstance(value, Tensor) and path in sizes else physical, path, value)
    _refuse_others(physical, sizes, controls, place)
    return raw or None, physical


def _refuse_others(physical: Mapping[str, Any], sizes: set[Path], controls: set[Path], place: str) -> None:
    """Tensors that a file kept while the type of their node was changed."""
    others = [path for path, v in _items(physical) if isinstance(v, Tensor) and v.ndim and path not in controls]
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
    return processor.leaves() if hasattr(processor, "leaves") else []


# What was edited


def _was(before: Mapping[str, Any], path: Path) -> str:
    value = _at(before, path)
    return "" if value is None else f" (was {_said(value)})"


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else repr(value)[:80]


def _edits(given: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Of given settings those that are others than those now."""
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
    """Raw parameters in which some physical values are others; what they do not reach stays as it is, to the bit."""
    if not edits:
        return raw
    batch = _map(_batch(raw), Tensor.detach)
    like = next(value for _, value in _items(batch))
    values = processor.raw_to_dsp(batch)
    before = processor.values_to_raw(values, 1, like)
    spectra = {leaf.path: leaf for leaf in _leaves(processor) if leaf.control.hertz}
    plain, octaves = _split(edits, spectra)
    _refuse_nulls(edits)
    _refuse_summaries(processor, batch, plain)
    complete = processor.complete(plain, 1, like)
    edited = _copied(values)
    for path in (leaf.path for leaf in _leaves(processor) if _at(plain, leaf.path) is not None):
        _put(edited, path, _at(complete, path))
    for path, numbers in octaves.items():
        _check_octaves(processor, spectra[path], numbers, like)
        _put(edited, path, _shifted(_at(edited, path), numbers, spectra[path]))
    return _map_three(before, processor.values_to_raw(edited, 1, like), raw)


def _split(edits: Mapping[str, Any], spectra: Mapping[Path, Any], path: Path = ()) -> tuple[dict, dict]:
    """Edits of controls, nested, and those of octaves of a spectrum, by their paths."""
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
    for path, value in _items(edits):
        if value is None:
            raise GraphError(f"{'.'.join(path)} is null, but must be a number: leave it out to have its default")


def _check_shapes(processor: Any, raw: Any) -> None:
    sizes = dict(_items(processor.parameter_size()))
    for path, value in _items(raw):
        size = sizes.get(path, value.shape)
        shape = (size,) if isinstance(size, int) else tuple(size)
        if tuple(value.shape) != shape:
            raise GraphError(f"{'.'.join(path)} must be of shape {shape}, not {tuple(value.shape)}")


def _check_octaves(processor: Any, leaf: Any, numbers: Mapping[str, Any], like: Tensor) -> None:
    for label, value in numbers.items():
        if label not in (bands := _bands(leaf.control)):
            raise GraphError(f"{leaf.name} has no octave {label!r}; it has {', '.join(bands)}")
        for number in _flat(value):
            processor.complete(_nested(leaf.path, number), 1, like)
        shape = leaf.shape[:-1]
        if isinstance(value, list | tuple) and torch.tensor(value).shape != shape:
            raise GraphError(
                f"{leaf.name} at {label} is {value!r}, but should be a number{f' or {shape[0]}' * bool(shape)}"
            )


def _refuse_summaries(processor: Any, batch: Any, edits: Mapping[str, Any]) -> None:
    for path in dict.fromkeys(path[:-1] for path, _ in _items(_summaries(processor, batch, 1)[0])):
        if _at(edits, path) is not None:
            names = ", ".join(leaf.name for leaf in _leaves(processor))
            raise GraphError(
                f"{'.'.join(path)} tells what many values of the tensors amount to, and cannot be set: leave it as it"
                f" was, or delete it and set {names}"
            )


def _shifted(values: Tensor, edits: Mapping[str, Any], leaf: Any) -> Tensor:
    """A spectrum with other means in some octaves: added to, or multiplied where its scale is logarithmic."""
    control, values, bands = leaf.control, values.clone(), _bands(leaf.control)
    for label, number in edits.items():
        part = values[..., bands[label]]
        target = torch.as_tensor(number, dtype=values.dtype, device=values.device)
        now = _mean(part, control)
        values[..., bands[label]] = (
            part * (target / now).unsqueeze(-1) if control.scale == "log" else part + (target - now).unsqueeze(-1)
        )
    return values


def _bands(control: Any) -> dict[str, list[int]]:
    """Octaves that have frequencies, and which."""
    bands: dict[str, list[int]] = {}
    for index, hertz in enumerate(control.hertz):
        octave = round(math.log2(max(hertz, 1.0) / 1000)) + 5
        bands.setdefault(f"{OCTAVES[min(max(octave, 0), len(OCTAVES) - 1)]:g} Hz", []).append(index)
    return bands


def _mean(values: Tensor, control: Any) -> Tensor:
    return values.log().mean(-1).exp() if control.scale == "log" else values.mean(-1)


# Trees


def _summaries(processor: Any, raw_parameters: Any, count: int) -> list[dict[str, Any]]:
    """What the processor, or members of it, tell of many values."""
    if hasattr(processor, "summary"):
        return processor.summary(raw_parameters)
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for path, member in processor.members().items() if hasattr(processor, "members") else ():
        for row, summary in zip(rows, _summaries(member, _at(raw_parameters, path), count), strict=True):
            if summary:
                row.update(_joined(row, _nested(path, summary)))
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
            means = {label: _mean(value[row][..., band], control) for label, band in _bands(control).items()}
            readable[name] = {label: _rounded(mean.tolist()) for label, mean in means.items()}
    return {name: value for name, value in readable.items() if value != {}}


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(child) for name, child in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else float(f"{value:.5g}")


def _digest(tree: Any) -> str:
    """Of the tensors in a tree."""
    digest = hashlib.sha256()
    for path, value in sorted(_items(tree or {})) if hasattr(tree, "items") else ():
        if isinstance(value, Tensor):
            digest.update(repr((path, tuple(value.shape), value.dtype)).encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _items(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    for name, value in tree.items():
        if hasattr(value, "items"):
            yield from _items(value, (*path, name))
        else:
            yield (*path, name), value


def _paths(tree: Any) -> Iterator[Path]:
    return (path for path, _ in _items(tree))


def _at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree.get(name) if hasattr(tree, "get") else None
    return tree


def _put(tree: dict[str, Any], path: Path, value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _nested(path: Path, value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _joined(tree: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both, and the other where they meet."""
    joined = dict(tree)
    for name, value in other.items():
        both = hasattr(value, "items") and hasattr(joined.get(name), "items")
        joined[name] = _joined(joined[name], value) if both else value
    return joined


def _copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(value) if isinstance(value, Mapping) else value for name, value in tree.items()}


def _batch(tree: Any) -> Any:
    return _map(tree, lambda tensor: tensor[None])


def _row(tree: Any) -> Any:
    return _map(tree, lambda tensor: tensor[0])


def _map(tree: Any, function: Any) -> Any:
    if isinstance(tree, Tensor):
        return function(tree)
    return {name: _map(value, function) for name, value in tree.items()}


def _map_three(before: Any, after: Any, raw: Any) -> Any:
    """``after`` where it is not ``before``, and else ``raw``."""
    if isinstance(raw, Tensor):
        kept = (before == after) | before.isnan()
        return torch.where(kept[0], raw, after[0].to(raw.dtype))
    return {name: _map_three(before[name], after[name], value) for name, value in raw.items()}
