"""Processors that do what plug-ins of pedalboard do, and their parameters for the settings of those."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from ... import processors as library
from ... import trees
from ...errors import ExchangeError
from ...search.mixing.console import console_processors, made_by_name
from ...search.mixing.weighted import inner

LOOKAHEAD_MS = 5.0
LONGEST_DELAY_S = 30.0
FIRST_STAGE = {"threshold_db": -10.0, "ratio": 4.0, "attack_ms": 2.0, "release_ms": 200.0}
SECOND_RATIO, SECOND_ATTACK_MS, MAKEUP_DB = 1000.0, 1e-3, 3.75
"""Those of the limiter's second stage, and its gain at a threshold of 0 dB."""
LADDERS: dict[str, Any] = {
    "LPF12": "low12",
    "LPF24": "low24",
    "HPF12": "high12",
    "HPF24": "high24",
    "BPF12": "band12",
    "BPF24": "band24",
}
OCTAVES = math.log2(1000) / 2
"""How far a phaser of depth 1 swings to each side: half of the range from 20 Hz to 20 kHz."""
SWING_MS = 10.0
"""How far a chorus of depth 1 swings to each side."""
WET, DRY = 3.0, 2.0
"""What a reverb scales its levels by."""
HARD = 1e-4  # dB, of a knee
LARGEST_RAW = 40.0  # which stands for infinity


class LongChorus(library.Flanger):
    """A :class:`~grafx.processors.Flanger` whose delays are those of a chorus."""

    delays, depths = (0.1, 110.0), (0.0, SWING_MS * 1.05)


class WidePhaser(library.Phaser):
    """A :class:`~grafx.processors.Phaser` of six stages that may swing across all frequencies."""

    octaves = (0.0, 5.1)


@dataclass(frozen=True)
class Counterpart:
    """What stands for a plug-in: a node type, its processor, and raw parameters without a batch axis."""

    type: str
    processor: nn.Module
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class PluginKind:
    """What stands for a class of plug-ins.

    Attributes:
        type: Node type: one of a console, a class of :mod:`grafx.processors`, or one of :data:`OWN`.
        values: Settings to nested physical values.
    """

    type: str | Callable[[Mapping[str, Any]], str]
    values: Callable[[Mapping[str, Any]], dict[str, Any]]


def _limiter(sample_rate: float) -> nn.Module:
    stage = lambda: library.Compressor(style="desk", sample_rate=sample_rate, knee_type="hard")  # noqa: E731
    clip = library.Waveshaper("hard", sample_rate=sample_rate)
    return library.SerialChain({"first": stage(), "second": stage(), "gain": library.StereoGain(), "clip": clip})


def _reverb(sample_rate: float) -> nn.Module:
    mixed = library.DryWet(library.Freeverb(sample_rate), external_param=False)
    return library.SerialChain({"reverb": mixed, "gain": library.StereoGain()})


def _delay(sample_rate: float) -> nn.Module:
    echo = library.FeedbackDelay(1000 * LONGEST_DELAY_S, damped=False, sample_rate=sample_rate)
    return library.SerialChain({"delay": library.DryWet(echo, external_param=False)})


OWN: dict[str, Callable[[float], nn.Module]] = {
    "pedalboard_limiter": _limiter,
    "pedalboard_brickwall": lambda rate: library.Limiter(rate, lookahead_ms=LOOKAHEAD_MS),
    "pedalboard_reverb": _reverb,
    "pedalboard_delay": _delay,
    "pedalboard_chorus": lambda rate: LongChorus(sample_rate=rate),
    "pedalboard_phaser": lambda rate: WidePhaser(6, sample_rate=rate),
    "pedalboard_clipping": lambda rate: library.Waveshaper("hard", sample_rate=rate),
    **{
        f"pedalboard_ladder_{mode}": lambda rate, mode=mode: library.LadderFilter(mode, saturate=True, sample_rate=rate)
        for mode in LADDERS.values()
    },
}
"""Node types that a console does not have, and how their processors are made for a sample rate."""


def counterparts(sample_rate: int) -> dict[str, nn.Module]:
    """The processors of all node types that :func:`.from_pedalboard` may use besides those of a console.

    On the command line: ``--processors grafx.exchange.pedalboard:counterparts``.

    Args:
        sample_rate: In Hz.
    """
    return {node_type: make(sample_rate) for node_type, make in OWN.items()}


