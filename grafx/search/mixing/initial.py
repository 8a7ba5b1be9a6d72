"""Initial parameters of a search: a console at the right levels with little other effect."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from ... import processors as library
from ...data import GRAFX
from ...parameters.settings import with_control
from ...parameters.tensors import shape_of
from ...processors import (
    Compressor,
    Limiter,
    MultitapDelay,
    NoiseGate,
    SideGainImager,
    StereoGain,
    STFTMaskedNoiseReverb,
    ZeroPhaseFIREqualizer,
)
from ...processors.contract import contract_of
from ...trees import row
from ..loudness import reference_gain
from .bypass import Roles, returns_of
from .console import processors_for
from .curves import at_bins, nearest_curves, power_spectrogram
from .mixer import THRESHOLD, WEIGHT
from .weighted import inner

GENTLE = (
    ZeroPhaseFIREqualizer,
    Compressor,
    NoiseGate,
    SideGainImager,
    StereoGain,
    MultitapDelay,
    STFTMaskedNoiseReverb,
)
"""Classes that start at :data:`INITIAL_VALUES` instead of the defaults of their controls."""

INITIAL_VALUES: dict[str, float | tuple[float, ...]] = {
    "log_threshold": 0.0,
    "log_ratio": -1.0,
    "log_knee": 0.0,
    "z_alpha_pre": (6.1, 8.4),  # attack 10 ms and release 100 ms at 44.1 kHz
}
"""Raw parameters of these that do not start at zero."""

AT_WORK = {Limiter: {"threshold_db": -12.0}}
"""Settings other than their defaults at which classes do something to a signal at −14 LUFS."""

Starts = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Owner of a chain to node type to control to its physical value."""
EVERYONE = ""
"""The owner of what counts for all that are not named."""

USUAL_WEIGHT = 0.9
LONG_WEIGHT = 0.1
"""Dry/wet weight of delays and reverbs in a chain, whose dry signal would be masked otherwise."""
GAIN_WEIGHT = 0.99
"""Dry/wet weight of gains, on which the level depends."""

LOG_SEND = math.log(0.1)
"""Log gain of sends: low, but loud enough to be heard by a search."""

SCATTER = 0.2
"""Standard deviation of what other seeds than 0 add to raw parameters: 1.7 dB of gains, 0.9 dB of thresholds."""

SCATTERED = 8
"""How many points of a spectrum scatter on their own."""

LOG_GAIN_RANGE = math.log(1e-2), math.log(10.0)

LONG = tuple(getattr(library, name) for name in (*library.delay.__all__, *library.reverb.__all__))


def set_initial_parameters(
    G: GRAFX,
    stems: Tensor,
    mix: Tensor,
    seed: int,
    sample_rate: float = 44100,
    processors: Mapping[str, nn.Module] | None = None,
    starts: Starts | None = None,
) -> None:
    """Set the initial raw parameters and dry/wet weight of every processor that holds none.

    Dynamics are gentle, delays random in their segments; sends at −20 dB. Others are at the defaults of their
    controls, limiters lower, those without controls at zeros. In each chain of a stem, the first gain is that of
    :func:`nearest_log_gains`, the first equalizer that of :func:`nearest_curves`; others are flat. Thresholds of
    dynamics, wherever they are, correspond to stems, or a mix, at −14 LUFS; on a return to what the sends leave of it.
    With another seed than 0, all of them are a little beside that, so that each seed is a search of its own.

    Args:
        G: A graph whose processors have the ``owner`` that :func:`with_owners` gives; changed in place.
        stems: ``(K, 2, L)``, in the order of the ``in`` nodes.
        mix: ``(2, L)``.
        seed: Seed of random parameters.
        sample_rate: In Hz.
        processors: Node type to processor; by default those of a console.
        starts: Settings in place of the usual ones, but for what the audio tells: levels and curves.

    Raises:
        ValueError: A start is no value of a control; the message names it.
    """
    stem_rise, mix_rise = (2 * math.log(reference_gain(x, sample_rate)) for x in (stems.sum(0), mix))
    generator = torch.Generator().manual_seed(seed)
    processors = processors_for(G, sample_rate) if processors is None else processors
    roles = Roles(G, processors)
    names = [data["name"] for _, data in sorted(G.nodes(data=True)) if data["node_type"] == "in"]
    log_gains = nearest_log_gains(stems, mix)
    levels = dict(zip(names, log_gains, strict=True))
    centres, all_curves = nearest_curves(stems, mix, log_gains, sample_rate)
    curves = dict(zip(names, all_curves, strict=True))
    returned = {G.nodes[bus].get("name") for bus in returns_of(G, roles)}
    waiting = dict(levels)  # for the first gain of their chains
    for _, data in sorted(G.nodes(data=True)):
        node_type, owner = data["node_type"], data.get("owner")
        if node_type not in processors:
            continue
        processor = inner(processors[node_type])
        is_send, is_gain = node_type in roles.sends, node_type in roles.gains
        level = waiting.pop(owner, None) if is_gain and not is_send else None
        if not (data.get("parameters") or data.get("settings")):
            rise = stem_rise if owner in levels else mix_rise - 2 * LOG_SEND * (owner in returned)
            data["parameters"] = _initial_values(processor, generator, rise)
            if is_gain and is_send:
                data["parameters"]["log_gain"] = torch.full_like(data["parameters"]["log_gain"], LOG_SEND)
            elif level is not None:
                data["parameters"]["log_gain"] = level
            elif isinstance(processor, ZeroPhaseFIREqualizer) and owner in curves:
                count = processor.num_magnitude_bins
                hertz = torch.arange(count) * (sample_rate / 2 / count)
                data["parameters"]["log_magnitude"] = at_bins(centres, curves.pop(owner), hertz)
            else:
                data["parameters"] = _started(processor, data["parameters"], node_type, owner, starts or {})
            if seed:
                data["parameters"] = _scattered(data["parameters"], generator)
        if WEIGHT not in data:
            is_long = isinstance(processor, LONG) and owner not in returned
            data[WEIGHT] = LONG_WEIGHT if is_long else GAIN_WEIGHT if is_gain and not is_send else USUAL_WEIGHT


