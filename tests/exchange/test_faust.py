"""Each class in Faust against our sound: exact, with sliders that hold, or refused."""

import contextlib
import inspect
import re
import warnings
from itertools import product

import pytest
import torch
from grafx.processors import desk
from grafx.processors.base import Processor

from grafx import processors as library
from grafx import trees
from grafx.data import GRAFX, NodeConfigs
from grafx.exchange import level_of_difference, play
from grafx.exchange.faust import REFUSED, WRITERS, Engine, to_faust
from grafx.exchange.parts import parts_of
from grafx.search.mixing.weighted import KeyedDryWet

pytest.importorskip("cyfaust")

LENGTH = 3000  # samples
EXACT = -110.0  # dB
BANDLIMITED = -100.0  # of oscillators whose waveforms we read from splines, and Faust sums
PUBLIC = {
    name: cls
    for name in library.__all__
    if inspect.isclass(cls := getattr(library, name)) and issubclass(cls, Processor)
}


def options(**choices):
    """All combinations of some options."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


SHORT = {"segment_len": 300, "num_segments": 3}
OPTIONS = {
    "DelayLine": options(interpolation=["linear", "cubic", "allpass"], max_delay_ms=[30.0]),
    "FeedbackDelay": options(damped=[True, False], max_time_ms=[20.0]),
    "PingPongDelay": [{"max_time_ms": 20.0}, {"max_time_ms": 20.0, "damped": False, "entrance": "stereo"}],
    "MultitapDelay": [SHORT, {**SHORT, "processor_channel": "midside", "zp_filter_per_tap": False, "pre_delay": 9}],
    "Compressor": [
        {},
        {"style": "desk", "sidechain": True},
        {"knee": "hard", "energy_smoother": "ballistics", "gain_smoother": "ballistics", "makeup": True},
        {"knee": "exponential", "energy_smoother": None, "gain_smoother": "iir", "gain_smooth_in_log": True},
        {"gain_smoother": "iir", "iir_len": 500},
        {"style": "desk", "gain_smoother": "ballistics", "gain_smooth_in_log": True},
    ],
    "NoiseGate": [{}, {"style": "desk"}, {"style": "desk", "knee": "quadratic"}, {"knee": "hard"}],
    "Expander": [{}, {"knee_type": "exponential", "smooth_type": "iir", "makeup": False}],
    "Limiter": [{}, {"lookahead_ms": 1.5}, {"knee_type": "hard", "sidechain": True}],
    "DeEsser": options(mode=["split", "wideband"], detector=["highpass", "bandpass"]),
    "DynamicEqualizer": [{}, {"num_bands": 1, "use_shelving_filters": False, "direction": "below"}],
    "FactorizedCompressor": [{}, {"transients": False, "smooth_type": "iir", "hop": 32}],
    "FactorizedNoiseGate": [{}, {"transients": False, "knee_type": "hard"}],
    "GraphicEqualizer": [{}, {"processor_channel": "stereo", "scale": "third_octave"}],
    "ParametricEqualizer": [
        {"num_filters": 3},
        {"processor_channel": "stereo", "num_filters": 2},
        {"processor_channel": "midside", "num_filters": 1, "use_shelving_filters": False},
    ],
    "ZeroPhaseFIREqualizer": [{"num_magnitude_bins": 40}],
    "NewZeroPhaseFIREqualizer": options(
        num_frequency_bins=[20], processor_channel=["mono", "stereo", "midside", "pseudo_midside"]
    ),
    "ButterworthFilter": [{}, {"order": 3, "kind": "high"}, {"order": 3, "kind": "band"}],
    "FIRFilter": [{"fir_len": 70}, {"fir_len": 20, "processor_channel": "midside"}],
    "LadderFilter": [{}, {"mode": "band12"}, {"mode": "high12", "saturate": True}],
    "BiquadFilter": [{}, {"num_filters": 2, "normalized": True}],
    "PoleZeroFilter": [{}, {"num_filters": 2}],
    "StateVariableFilter": [{}, {"num_filters": 2}],
    "PeakingFilter": [{}, {"num_filters": 2}],
    "LowShelf": [{"num_filters": 2}],
    "StackedStateVariableFilter": [{}, {"num_filters": 3}],
    "SchroederAllpass": [{}, {"num_stages": 2, "frequency_dependent": True}, {"delay_ms": 5.0}],
    "AllpassLattice": [{}, {"order": 1}],
    "ToneStack": [{}, {"components": "jcm800"}],
    "LinkwitzRileyCrossover": [{}, {"num_bands": 2, "order": 2}, {"order": 8}],
    "Chorus": [
        {"num_voices": 3, "waveform": "triangle", "interpolation": "cubic"},
        {"waveform": "square"},
        {"interpolation": "allpass", "external": True},
    ],
    "Flanger": [{"waveform": "saw"}, {"external": True}],
    "Phaser": [{}, {"num_stages": 3, "external": True}],
    "RingModulator": [{}, {"waveform": "triangle"}, {"external": True}],
    "RotarySpeaker": [{}, {"external": True, "interpolation": "linear"}],
    "Vibrato": [{}, {"waveform": "triangle", "external": True}],
    "Tremolo": [{"waveform": "square"}],
    "AutoPan": [{}, {"external": True}],
    "TanhDistortion": [{}, {"use_bias": True, "inverse_post_gain": False}, {"pre_post_gain": False}],
    "PiecewiseTanhDistortion": [{}, {"inverse_post_gain": False}],
    "PowerDistortion": [{}, {"max_order": 4, "use_tanh": True}],
    "ChebyshevDistortion": [{}, {"max_order": 1, "pre_gain": False}],
    "SplineDistortion": [{"num_bins": 4}],
    "Waveshaper": [
        *options(shape=["hard", "cubic", "tanh", "arctan", "tube", "sine_fold", "triangle_fold"]),
        *options(shape=["hard", "cubic", "tanh", "arctan", "tube", "triangle_fold"], antialiasing=["adaa1"]),
    ],
    "HardClip": [{"low": -0.2, "high": 0.1}],
    "FeedbackDelayNetwork": [{"num_lines": 4}, {"num_lines": 3, "matrix": "householder"}],
    "HaasEnhancer": [{}, {"delayed": "left", "invert": True, "interpolation": "linear"}],
    "Panner": options(law=["linear", "constant_power", "-4.5dB", "balance"]),
    "StereoToMidSide": options(normalize=[True, False]),
    "StereoWidener": options(mono_bass=[False, True]),
    "ADSR": [{}, {"curve": "linear"}, {"gated": True}],
    "ExponentialEnvelope": options(gated=[False, True]),
    "LFO": options(waveform=["sine", "triangle", "saw", "square"]),
    "SineOscillator": [{}, {"inlets": ("frequency", "phase", "amplitude")}],
    "TriangleOscillator": [{"inlets": ("phase",)}],
}
SUMMED = {"SawOscillator", "SquareOscillator", "TriangleOscillator", "WavetableOscillator"}
STEREO = {"SideGainImager", "StereoWidener", "StereoToMidSide"}
MONO = {"MidSideToStereo"}


def members(sample_rate):
    return {
        "eq": library.ParametricEqualizer(2, sample_rate=sample_rate),
        "level": library.Compressor(style="desk", sample_rate=sample_rate),
    }


def containers(sample_rate):
    eq, level = members(sample_rate).values()
    ahead = library.Limiter(sample_rate, lookahead_ms=0.5)
    return {
        "DryWet": [library.DryWet(eq, external_param=False), library.DryWet(ahead, external_param=False)],
        "KeyedDryWet": [KeyedDryWet(library.Compressor(style="desk", sample_rate=sample_rate, sidechain=True))],
        "GainStagingRegularization": [library.GainStagingRegularization(eq)],
        "SerialChain": [library.SerialChain({"eq": eq, "level": level})],
        "ParallelMix": [
            library.ParallelMix({"eq": eq, "level": level}),
            library.ParallelMix({"eq": eq, "ahead": ahead}, "softplus"),
        ],
        "MultiBand": [
            library.MultiBand(level, 2, sample_rate),
            library.MultiBand(library.TanhDistortion(), 3, sample_rate),
        ],
    }


def made(cls, choice, sample_rate):
    """A processor for a sample rate, whatever its class calls that, or without where it knows none."""
    for rate in ({"sample_rate": sample_rate}, {"sr": sample_rate}):
        with warnings.catch_warnings(), contextlib.suppress(TypeError):
            warnings.simplefilter("ignore", FutureWarning)
            return cls(**choice, **rate)
    return cls(**choice)


def options_of(cls):
    if cls.__module__ == desk.__name__:
        return [{}] if cls is desk.TransientShaper else [{}, {"smooth_type": "iir"}]
    return OPTIONS.get(cls.__name__, [{}])


def cases():
    found = []
    for cls in WRITERS:
        count = len(containers(44100).get(cls.__name__, options_of(cls)))
        found += [pytest.param(cls, i, id=f"{name_of(cls)}-{i}") for i in range(count)]
    return found


def name_of(cls):
    return f"desk.{cls.__name__}" if cls.__module__ == desk.__name__ else cls.__name__


def processor_of(cls, i, sample_rate):
    own = containers(sample_rate).get(cls.__name__)
    return own[i] if own else made(cls, options_of(cls)[i], sample_rate)


def graph_of(processor, seed):
    """A graph of one node at random settings, an input for each inlet, and an output for each outlet."""
    generator = torch.Generator().manual_seed(seed)
    count = processor.count_num_parameters()
    norm = 0.1 + 0.8 * torch.rand(1, count, generator=generator)
    raw = trees.row(processor.norm_to_raw(norm)) if count else {}
    G = GRAFX(config=NodeConfigs.from_processors({"it": processor}))
    sources = [G.add("in") for _ in processor.inlets]
    node = G.add("it", raw)
    for source, inlet in zip(sources, processor.inlets, strict=True):
        G.connect(source, node, inlet=inlet)
    for outlet in processor.outlets:
        G.connect(node, G.add("out"), outlet=outlet)
    return G


def stems_of(processor, channels):
    swell = 10 ** (-3 * torch.cos(torch.arange(LENGTH) / 200).square())  # softer and louder than thresholds
    noise = torch.randn(len(processor.inlets), channels, LENGTH, generator=torch.Generator().manual_seed(1))
    return (0.4 * noise * swell).double()


def ours(G, processor, stems, sample_rate):
    sounds = play(parts_of(G, sample_rate, {"it": processor}), stems)
    return torch.cat([sounds[i][0] for i in sorted(G.nodes) if G.nodes[i]["node_type"] == "out"])


def channels_for(processor, wanted):
    """How many channels a processor takes, where it does not take those that are wanted."""
    summed = type(processor).__name__ in SUMMED  # which takes a while to compile for each channel
    if summed or type(processor).__name__ in MONO or {"speed", "lfo", "carrier"} & {*processor.inlets}:
        return 1
    mode = getattr(processor, "processor_channel", "mono")
    return 2 if type(processor).__name__ in STEREO or mode == "midside" else wanted


def theirs(program, stems, sample_rate):
    return Engine(program.code, sample_rate).play(stems.flatten(0, 1), program.latency, LENGTH)


def moved(code, other):
    """The sliders of a program at the values of another one of the same graph, which is compiled in their place."""
    values = dict(re.findall(r'hslider\("([^"]*)", (\S+),', other))
    return re.sub(r'hslider\("([^"]*)", (\S+),', lambda m: f'hslider("{m[1]}", {values[m[1]]},', code)


def test_every_class_is_written_or_refused():
    assert not {*WRITERS} & {*REFUSED}
    assert {*PUBLIC.values()} <= {*WRITERS, *REFUSED}


@pytest.mark.each("cls")
@pytest.mark.parametrize(("cls", "i"), cases())
def test_sounds_as_ours(cls, i):
    rate, wanted = ((44100, 2), (48000, 1))[i % 2]
    processor = processor_of(cls, i, rate)
    channels = channels_for(processor, wanted)
    G, stems = graph_of(processor, i), stems_of(processor, channels)
    program = to_faust(G, rate, {"it": processor}, channels)
    sound = ours(G, processor, stems, rate)
    assert sound.abs().max() > 1e-5
    assert sound.shape[0] == sum(program.outs)
    limit = BANDLIMITED if {cls.__name__, getattr(processor, "waveform", "")} & SUMMED else EXACT
    assert level_of_difference(theirs(program, stems, rate), sound) < limit


@pytest.mark.each("cls")
@pytest.mark.parametrize("cls", [cls for cls in WRITERS if cls.__name__ not in SUMMED], ids=name_of)
def test_sliders_sound_as_settings(cls):
    rate = 48000
    processor = processor_of(cls, 0, rate)
    channels = channels_for(processor, 2)
    G, other, stems = graph_of(processor, 1), graph_of(processor, 2), stems_of(processor, channels)
    program, wanted = (to_faust(g, rate, {"it": processor}, channels) for g in (G, other))
    if program.functions[0].note:
        return  # other settings have other numbers in the program
    moved_code = moved(program.code, wanted.code)
    assert moved_code == wanted.code
    sound = ours(other, processor, stems, rate)
    assert level_of_difference(theirs(wanted, stems, rate), sound) < EXACT
    # In single precision, sliders can be moved in what is compiled.
    engine, fresh = (Engine(p.code, rate, double=False) for p in (program, wanted))
    for path, value in fresh.sliders().items():
        engine.move(path, value)
    x = stems.flatten(0, 1).float()
    assert torch.equal(*(e.play(x, program.latency, LENGTH) for e in (engine, fresh)))


@pytest.mark.parametrize("choice", [{}, {"knee": "hard"}, {"knee": "exponential"}, {"style": "desk"}, None])
def test_gates_that_act(choice):
    processor = library.ApproxNoiseGate() if choice is None else made(library.NoiseGate, choice, 44100)
    G, stems = graph_of(processor, 0), stems_of(processor, 2)
    G.nodes[1]["parameters"] = {"threshold_db": -25.0}
    sound = ours(G, processor, stems, 44100)
    assert level_of_difference(sound, stems[0]) > -40
    assert level_of_difference(theirs(to_faust(G, 44100, {"it": processor}), stems, 44100), sound) < EXACT