def counterpart(kind: str, settings: Mapping[str, Any], sample_rate: int, place: str) -> Counterpart:
    """What stands for a plug-in.

    Args:
        kind: Name of its class.
        settings: All its settings.
        sample_rate: In Hz.
        place: The plug-in, for messages.

    Raises:
        ExchangeError: There is nothing that does the same, or not with these settings.
    """
    if kind not in KINDS:
        raise ExchangeError(
            f"{place}, a {kind}, has no counterpart: there are those of {', '.join(KINDS)}; leave it out of the board."
        )
    found = KINDS[kind]
    if (fault := _fault(kind, settings, sample_rate)) is not None:
        raise ExchangeError(f"{place}, a {kind}, {fault}.")
    node_type = found.type if isinstance(found.type, str) else found.type(settings)
    processor = _processor(node_type, sample_rate)
    return Counterpart(node_type, processor, _raw(processor, found.values({**settings, "sample_rate": sample_rate})))


def _processor(node_type: str, sample_rate: int) -> Any:
    if node_type in OWN:
        return OWN[node_type](sample_rate)
    if node_type[0].islower():
        return inner(console_processors(sample_rate, [node_type])[node_type])
    return made_by_name(node_type, sample_rate)


def _raw(processor: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Raw parameters for values, which may lie beyond the ranges of controls."""
    like = torch.zeros((), dtype=torch.float64)
    complete = trees.copied(processor.complete({}, 1, like))
    for path, value in trees.items(values):
        shape = trees.at(complete, path).shape
        trees.put(complete, path, torch.as_tensor(value, dtype=torch.float64).expand(shape).clone())
    raw = processor.values_to_raw(complete, 1, like)
    return trees.map_tensors(trees.row(raw), _finite)


def _finite(raw: Tensor) -> Tensor:
    bounded = raw.nan_to_num(0.0, LARGEST_RAW, -LARGEST_RAW).float()
    return bounded.clone(memory_format=torch.contiguous_format)


def _fault(kind: str, settings: Mapping[str, Any], sample_rate: int) -> str | None:
    """Why there is nothing with such settings."""
    odd = [name for name, value in settings.items() if isinstance(value, float) and not math.isfinite(value)]
    if odd:
        return f"has the setting {odd[0]} = {settings[odd[0]]}, which is no number that a graph can hold: set one"
    highest = 0.4999 * sample_rate
    for name in ("cutoff_frequency_hz", "cutoff_hz", "centre_frequency_hz"):
        if name in settings and not 0 < settings[name] < highest:
            return f"has {name} = {settings[name]:g}, but at {sample_rate} Hz it must lie between 0 and {highest:g}"
    if kind in ("Compressor", "NoiseGate") and settings["ratio"] < 1:
        return f"has the ratio {settings['ratio']:g}, but there are only those from 1 on"
    if settings.get("feedback", 0) > LIMITS.get(kind, 1.0):
        return f"has the feedback {settings['feedback']:g}, which does not decay; at most {LIMITS[kind]:g} does"
    if kind == "Delay" and settings["delay_seconds"] < 0.001:
        return f"has a delay of {settings['delay_seconds']:g} s, but the shortest here is 0.001 s"
    if kind == "Reverb" and settings["freeze_mode"] >= 0.5:
        return "is frozen, and there is no reverb that does not decay: set freeze_mode to 0"
    if kind == "Reverb" and settings["wet_level"] == settings["dry_level"] == 0:
        return "has neither a wet nor a dry level: leave it out"
    if kind == "Bitcrush" and not 0 <= settings["bit_depth"] < 22.9:
        return f"has {settings['bit_depth']:g} bits, but there are only those from 0 to 22.9"
    if kind == "Chorus" and not 1 <= settings["centre_delay_ms"] <= 100:
        return f"has a centre delay of {settings['centre_delay_ms']:g} ms, but there are only those from 1 to 100"
    return None


LIMITS = {"Delay": 0.99, "Chorus": 0.97, "Phaser": 0.97}


def _gain(level: float) -> dict[str, float]:
    return {"left_gain_db": level, "right_gain_db": level}


def _filter(s: Mapping[str, Any]) -> dict[str, Any]:
    return {"frequency_hz": s["cutoff_frequency_hz"], "q": s["q"], "gain_db": s["gain_db"]}


def _first_order(s: Mapping[str, Any], sign: int) -> dict[str, Any]:
    """A low-pass, or a high-pass where the sign is negative."""
    t = math.tan(math.pi * s["cutoff_frequency_hz"] / s["sample_rate"])
    b = (t if sign > 0 else 1.0) / (1 + t)
    return _biquad(b, sign * b, (t - 1) / (1 + t))


def _biquad(b0: float, b1: float, a1: float) -> dict[str, Any]:
    return {"b0": b0, "b1": b1, "b2": 0.0, "a1": a1, "a2_position": -abs(a1) / (2 - abs(a1))}


def _squeezed(s: Mapping[str, Any]) -> dict[str, Any]:
    """Times are 2π time constants of amplitudes; energies rise in half the time, fall in twice, and are 1 dB lower."""
    return {
        "threshold_db": s["threshold_db"] - 1,
        "ratio": s["ratio"],
        "knee_db": HARD,
        "attack_ms": s["attack_ms"] / math.pi,
        "release_ms": s["release_ms"] / (4 * math.pi),
    }


def _gated(s: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: s[name] / (2 * math.pi) for name in ("attack_ms", "release_ms")}
    return {"threshold_db": s["threshold_db"], "ratio": s["ratio"], "knee_db": HARD, **times}


def _limited(s: Mapping[str, Any]) -> dict[str, Any]:
    second = {**s, "ratio": SECOND_RATIO, "attack_ms": SECOND_ATTACK_MS}
    return {
        "first": _squeezed(FIRST_STAGE),
        "second": _squeezed(second),
        "gain": _gain(MAKEUP_DB - s["threshold_db"]),
        "clip": {"drive_db": 0.0, "post_gain_db": 0.0},
    }


def _reverberated(s: Mapping[str, Any]) -> dict[str, Any]:
    wet, dry = WET * s["wet_level"], DRY * s["dry_level"]
    knobs = {name: s[name] for name in ("room_size", "damping", "width")}
    level = 20 * math.log10(wet + dry)
    return {"reverb": {**knobs, "drywet": wet / (wet + dry)}, "gain": _gain(level)}


def _echoed(s: Mapping[str, Any]) -> dict[str, Any]:
    samples = int(float(torch.tensor(s["delay_seconds"])) * s["sample_rate"])  # which the plug-in truncates
    return {"delay": {"time_ms": 1000 * samples / s["sample_rate"], "feedback": s["feedback"], "drywet": s["mix"]}}


def _chorus(s: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rate_hz": s["rate_hz"],
        "phase_cycles": 0.5,
        "spread_cycles": 0.0,
        "delay_ms": s["centre_delay_ms"],
        "depth_ms": SWING_MS * s["depth"],
        "feedback": -s["feedback"],  # which is subtracted there
        "mix": s["mix"],
    }


def _phased(s: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rate_hz": s["rate_hz"],
        "phase_cycles": 0.5,
        "spread_cycles": 0.0,
        "frequency_hz": s["centre_frequency_hz"],
        "depth_octaves": OCTAVES * s["depth"],
        "feedback": -s["feedback"],  # which is subtracted there
        "mix": s["mix"],
    }


KINDS: dict[str, PluginKind] = {
    "Gain": PluginKind("gain", lambda s: _gain(s["gain_db"])),
    "Invert": PluginKind("BiquadFilter", lambda s: _biquad(-1.0, 0.0, 0.0)),
    "LowpassFilter": PluginKind("BiquadFilter", lambda s: _first_order(s, 1)),
    "HighpassFilter": PluginKind("BiquadFilter", lambda s: _first_order(s, -1)),
    "LowShelfFilter": PluginKind("LowShelf", _filter),
    "PeakFilter": PluginKind("PeakingFilter", _filter),
    "HighShelfFilter": PluginKind("HighShelf", _filter),
    "Compressor": PluginKind("compressor", _squeezed),
    "NoiseGate": PluginKind("noisegate", _gated),
    "Limiter": PluginKind("pedalboard_limiter", _limited),
    "BrickwallLimiter": PluginKind(
        "pedalboard_brickwall", lambda s: {"threshold_db": s["ceiling_db"], "release_ms": s["release_ms"]}
    ),
    "Distortion": PluginKind("Waveshaper", lambda s: {"drive_db": s["drive_db"], "post_gain_db": 0.0}),
    "Clipping": PluginKind(
        "pedalboard_clipping", lambda s: {"drive_db": -s["threshold_db"], "post_gain_db": s["threshold_db"]}
    ),
    "Bitcrush": PluginKind("BitCrusher", lambda s: {"bits": s["bit_depth"] + 1, "downsampling": 1.0}),
    "Delay": PluginKind("pedalboard_delay", _echoed),
    "Reverb": PluginKind("pedalboard_reverb", _reverberated),
    "Chorus": PluginKind("pedalboard_chorus", _chorus),
    "Phaser": PluginKind("pedalboard_phaser", _phased),
    "LadderFilter": PluginKind(
        lambda s: f"pedalboard_ladder_{LADDERS[s['mode']]}",
        lambda s: {
            "frequency_hz": s["cutoff_hz"],
            "resonance": s["resonance"],
            "drive_db": 20 * math.log10(max(s["drive"], 1e-6)),
        },
    ),
}
"""Class of plug-ins to what stands for it."""