def _started(processor: nn.Module, values: dict[str, Any], node_type: str, owner: Any, starts: Starts) -> Any:
    """Raw parameters at the settings that a node of this type and owner starts from."""
    settings = {**starts.get(EVERYONE, {}).get(node_type, {}), **starts.get(owner, {}).get(node_type, {})}
    for name, value in settings.items():
        try:
            values = with_control(processor, values, [name], value)
        except ValueError as error:
            raise type(error)(f"The start of {node_type}: {error}") from None
    return values


def nearest_log_gains(stems: Tensor, mix: Tensor) -> Tensor:
    """Compute the log gains with which the power spectrograms of the stems add up to nearly that of the mix.

    Powers rather than samples are compared because effects shift phases. Gains are limited to −40 and +20 dB.

    Args:
        stems: ``(K, 2, L)``.
        mix: ``(2, L)``.

    Returns:
        ``(K, 2)``, one for each channel, found by non-negative least squares.
    """
    from scipy.optimize import nnls

    log_gains = []
    for sources, target in zip(stems.unbind(1), mix, strict=True):
        wanted = _power(target).reshape(-1)
        scale = max(wanted.max(), 1e-30)  # the solver has tolerances of its own
        solution, _ = nnls(_power(sources).reshape(len(sources), -1).T / scale, wanted / scale)
        log_gains.append(0.5 * np.log(np.maximum(solution, 1e-30)))
    return torch.tensor(np.array(log_gains).T, dtype=stems.dtype).clamp(*LOG_GAIN_RANGE)


def _power(signal: Tensor) -> np.ndarray:
    return power_spectrogram(signal, 2048).numpy()


def _initial_values(processor: nn.Module, generator: torch.Generator, rise: float) -> dict[str, Any]:
    """Raw parameters of a node, with thresholds lowered by ``rise``, the ln of an energy."""
    sizes = contract_of(processor).parameter_size()
    if isinstance(processor, GENTLE) and _fits(sizes):
        values = {name: _gentle(name, size, generator) for name, size in sizes.items()}
    elif contract_of(processor).controls:
        values = row(processor.dsp_to_raw(_at_work(processor), 1))
    else:
        values = _zeros(sizes)
    return _lowered(values, rise)


def _at_work(processor: nn.Module) -> dict[str, float]:
    controls, settings = contract_of(processor).controls, AT_WORK.get(type(processor), {})
    return {name: v for name, v in settings.items() if controls[name].low <= v <= controls[name].high}


def _fits(sizes: Mapping[str, Any]) -> bool:
    return all(
        math.prod(shape_of(sizes[name])) == len(values)
        for name, values in INITIAL_VALUES.items()
        if name in sizes and isinstance(values, tuple)
    )


def _gentle(name: str, size: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name == "delay_z":
        return torch.randn(shape_of(size), generator=generator)
    return torch.tensor(INITIAL_VALUES.get(name, 0.0)).expand(shape_of(size)).clone()


def _zeros(sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _zeros(size) if isinstance(size, Mapping) else torch.zeros(shape_of(size)) for name, size in sizes.items()
    }


def _lowered(values: Mapping[str, Any], rise: float) -> dict[str, Any]:
    return {
        name: _lowered(value, rise) if isinstance(value, Mapping) else value - rise if name == THRESHOLD else value
        for name, value in values.items()
    }


def _scattered(values: Mapping[str, Any], generator: torch.Generator) -> dict[str, Any]:
    """Raw parameters with random offsets, which are smooth along spectra."""
    return {
        name: _scattered(value, generator) if isinstance(value, Mapping) else value + _offsets(name, value, generator)
        for name, value in values.items()
    }


def _offsets(name: str, values: Tensor, generator: torch.Generator) -> Tensor:
    if name == "delay_z":  # which is random anyway
        return torch.zeros_like(values)
    rows = values.reshape(-1, *(values.shape[-1:] or (1,)))
    size = rows.shape[-1]
    points = SCATTER * torch.randn(1, len(rows), min(size, SCATTERED), generator=generator)
    offsets = nn.functional.interpolate(points, size, mode="linear", align_corners=True)
    return offsets.reshape(values.shape).to(values)
