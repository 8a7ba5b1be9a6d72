"""Devices of a DAWproject as our processors, and the other way round."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ...data.attributes import BYPASS, WEIGHT
from ...processors import (
    ApproxCompressor,
    ApproxNoiseGate,
    BandPassFilter,
    BandRejectFilter,
    ButterworthFilter,
    Compressor,
    Expander,
    HighPassFilter,
    HighShelf,
    Limiter,
    LowPassFilter,
    LowShelf,
    NoiseGate,
    ParametricEqualizer,
    PeakingFilter,
)
from ...processors.base import Control
from ...processors.dynamics.base import KeyedGain
from ...search.mixing.console import console_processors
from ..parts import Part
from .model import COMPRESSOR, EQUALIZER, GATE, LIMITER, UNITY, Band, Device, Gains

FILTERS: Mapping[type, str] = {
    LowShelf: "lowShelf",
    HighShelf: "highShelf",
    PeakingFilter: "bell",
    LowPassFilter: "lowPass",
    HighPassFilter: "highPass",
    BandPassFilter: "bandPass",
    BandRejectFilter: "notch",
}
DYNAMICS: Mapping[type, str] = {
    ApproxCompressor: COMPRESSOR,
    ApproxNoiseGate: GATE,
    Compressor: COMPRESSOR,
    Expander: GATE,
    Limiter: LIMITER,
    NoiseGate: GATE,
}
TYPES: Mapping[str, str] = {COMPRESSOR: "compressor", GATE: "noisegate", LIMITER: "limiter"}
"""Devices and the node types that they are read as."""
SHELVES_AND_BELLS = 10  # filters of the "peq" of a console
BUTTERWORTH = math.sqrt(0.5)
UNLIMITED_DB = -120.0
"""The range of a gate that lets nothing through."""


@dataclass(frozen=True)
class DeviceNode:
    """A node that stands for a device, or for a part of one."""

    type: str
    parameters: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


# Devices as nodes


def steps_of(device: Device, sample_rate: int) -> list[DeviceNode]:
    """The nodes of a device in the order of the signal, without the gains around it; none for one that is unknown."""
    if device.kind == EQUALIZER:
        steps = _filters([band for band in device.bands if band.enabled], sample_rate)
    elif device.kind in TYPES:
        controls = {"knee_db": 0.0, **device.values} if device.kind != LIMITER else dict(device.values)
        if device.kind == LIMITER:
            controls["makeup_db"] = controls.get("output_db", 0.0)
        attributes = {}
        if controls.get("range_db", UNLIMITED_DB) > UNLIMITED_DB:
            attributes[WEIGHT] = 1 - 10 ** (min(controls["range_db"], 0.0) / 20)
        steps = [_step(TYPES[device.kind], controls, sample_rate, attributes)]
    else:
        return []
    if not device.enabled:
        steps = [DeviceNode(step.type, step.parameters, {**step.attributes, BYPASS: True}) for step in steps]
    return steps


def gains_around(device: Device) -> tuple[float, float]:
    """The gains before and behind the nodes of a device; that behind a limiter is its own."""
    before, after = device.values.get("input_db", 0.0), device.values.get("output_db", 0.0)
    if not device.enabled:
        return 1.0, 1.0
    return 10 ** (before / 20), 1.0 if device.kind == LIMITER else 10 ** (after / 20)


def decibels(gain: float) -> float:
    """Those of an amplitude."""
    return 20 * math.log10(max(gain, 1e-6))


def gain_steps(gains: Gains, node_type: str = "gain", always: bool = False) -> list[DeviceNode]:
    """The node of gains; none where they change nothing, unless it is wanted in any case."""
    if gains == UNITY and not always:
        return []
    left, right = map(decibels, gains)
    return [_step(node_type, {"left_gain_db": left, "right_gain_db": right}, 0)]


def inverse(device: Device) -> Device:
    """The equalizer of shelves and bells that undoes another one."""
    bands = [replace(band, db=-band.db) for band in device.bands]
    after, before = device.values.get("input_db", 0.0), device.values.get("output_db", 0.0)
    return Device(EQUALIZER, device.name, {"input_db": -before, "output_db": -after}, bands)


def played(device: Device, signal: Tensor, sample_rate: int) -> Tensor:
    """The sound of a device for a signal ``(C, L)``."""
    before, after = gains_around(device)
    signal = before * signal
    for step in steps_of(device, sample_rate):
        processor = console_processors(sample_rate, [step.type])[step.type]
        raw = {n: v[None] if isinstance(v, Tensor) else v for n, v in step.parameters.items()}
        if not all(isinstance(v, Tensor) for v in raw.values()):
            raw = processor.dsp_to_raw(raw, 1)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
        weight = 0.0 if step.attributes.get(BYPASS) else step.attributes.get(WEIGHT, 1.0)
        with torch.no_grad():
            made: Any = processor(signal[None], **raw, drywet_weight=torch.tensor([weight], dtype=signal.dtype))
        signal = (made if isinstance(made, Tensor) else made[0])[0]
    return after * signal


def _filters(bands: Sequence[Band], sample_rate: int) -> list[DeviceNode]:
    """One filter as the class of its kind, several shelves and bells as parametric equalizers, and the rest."""
    simple = [band for band in bands if band.kind in ("bell", "lowShelf", "highShelf")]
    passes = [one for band in bands if band not in simple for one in _sections(band)]
    if len(simple) == 1:
        return [_filter(band, sample_rate) for band in (*simple, *passes)]
    low, high, bells = ([b for b in simple if b.kind == kind] for kind in ("lowShelf", "highShelf", "bell"))
    steps = []
    inside = SHELVES_AND_BELLS - 2
    for start in range(0, max(len(bells), inside if simple else 0), inside):
        group = [low.pop(0) if low else None, *bells[start : start + inside], high.pop(0) if high else None]
        steps.append(_equalizer(group, sample_rate))
    return [*steps, *(_filter(band, sample_rate) for band in (*low, *high, *passes))]


def _equalizer(group: Sequence[Band | None], sample_rate: int) -> DeviceNode:
    """A parametric equalizer of a low shelf, bells and a high shelf; filters that are missing do nothing."""
    first, *bells, last = group
    filled = [first, *bells, *[None] * (SHELVES_AND_BELLS - len(group)), last]
    usual = _controls("peq", sample_rate)["frequency_hz"].default[0]
    used = [Band("bell", usual[i]) if band is None else band for i, band in enumerate(filled)]
    values = {
        "frequency_hz": [band.hertz for band in used],
        "q": [band.q for band in used],
        "gain_db": [band.db for band in used],
    }
    return _step("peq", values, sample_rate)


def _filter(band: Band, sample_rate: int) -> DeviceNode:
    kind = next(cls for cls, name in FILTERS.items() if name == band.kind)
    values = {"frequency_hz": band.hertz, "q": band.q}
    if band.kind in ("bell", "lowShelf", "highShelf"):
        values["gain_db"] = band.db
    return _step(kind.__name__, values, sample_rate)


def _sections(band: Band) -> list[Band]:
    """A pass filter of a higher order as filters of the second one: a Butterworth filter, at its usual quality."""
    count = max(1, math.ceil(band.order / 2)) if band.kind in ("highPass", "lowPass") else 1
    if count == 1:
        return [band]
    qs = [1 / (2 * math.cos(math.pi * (2 * k + 1) / (4 * count))) for k in range(count)]
    qs[-1] *= band.q / BUTTERWORTH
    return [Band(band.kind, band.hertz, q=q) for q in qs]


def _controls(node_type: str, sample_rate: int) -> Mapping[str, Any]:
    processor: Any = console_processors(sample_rate or 44100, [node_type])[node_type]
    return {leaf.control.name: leaf.control for leaf in processor.leaves()}


def _step(
    node_type: str, values: Mapping[str, Any], sample_rate: int, attributes: Mapping[str, Any] | None = None
) -> DeviceNode:
    """A node at these physical values, or at raw ones where a value is beyond the range of its control."""
    processor: Any = console_processors(sample_rate or 44100, [node_type])[node_type]
    controls = _controls(node_type, sample_rate)
    known = {name: _rounded(value, controls[name]) for name, value in values.items() if name in controls}
    inside = all(
        controls[name].low <= number <= controls[name].high
        for name, value in known.items()
        for number in (value if isinstance(value, list) else [value])
    )
    if inside:
        return DeviceNode(node_type, known, dict(attributes or {}))
    complete = processor.complete({}, 1, torch.zeros((), dtype=torch.float64))
    for name, value in known.items():
        limit = _finite_limits(name, sample_rate)
        given = torch.tensor(value, dtype=torch.float64).clamp(*limit)
        complete[name] = given.reshape(complete[name].shape)
    raw = processor.values_to_raw(complete, 1, torch.zeros((), dtype=torch.float64))
    return DeviceNode(node_type, {name: value[0].float() for name, value in raw.items()}, dict(attributes or {}))


def _rounded(value: Any, control: Control) -> Any:
    """Numbers at an end of the range of a control where they are beyond it by but a rounding."""
    if isinstance(value, list):
        return [_rounded(number, control) for number in value]
    nearest = min(max(value, control.low), control.high)
    return nearest if math.isclose(value, nearest, rel_tol=1e-6, abs_tol=1e-6) else value


def _finite_limits(name: str, sample_rate: int) -> tuple[float, float]:
    """Within which raw parameters of a control are finite."""
    if name == "frequency_hz":
        return 1.0, 0.499 * sample_rate
    if name in ("q", "attack_ms", "release_ms"):
        return 1e-3, 1e6
    if name == "ratio":
        return 1.0, 1e4
    return (0.0, 120.0) if name == "knee_db" else (-200.0, 200.0)


# Nodes as devices


def short_name(part: Part) -> str:
    """The name of a node, or its type where it has none."""
    return part.type if part.name == f"{part.type} {part.id}" else part.name


def device_of(part: Part) -> Device | None:
    """The device with the settings of a node, whatever its share; ``None`` for a class that none stands for."""
    processor = part.processor
    if isinstance(processor, ParametricEqualizer) or type(processor) in FILTERS:
        bands = _bands(part)
        return None if bands is None else Device(EQUALIZER, short_name(part), bands=bands)
    if isinstance(processor, ButterworthFilter):
        if processor.kind == "band" or processor.order % 2:
            return None
        band = Band(f"{processor.kind}Pass", float(part.values["frequency_hz"]), order=processor.order)
        return Device(EQUALIZER, short_name(part), bands=[band])
    kind = DYNAMICS.get(type(processor))  # pyright: ignore[reportArgumentType]
    if kind is None or not isinstance(processor, KeyedGain) or len(processor.inlets) > 1:
        return None
    found = {name: float(value) for name, value in part.values.items()}
    values = {name: found[name] for name in ("threshold_db", "ratio", "attack_ms", "release_ms") if name in found}
    if getattr(processor, "knee", None) == "quadratic" and "knee_db" in found:
        values["knee_db"] = max(found["knee_db"], 0.0)
    if "smoothing_ms" in found:
        values["attack_ms"] = values["release_ms"] = found["smoothing_ms"]
    if "makeup_db" in found:
        values["output_db"] = found["makeup_db"]
    if "ratio" in values and not 1 <= values["ratio"] <= 1000:
        values["ratio"] = 1000.0  # one that falls beyond infinity
    if kind == GATE:
        values["range_db"] = found.get("range_db", _db_of(1 - part.wet))
        if "range_db" in found:
            values["ratio"] = 20.0
    return Device(kind, short_name(part), values)


def _bands(part: Part) -> list[Band] | None:
    """The filters of an equalizer that is the same for both channels."""
    names = ("frequency_hz", "q", "gain_db")
    hertz, qs, gains = (part.values[name].reshape(-1) if name in part.values else None for name in names)
    count = int(hertz.numel())  # pyright: ignore[reportOptionalMemberAccess]
    gains = torch.zeros(count) if gains is None else gains
    if isinstance(part.processor, ParametricEqualizer):
        kinds = ["bell"] * part.processor.parameter_size()["w0"][1]
        if part.processor.use_shelving_filters:
            kinds[0], kinds[-1] = "lowShelf", "highShelf"
        rows = [each.reshape(-1, len(kinds)) for each in (hertz, qs, gains)]  # pyright: ignore
        if any(not torch.equal(row[0], other) for row in rows for other in row):
            return None
        hertz, qs, gains = (row[0] for row in rows)
    else:
        kinds = [FILTERS[type(part.processor)]] * count  # pyright: ignore[reportArgumentType]
    rows = zip(kinds, hertz.tolist(), gains.tolist(), qs.tolist(), strict=True)  # pyright: ignore
    return [Band(kind, frequency, db, q) for kind, frequency, db, q in rows]


def _db_of(amplitude: float) -> float:
    return max(20 * math.log10(amplitude), UNLIMITED_DB) if amplitude > 0 else UNLIMITED_DB
