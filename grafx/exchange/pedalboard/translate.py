"""Processors in terms of pedalboard: exactly where there is a way, else with settings fitted to their sound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import torch

from ... import processors as library
from ...data.attributes import WEIGHT
from ...processors.container.base import Wrapper
from ...processors.container.multiband import MultiBand
from ...processors.core.midside import lr_to_ms
from ...processors.dynamics.base import DynamicRangeProcessor
from ...processors.filter.base import RecursiveFilter
from ..carried import How
from . import fit
from .counterparts import OCTAVES, SWING_MS
from .filters import cascade
from .job import Job
from .responses import rendered
from .stages import Matrix, Plug, Stages, added, blended, channels, gain, matrix, mid_side, plug

OSCILLATOR = "by its settings; its oscillator begins at another phase there"
BYPASS = "bypass the node (attribute 'bypass'), or replace it"
RANK: dict[How, int] = {"exact": 0, "rendered": 1, "fitted": 2, "left out": 3}


@dataclass(frozen=True)
class Rendition:
    """What stands for a processor.

    Attributes:
        stages: Those of its only outlet.
        how: How well it does, see :class:`.Carried`.
        note: What there is to know.
        whole: Whether the stages have the shares of wet and dry sound in them.
    """

    stages: Stages
    how: How = "exact"
    note: str = ""
    whole: bool = False


@singledispatch
def _translated(processor: Any, job: Job) -> Rendition:
    raise job.refused("pedalboard has nothing like it", BYPASS)


def translated(job: Job) -> Rendition:
    """Translate a processor with one inlet and one outlet, with its shares of wet and dry sound.

    Raises:
        ExchangeError: There is no way to carry it over.
    """
    found = _translated(job.processor, job)
    return found if found.whole else replace(found, stages=blended(found.stages, *job.share), whole=True)


# Gains and matrices


@_translated.register(library.StereoGain)
@_translated.register(library.Panner)
@_translated.register(library.SideGainImager)
@_translated.register(library.MonoToStereo)
def _mixed(processor: Any, job: Job) -> Rendition:
    """What mixes the channels of each sample: its answers to a sample on the left and one on the right."""
    (a, b), (c, d) = job.sounds(torch.eye(2, dtype=torch.float64))[0].tolist()
    return Rendition((Matrix(((a, b), (c, d))),))


@_translated.register
def _widened(processor: library.StereoWidener, job: Job) -> Rendition:
    return rendered_linear(job) if processor.mono_bass else _mixed(processor, job)


@_translated.register
def _late(processor: library.HaasEnhancer, job: Job) -> Rendition:
    samples = job.value("delay_ms") * job.sample_rate / 1000
    if abs(samples - round(samples)) > 1e-3:
        return rendered_linear(job)
    sign = -1 if processor.invert else 1
    late = (*delayed(round(samples), job.sample_rate), *gain(sign * 10 ** (job.value("gain_db") / 20)))
    return Rendition(channels(late, ()) if processor.delayed == "left" else channels((), late))


# Filters


@_translated.register
def _filtered(processor: RecursiveFilter, job: Job) -> Rendition:
    if getattr(processor, "saturate", False):
        raise job.refused("its saturation is another one there", f"{BYPASS} by one with saturate=False")
    given = [job.raw[name].double()[None] for name in processor.parameter_size()]
    b, a = (each[0] for each in processor.sections(*given))
    b, a = ([[*row, 0.0, 0.0][:3] for row in each.flatten(0, -2).tolist()] for each in (b, a))
    sections = list(zip(b, a, strict=True))
    channel = getattr(processor, "processor_channel", "mono")
    if channel == "mono":
        return Rendition(cascade(sections, job.sample_rate))
    half = len(sections) // 2
    first, second = (cascade(part, job.sample_rate) for part in (sections[:half], sections[half:]))
    return Rendition(channels(first, second) if channel == "stereo" else mid_side(first, second))


@_translated.register(library.ZeroPhaseFIREqualizer)
@_translated.register(library.NewZeroPhaseFIREqualizer)
def _zero_phase(processor: Any, job: Job) -> Rendition:
    """An equalizer without phase, by one that is played forwards and backwards."""
    channel = getattr(processor, "processor_channel", "mono")
    if job.responses or channel == "pseudo_midside":
        return rendered_linear(job)
    heard = lr_to_ms(job.heard[None])[0] if channel == "midside" else job.heard
    middle, (wet, dry) = processor.latency_samples, job.share
    taps = wet * processor.fir(job.raw["log_magnitude"].double()[None])[0].reshape(-1, 2 * middle + 1)
    taps[:, middle] += dry  # without phase, it adds up
    sides = [heard] if len(taps) == 1 else heard.split(1)
    fitted = [fit.zero_phase(row, side, job.sample_rate) for row, side in zip(taps, sides, strict=True)]
    note = f"magnitudes within {max(each.away_db for each in fitted):.1f} dB, forwards and backwards"
    found = [each.stages for each in fitted]
    stages = found[0] if channel == "mono" else channels(*found) if channel == "stereo" else mid_side(*found)
    return Rendition(stages, "fitted", note, whole=True)


@_translated.register(library.MultitapDelay)
@_translated.register(library.FIRFilter)
@_translated.register(library.ConvolutionReverb)
@_translated.register(library.PingPongDelay)
@_translated.register(library.SchroederAllpass)
@_translated.register(library.AllpassCascade)
@_translated.register(library.AllpassLattice)
@_translated.register(library.StackedStateVariableFilter)
@_translated.register(library.OnePoleSmoother)
@_translated.register(library.ToneStack)
def _linear(processor: Any, job: Job) -> Rendition:
    return rendered_linear(job)


def rendered_linear(job: Job) -> Rendition:
    """A linear processor, by its impulse responses."""
    return Rendition(rendered(job), "rendered", "by its impulse response", whole=True)


# Delays and reverbs


@_translated.register
def _echo(processor: library.FeedbackDelay, job: Job) -> Rendition:
    samples, feedback = job.value("time_ms") * job.sample_rate / 1000, job.value("feedback")
    whole = abs(samples - round(samples)) < 1e-3
    if processor.damped or not whole or not 0 <= feedback <= 1 or samples > 30 * job.sample_rate:
        return rendered_linear(job)
    return Rendition(delayed(round(samples), job.sample_rate, feedback))


def delayed(samples: int, sample_rate: float, feedback: float = 0.0) -> Stages:
    """A delay of whole samples, which the plug-in truncates to."""
    if not samples:
        return ()
    return (plug("Delay", delay_seconds=(samples + 0.3) / sample_rate, feedback=feedback, mix=1.0),)


@_translated.register
def _freeverb(processor: library.Freeverb, job: Job) -> Rendition:
    size, damping, width = (job.value(name) for name in ("room_size", "damping", "width"))
    beyond = not 0 <= width <= 1  # what the knob has, so that the channels are mixed behind it
    knobs = {name: min(max(value, 0.0), 1.0) for name, value in (("room_size", size), ("damping", damping))}
    room = plug("Reverb", **knobs, width=1.0 if beyond else width, wet_level=1 / 3, dry_level=0.0)
    own, other = (1 + width) / 2, (1 - width) / 2
    stages = (room, *(matrix(((own, other), (other, own))) if beyond else ()))
    if job.sample_rate == 44100 and knobs == {"room_size": size, "damping": damping}:
        return Rendition(stages)
    return Rendition(stages, "fitted", "by its settings")


@_translated.register(library.STFTMaskedNoiseReverb)
@_translated.register(library.FilteredNoiseShapingReverb)
@_translated.register(library.VelvetNoiseReverb)
@_translated.register(library.FeedbackDelayNetwork)
def _reverberated(processor: Any, job: Job) -> Rendition:
    if job.responses:
        return rendered_linear(job)
    return Rendition(fit.reverb(job), "fitted", "its decay and colour, with other reflections", whole=True)


# Dynamics


@_translated.register
def _dynamics(processor: DynamicRangeProcessor, job: Job) -> Rendition:
    if len(processor.inlets) > 1:
        raise job.refused("another signal drives it, and plug-ins have one input", BYPASS)
    kind = "NoiseGate" if processor.mirrored else "Compressor"
    if isinstance(processor, library.Limiter) and processor.lookahead_ms:
        return Rendition(fit.brickwall(job), "fitted", "its ceiling, release and look-ahead")
    return Rendition(fit.dynamics(job, kind), "fitted", "each channel has a gain of its own there")


@_translated.register(library.ApproxCompressor)
@_translated.register(library.FactorizedCompressor)
def _compressed(processor: Any, job: Job) -> Rendition:
    return Rendition(fit.dynamics(job, "Compressor"), "fitted", "each channel has a gain of its own there")


@_translated.register(library.ApproxNoiseGate)
@_translated.register(library.FactorizedNoiseGate)
def _gated(processor: Any, job: Job) -> Rendition:
    return Rendition(fit.dynamics(job, "NoiseGate"), "fitted", "each channel has a gain of its own there")


# Distortion


@_translated.register
def _tanh(processor: library.TanhDistortion, job: Job) -> Rendition:
    size = processor.parameter_size()
    if processor.remove_dc or "bias" in size:
        return _bent(processor, job)
    before = float(job.raw["log_pre_gain"]) if "log_pre_gain" in size else 0.0
    after = float(job.raw["log_post_gain"]) if "log_post_gain" in size else -before
    return Rendition((_driven(before), *gain(math.exp(after))))


@_translated.register
def _shaped(processor: library.Waveshaper, job: Job) -> Rendition:
    plain = processor.antialiasing is None and processor.oversampling == 1 and abs(job.value("offset")) < 1e-6
    if not plain or processor.shape not in ("tanh", "hard"):
        return _bent(processor, job)
    before, after = (float(job.raw[name]) for name in ("log_drive", "log_post_gain"))
    if processor.shape == "tanh":
        return Rendition((_driven(before), *gain(math.exp(after))))
    return Rendition(clipped(math.exp(-before), math.exp(before + after)))


@_translated.register
def _clipped(processor: library.HardClip, job: Job) -> Rendition:
    if processor.low != -processor.high:
        raise job.refused("plug-ins clip at the same level above and below 0", BYPASS)
    return Rendition(clipped(processor.high, 1.0))


@_translated.register(library.ArctanDistortion)
@_translated.register(library.PiecewiseTanhDistortion)
@_translated.register(library.PowerDistortion)
@_translated.register(library.ChebyshevDistortion)
@_translated.register(library.SplineDistortion)
def _bent(processor: Any, job: Job) -> Rendition:
    return Rendition(fit.distortion(job), "fitted", "by a hyperbolic tangent")


@_translated.register
def _crushed(processor: library.BitCrusher, job: Job) -> Rendition:
    bits = job.value("bits") - 1
    if job.value("downsampling") > 1.001:
        raise job.refused("its sample rate is reduced, for which there is no plug-in of this kind", BYPASS)
    return Rendition((plug("Bitcrush", bit_depth=bits),))


def clipped(limit: float, factor: float) -> Stages:
    """Clipping at an amplitude, then a gain."""
    return (plug("Clipping", threshold_db=20 * math.log10(limit)), *gain(factor))


def _driven(log_gain: float) -> Plug:
    return plug("Distortion", drive_db=20 / math.log(10) * log_gain)


# Modulation


@_translated.register
def _chorus(processor: library.Chorus, job: Job) -> Rendition:
    _refuse_other_waves(processor, job, processor.num_voices > 1)
    return _swung(job, feedback=0.0)


@_translated.register
def _flanger(processor: library.Flanger, job: Job) -> Rendition:
    _refuse_other_waves(processor, job)
    return _swung(job, feedback=job.value("feedback"))


def _swung(job: Job, feedback: float) -> Rendition:
    settings = {
        "rate_hz": job.value("rate_hz"),
        "depth": min(job.value("depth_ms") / SWING_MS, 1.0),
        "centre_delay_ms": min(max(job.value("delay_ms"), 1.0), 100.0),
        "mix": min(max(job.value("mix"), 0.0), 1.0),
    }
    return Rendition((plug("Chorus", **settings, feedback=0.0 - feedback),), "fitted", OSCILLATOR)


@_translated.register
def _phaser(processor: library.Phaser, job: Job) -> Rendition:
    _refuse_other_waves(processor, job)
    settings = {
        "rate_hz": job.value("rate_hz"),
        "depth": min(job.value("depth_octaves") / OCTAVES, 1.0),
        "centre_frequency_hz": job.value("frequency_hz"),
        "feedback": 0.0 - job.value("feedback"),  # which is subtracted there
        "mix": min(max(job.value("mix"), 0.0), 1.0),
    }
    return Rendition((plug("Phaser", **settings),), "fitted", f"{OSCILLATOR}; it has six stages")


def _refuse_other_waves(processor: Any, job: Job, several: bool = False) -> None:
    if several or processor.external or processor.waveform != "sine":
        what = "several voices" if several else "another oscillator than a sine of its own"
        raise job.refused(f"it has {what}", BYPASS)


# Containers


@_translated.register
def _wrapped(processor: Wrapper, job: Job) -> Rendition:
    return translated(job.member(processor.processor, job.raw, share=job.share))


@_translated.register
def _blended(processor: library.DryWet, job: Job) -> Rendition:
    weight = float(job.raw[WEIGHT])
    raw = job.raw if processor.shared else {name: value for name, value in job.raw.items() if name != WEIGHT}
    return replace(translated(job.member(processor.processor, raw, share=(weight, 1 - weight))), whole=False)


@_translated.register
def _in_series(processor: library.SerialChain, job: Job) -> Rendition:
    found, heard = [], job.heard
    for name, member in processor.processors.items():
        inner = job.member(member, job.raw.get(name, {}), heard)
        found.append(translated(inner))
        heard = inner.sound()
    return _joined(tuple(stage for each in found for stage in each.stages), found)


@_translated.register
def _in_parallel(processor: library.ParallelMix, job: Job) -> Rendition:
    weights = job.raw["parallel_weights"].double()
    softplus = torch.nn.functional.softplus(weights) / (len(weights) * math.log(2))
    gains = (weights.softmax(-1) if processor.activation == "softmax" else softplus).tolist()
    members = processor.processors.items()
    found = [translated(job.member(member, job.raw.get(name, {}))) for name, member in members]
    return _joined(added(*((*each.stages, *gain(g)) for each, g in zip(found, gains, strict=True))), found)


@_translated.register
def _in_bands(processor: MultiBand, job: Job) -> Rendition:
    if len(processor.inlets) > 1:
        raise job.refused("another signal drives it, and plug-ins have one input", BYPASS)
    split = job.member(processor.crossover, {"log_freq": job.raw["log_freq"]})
    found, branches = [], []
    for outlet, (name, member) in enumerate(processor.processors.items()):
        found.append(translated(job.member(member, job.raw[name], split.sounds(job.heard)[outlet])))
        branches.append((*rendered(split, outlet), *found[-1].stages))
    return _joined(added(*branches), [*found, Rendition((), "rendered", "bands by their impulse responses")])


def _joined(stages: Stages, found: Sequence[Rendition]) -> Rendition:
    worst = max(found, key=lambda each: RANK[each.how])
    return Rendition(stages, worst.how, "; ".join(dict.fromkeys(each.note for each in found if each.note)))


# Processors with several plugs


def routes_of(job: Job) -> tuple[list[list[Stages | None]], How] | None:
    """What each outlet gets of each inlet, and how well, for those that have several; ``None`` for others."""
    processor = job.processor
    if isinstance(processor, library.Send):
        return [[()], [gain(math.exp(float(job.raw["log_gain"])))]], "exact"
    if isinstance(processor, library.StereoToMidSide):
        c = processor.gain
        return [[(Matrix(((c, c), (c, c))),)], [(Matrix(((c, -c), (c, -c))),)]], "exact"
    if isinstance(processor, library.MidSideToStereo):
        c = processor.gain
        return [[gain(c), (Matrix(((c, 0.0), (0.0, -c))),)]], "exact"
    if isinstance(processor, library.LinkwitzRileyCrossover):
        wet = replace(job, share=(1.0, 0.0))
        return [[rendered(wet, outlet)] for outlet in range(len(processor.outlets))], "rendered"
    return None
