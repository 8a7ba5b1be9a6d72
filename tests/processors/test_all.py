"""Properties of every processor.

A new class is found by itself. It gets an entry in REGISTRY where it cannot be made without options, or where some make
it fast or reach code of their own.
"""

import contextlib
import copy
import inspect
import io
import itertools
import math
import pickle
from dataclasses import dataclass, field

import grafx.processors
import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError, Processor
from grafx.processors.container.base import Container
from grafx.processors.errors import DerivativeError
from grafx.processors.synth.oscillator import _computed
from torch.autograd import forward_ad

STDS = [0.01, 1.0, 10.0]
SHAPES = [(2, 0), (1, 1), (16, 2), (1, 1000), (4, 999)]  # batch, samples
DTYPES = [torch.float32, torch.float64]


@dataclass(frozen=True)
class Case:
    """Options of a class, and what is particular about it then.

    ``surrogates`` names the raw parameters whose gradient is not the slope of the output, by design. What is
    ``endless`` does not return to what it would have been without its input.
    """

    options: dict = field(default_factory=dict)
    channels: tuple[int, ...] = (1, 2)
    draws: bool = False
    surrogates: tuple[str, ...] = ()
    endless: bool = False


def case(channels=(1, 2), draws=False, surrogates=(), endless=False, **options):
    return Case(options, channels, draws, surrogates, endless)


STEREO = (2,)
TAPS = {"segment_len": 50, "num_segments": 3, "zp_filter_bins": 4}
FRAMES = {"ir_len": 300, "n_fft": 32, "hop_length": 16}
BANDS = {"ir_len": 300, "num_bands": 3}
FILTERBANK = {"num_filters": 6, "scale": "bark_traunmuller"}
SECTIONS = [case(), case(num_filters=3)]
DYNAMICS = [
    case(),
    case(energy_smoother=None, knee="hard"),
    case(energy_smoother="ballistics", gain_smoother="iir", gain_smooth_in_log=True, iir_len=50),
    case(energy_smoother="iir", gain_smoother="ballistics", knee="exponential"),
]
DESK = {"style": "desk"}
# A knee that is hard has no width, and a hard step no slope: its gradients are those of a soft one.
KNEE, STEP = ("log_knee",), ("log_knee", "log_threshold", "z_alpha_pre", "inlet 0")
COMPRESSORS = [
    *DYNAMICS,
    case(**DESK),
    case(surrogates=KNEE, knee_type="hard", smooth_type="iir", makeup=False, sidechain=True, **DESK),
]
GATES = [
    *DYNAMICS,
    case(surrogates=STEP, **DESK),
    case(knee_type="quadratic", makeup=True, **DESK),
    case(surrogates=(*STEP, "inlet 1"), smooth_type="iir", sidechain=True, **DESK),
]
DESKS = [case(), case(surrogates=KNEE, knee_type="hard", makeup=False), case(knee_type="exponential", sidechain=True)]
LOW = {"sample_rate": 2000}  # so that a few samples have something in all bands
SPLIT = [case(knee_type="quadratic", **LOW), case(surrogates=KNEE, knee_type="hard", num_bands=2, **LOW)]
SERIES = [case(), case(max_order=4, pre_gain=False, remove_dc=True, use_tanh=True)]
# The delay of an impulse is a whole number of samples, so the output has no slope by it: its gradient is that of the
# soft impulse. Normalized gradients have another length than the slope.
DELAY = ("delay_z",)

# How long a gate is open has no slope by its level. At this rate, a few samples see all of an envelope.
GATED = {"surrogates": ("inlet 0",), "gated": True, "sample_rate": 200}
TIMED = {"channels": (1,), "sample_rate": 200}
# A frequency that has moved for a while leaves the phase somewhere else for ever.
ENDLESS = {"endless": True, "sample_rate": 2000}
OSCILLATORS = [
    case((1,), sample_rate=2000),
    case(inlets=("frequency",), **ENDLESS),
    case(inlets=("amplitude", "phase", "frequency"), **ENDLESS),
]
NOISES = [
    case((1,), surrogates=("stream",)),
    case((1,), surrogates=("stream",), num_channels=2),
    case(surrogates=("stream",), inlets=("amplitude",)),
]
ROOM = torch.randn(4, 80, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -2, 80)

REGISTRY = {
    "ADSR": [case(**TIMED), case(curve="linear", **TIMED), case(**GATED), case(curve="linear", **GATED)],
    "AllPassFilter": [case()],
    "AllpassCascade": [case(), case(num_filters=1)],
    "AllpassLattice": [case(), case(order=1)],
    "AllpassSmoother": [case()],
    "Amplifier": [case()],
    "ApproxCompressor": [case(iir_len=50)],
    "ApproxNoiseGate": [case(freq_sample_n=50)],
    "ArctanDistortion": [case()],
    "AutoPan": [case(sample_rate=2000), case(waveform="square", sample_rate=200), case((1,), external=True)],
    "BandPassFilter": [case()],
    "BandRejectFilter": [case()],
    "BiquadFilter": [case(), case(num_filters=3, normalized=True)],
    "BitCrusher": [case(surrogates=("z_bits", "log_downsampling", "inlet 0"))],
    "ButterworthFilter": [case(), case(order=1, kind="high"), case(order=3, kind="band")],
    "ChebyshevDistortion": SERIES,
    "Chorus": [
        case(sample_rate=2000),
        case(num_voices=3, waveform="triangle", interpolation="cubic", sample_rate=2000),
        case(external=True, interpolation="allpass", sample_rate=2000),
    ],
    "Compressor": COMPRESSORS,
    "ConvolutionReverb": [
        case(ir=ROOM[0], crossovers_hz=(200, 900), **LOW),
        case(ir=ROOM[:2], crossovers_hz=(100, 500), **LOW),
        case(ir=ROOM, crossovers_hz=(100, 500), **LOW),
    ],
    "DCBlocker": [case()],
    "DeEsser": [
        case(**LOW),
        case(detector="bandpass", sidechain=True, **LOW),
        case(mode="wideband", **LOW),
        case(mode="wideband", detector="bandpass", sidechain=True, **LOW),
    ],
    "DelayLine": [
        case(max_delay_ms=2),
        case(max_delay_ms=0.03, interpolation="cubic"),
        case(max_delay_ms=20, interpolation="cubic", sample_rate=3000),
        case(max_delay_ms=2, interpolation="allpass"),
    ],
    "DynamicEqualizer": [
        case(**LOW),
        case(num_bands=2, direction=("above", "below"), sidechain=True, **LOW),
        case(num_bands=1, use_shelving_filters=False, direction="below", **LOW),
    ],
    "Expander": [*DESKS, case(smooth_type="iir")],
    "ExponentialEnvelope": [case(**TIMED), case(**GATED)],
    "FIRFilter": [case(fir_len=31), case(STEREO, fir_len=8, processor_channel="midside")],
    "FeedbackDelay": [
        case(max_time_ms=5, sample_rate=8000),
        case(max_time_ms=3, damped=False, sample_rate=20000),
    ],
    "FeedbackDelayNetwork": [
        case(num_lines=3, delays=(5, 9, 16), sample_rate=1000),
        case(num_lines=4, matrix="householder", method="frequency", delay_ms=(3, 5, 8, 13), sample_rate=1000),
    ],
    "FactorizedCompressor": [
        case(hop=16),
        case(surrogates=(*KNEE, "transient_log_knee"), knee_type="hard", smooth_type="iir", sidechain=True, hop=7),
        case(knee_type="exponential", transients=False, makeup=False, hop=1),
    ],
    "FactorizedNoiseGate": [
        case(hop=4),
        case(knee_type="hard", hop=8, makeup=True, surrogates=(*STEP, *(f"transient_{name}" for name in STEP))),
        case(transients=False, smooth_type="iir", sidechain=True, hop=5),
    ],
    "FilteredNoiseShapingReverb": [
        case(STEREO, True, **BANDS),
        case(noise_randomness="fixed", use_fade_in=True, processor_channel="stereo", **BANDS),
        case(draws=True, noise_randomness="random", zerophase=False, processor_channel="pseudo_midside", **BANDS),
    ],
    "Flanger": [
        case(sample_rate=4000),
        case(waveform="saw", sample_rate=8000),
        case(external=True, sample_rate=2000),
    ],
    "Freeverb": [case(sample_rate=2000)],
    "GraphicEqualizer": [case(), case(scale="third_octave", processor_channel="stereo")],
    "HaasEnhancer": [case(**LOW), case(delayed="left", invert=True, interpolation="linear", **LOW)],
    "HardClip": [case(low=-0.1, high=0.05)],
    "HighPassFilter": [case()],
    "HighShelf": SECTIONS,
    "KickSynth": [
        case((1,), sample_rate=1000),
        case((1,), shell_filter_type="band", use_modal=True, seed=3, sample_rate=1000),
        case((1,), shell_filter_type="high", sample_rate=1000),
    ],
    "LFO": [case(waveform=waveform, **TIMED) for waveform in ("sine", "triangle", "saw", "square")],
    "Limiter": [*DESKS, case(lookahead_ms=0.5), case(lookahead_ms=0.7, knee_type="exponential", sidechain=True)],
    "LadderFilter": [case(), case(mode="high12"), case(saturate=True), case(mode="band12", saturate=True)],
    "LinkwitzRileyCrossover": [case(), case(num_bands=6), case(order=2), case(order=8)],
    "LowPassFilter": [case()],
    "LowShelf": SECTIONS,
    "MidSideToStereo": [case((1,)), case((1,), normalize=False)],
    "ModalResonators": [case(), case(num_modes=1)],
    "MonoToStereo": [case()],
    "MultiBandCompressor": SPLIT,
    "MultiBandExpander": [*SPLIT, case(smooth_type="iir", **LOW)],
    "MultiBandLimiter": SPLIT,
    "MultiBandNoiseGate": [case(knee_type="quadratic", **LOW), case(surrogates=(*STEP, "log_freq"))],
    "MultitapDelay": [
        case(surrogates=DELAY, **TAPS),
        case(straight_through=False, normalize_gradients=False, num_delay_per_segment=2, pre_delay=3, **TAPS),
        case(STEREO, surrogates=DELAY, zp_filter_per_tap=False, processor_channel="midside", **TAPS),
        case(surrogates=DELAY, processor_channel="pseudo_midside", **TAPS),
    ],
    "NewZeroPhaseFIREqualizer": [
        case(num_frequency_bins=17),
        case(STEREO, num_frequency_bins=33, processor_channel="midside"),
        case(num_frequency_bins=129, processor_channel="stereo", use_filterbank=True, filterbank_kwargs=FILTERBANK),
    ],
    "NoiseGate": GATES,
    "OnePoleSmoother": [case()],
    "Panner": [case(law=law) for law in ("linear", "constant_power", "-4.5dB", "balance")],
    "ParametricEqualizer": [
        case(num_filters=4),
        case(num_filters=2, use_shelving_filters=False, processor_channel="stereo"),
        case(STEREO, num_filters=3, processor_channel="midside"),
    ],
    "PeakingFilter": SECTIONS,
    "Phaser": [case(), case(num_stages=6, waveform="saw", sample_rate=2000), case(num_stages=1, external=True)],
    "PiecewiseTanhDistortion": [case(), case(inverse_post_gain=False, remove_dc=True), case(pre_post_gain=False)],
    "PingPongDelay": [
        case(max_time_ms=5, sample_rate=8000),
        case(max_time_ms=3, damped=False, entrance="stereo", sample_rate=20000),
    ],
    "PinkNoise": NOISES,
    "PoleZeroFilter": SECTIONS,
    "PowerDistortion": SERIES,
    "RampSmoother": [case()],
    "RingModulator": [case(), case(waveform="saw", sample_rate=2000), case(external=True)],
    "RotarySpeaker": [
        case(sample_rate=4000),
        case((1,), external=True, interpolation="linear", endless=True, sample_rate=4000),
    ],
    "STFTMaskedNoiseReverb": [
        case(**FRAMES),
        case(processor_channel="mono", gain_envelope=True, **FRAMES),
        case(STEREO, True, processor_channel="midside", fixed_noise=False, **FRAMES),
    ],
    "SawOscillator": OSCILLATORS,
    "SchroederAllpass": [
        case(max_delay_ms=2, num_stages=2),
        case(delay_ms=(0.5, 0.1), num_stages=2),
        case(frequency_dependent=True, max_delay_ms=1),
        case(frequency_dependent=True, delay_ms=1.0),
    ],
    "Send": [case()],
    "SideGainImager": [case(STEREO)],
    "SineOscillator": OSCILLATORS,
    "SplineDistortion": [case(), case(num_bins=2, oversampling=2)],
    "SquareOscillator": OSCILLATORS,
    "StackedStateVariableFilter": [case(), case(num_filters=3)],
    "StateVariableFilter": SECTIONS,
    "StereoGain": [case()],
    "StereoToMidSide": [case(STEREO), case(STEREO, normalize=False)],
    "StereoWidener": [case(STEREO), case(STEREO, mono_bass=True)],
    "TanhDistortion": [case(), case(inverse_post_gain=False, use_bias=True, remove_dc=True)],
    "ToneStack": [case(), case(components="top_boost")],
    "TransientShaper": [case(), case(sidechain=True)],
    "Tremolo": [case(sample_rate=2000), case(waveform="triangle", sample_rate=200), case(external=True)],
    "TriangleOscillator": OSCILLATORS,
    "VelvetNoiseReverb": [
        case(ir_len=300, sample_rate=2000, density=500),
        case(STEREO, ir_len=300, color="dark", processor_channel="midside", num_widths=3),
        case(ir_len=301, color="segments", processor_channel="pseudo_midside", num_segments=3, num_magnitudes=4),
    ],
    "Vibrato": [
        case(sample_rate=4000),
        case(waveform="triangle", interpolation="linear", sample_rate=4000),
        case(external=True, sample_rate=4000),
    ],
    "Waveshaper": [
        *(case(shape=shape) for shape in ("hard", "tanh")),
        *(case(shape=shape, antialiasing="adaa1") for shape in ("tube", "sine_fold")),
        *(case(shape=shape, antialiasing="adaa2") for shape in ("hard", "arctan", "triangle_fold")),
        case(shape="cubic", oversampling=8),
        case(shape="tube", antialiasing="adaa1", oversampling=2),
        case(shape="tanh", antialiasing="adaa2", oversampling=4),
    ],
    "WavetableOscillator": [*OSCILLATORS, case(inlets=("position",))],
    "WhiteNoise": NOISES,
    "ZeroPhaseFIREqualizer": [case(num_magnitude_bins=17)],
}


def is_plain(cls):
    """Whether it is a processor that needs no other one to be made of."""
    if not (inspect.isclass(cls) and issubclass(cls, Processor)):
        return False
    _, *options = inspect.signature(cls.__init__).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in options)


def in_short(value):
    return tuple(value.shape) if isinstance(value, torch.Tensor) else value


PLAIN = [name for name in grafx.processors.__all__ if is_plain(getattr(grafx.processors, name))]
for _name in PLAIN:
    REGISTRY.setdefault(_name, [case()])
CLASSES = [name for name in grafx.processors.__all__ if name in REGISTRY]
CASES = [
    pytest.param(name, c, id=f"{name}({', '.join(f'{key}={in_short(value)}' for key, value in c.options.items())})")
    for name in CLASSES
    for c in REGISTRY.get(name, [])
]


def make(name, options=None):
    return getattr(grafx.processors, name)(**(options or {}))


def arguments(processor, std, batch, channels, length, dtype, level=1.0, seed=0):
    """Leaves: a signal for each inlet, and nested raw parameters."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def fill(sizes):
        return {
            name: fill(size)
            if isinstance(size, dict)
            else (std * normal(batch, *((size,) if isinstance(size, int) else size))).to(dtype).requires_grad_()
            for name, size in sizes.items()
        }

    # From loud to soft, for thresholds to lie in between.
    envelope = level * torch.logspace(-0.5, -3, length, dtype=torch.float64)

    def signal(name):
        noise = normal(batch, channels, length)
        return level * (noise.cumsum(-1) > 0) if name == "gate" else envelope * noise

    names = getattr(processor, "inlets", ("main",))
    inlets = [signal(name).to(dtype).requires_grad_() for name in names]
    return inlets, fill(processor.parameter_size())


def call(processor, inlets, parameters, length):
    """The outlets, and all intermediates in one sum. What it draws is always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        result = processor(*inlets, **parameters, **({} if inlets else {"num_samples": length}))
    signals = list(result) if isinstance(result, (tuple, list)) else [result]
    intermediates = signals.pop() if isinstance(signals[-1], dict) else {}
    return signals, sum((value.sum() for _, value in leaves(intermediates)), torch.zeros(()))


def leaves(tree, path=()):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield "/".join((*path, name)), value


def weighted(signals, extra):
    """A number that depends on every sample."""
    generator = torch.Generator().manual_seed(1)
    return extra + sum((y * torch.randn(y.shape, generator=generator).to(y.dtype)).sum() for y in signals)


def take(tree, row):
    return {name: take(value, row) if isinstance(value, dict) else value[row : row + 1] for name, value in tree.items()}


def check(processor, std, batch, channels, length, dtype, level=1.0):
    inlets, parameters = arguments(processor, std, batch, channels, length, dtype, level)
    tensors = {**{f"inlet {i}": x for i, x in enumerate(inlets)}, **dict(leaves(parameters))}
    before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    signals, extra = call(processor, inlets, parameters, length)
    assert len(signals) == len(getattr(processor, "outlets", ("main",)))
    for y in signals:
        assert y.dtype == dtype
        assert (y.shape[0], y.shape[2]) == (batch, length)
        assert y.isfinite().all(), "the output is not finite"
    assert extra.isfinite(), "an intermediate is not finite"
    number = weighted(signals, extra)
    if number.requires_grad:
        gradients = torch.autograd.grad(number, list(tensors.values()), allow_unused=True)
        for name, gradient in zip(tensors, gradients, strict=True):
            assert gradient is None or gradient.isfinite().all(), f"the gradient of {name} is not finite"
    for name, tensor in tensors.items():
        assert torch.equal(tensor, before[name]), f"{name} has changed"


def test_all_that_are_not_made_of_others_have_an_entry():
    public = {name: getattr(grafx.processors, name) for name in grafx.processors.__all__}
    processors = {name for name, cls in public.items() if inspect.isclass(cls) and issubclass(cls, Processor)}
    containers = {name for name in processors if issubclass(public[name], Container)}
    missing = processors - containers - {*REGISTRY}
    assert not missing, f"{missing} cannot be made without options: add some to REGISTRY of {__name__}."


def pairs(first, second, *others):
    """Combinations in which any two values of different lists meet, where the others are of two values or one."""
    for i, j in itertools.product(range(len(first)), range(len(second))):
        turns = zip(others, (i + j, i + j + j // 2), strict=False)
        yield first[i], second[j], *(other[turn % len(other)] for other, turn in turns)


@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_values_and_gradients_are_finite(name, c):
    processor = make(name, c.options)
    for (batch, length), std, channels, dtype in pairs(SHAPES, STDS, c.channels, DTYPES):
        check(processor, std, batch, channels, length, dtype)


@pytest.mark.parametrize("name, c", CASES)
def test_silence_is_processed(name, c):
    processor = make(name, c.options)
    for std, dtype, channels in pairs(STDS, DTYPES, c.channels):
        check(processor, std, 2, channels, 500, dtype, level=0.0)


@pytest.mark.parametrize("name, c", CASES)
def test_can_be_sent_to_another_process(name, c):
    processor = make(name, c.options)
    there = pickle.loads(pickle.dumps(processor))
    inlets, parameters = arguments(processor, 1.0, 2, max(c.channels), 100, torch.float32)
    here, _ = call(processor, inlets, parameters, 100)
    for y, expected in zip(call(there, inlets, parameters, 100)[0], here, strict=True):
        torch.testing.assert_close(y, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in PLAIN if name in REGISTRY])
def test_long_signals_are_processed_with_the_options_that_it_has_by_default(name):
    check(make(name), 1.0, 1, max(REGISTRY[name][0].channels), 2**17, torch.float32)


@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_gradients_are_slopes(name, c):
    """Central differences along a random direction in each argument."""
    processor, length, step = make(name, c.options), 200, 1e-6
    inlets, parameters = arguments(processor, 0.3, 2, max(c.channels), length, torch.float64)
    tensors = {**{f"inlet {i}": x for i, x in enumerate(inlets)}, **dict(leaves(parameters))}

    def number():
        return weighted(*call(processor, inlets, parameters, length))

    gradients = torch.autograd.grad(number(), list(tensors.values()), allow_unused=True)
    generator = torch.Generator().manual_seed(2)
    for (name, tensor), gradient in zip(tensors.items(), gradients, strict=True):
        if name.rpartition("/")[2] in c.surrogates:
            continue
        assert gradient is not None, f"{name} has no gradient"
        direction = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        values = []
        with torch.no_grad():
            for side in (1, -2):
                tensor += side * step * direction
                values.append(number())
            tensor += step * direction
        slope = (values[0] - values[1]) / (2 * step)
        scale = gradient.norm() * direction.norm()
        expected = (gradient * direction).sum()
        assert scale > 0, f"{name} has no gradient"
        assert math.isclose(slope, expected, rel_tol=1e-5, abs_tol=1e-6 * scale), (
            f"the gradient of {name} along a direction is {expected:g}, but the slope is {slope:g}"
        )


def in_one_number(name, c, length=40, dtype=torch.float64):
    """A processor as a function from all its inlets and raw parameters to one number, and values of those."""
    processor = make(name, c.options)
    inlets, parameters = arguments(processor, 0.3, 2, max(c.channels), length, dtype)
    values = [tensor.detach() for tensor in (*inlets, *dict(leaves(parameters)).values())]

    def function(*values):
        rest = iter(values)

        def fill(tree):
            return {key: fill(value) if isinstance(value, dict) else next(rest) for key, value in tree.items()}

        given = [next(rest) for _ in inlets]
        return weighted(*call(processor, given, fill(parameters), length))

    return function, values


def partial_of(function, values, i):
    """A function of one of its arguments."""
    return lambda value: function(*values[:i], value, *values[i + 1 :])


def reverse_mode(function, values, create_graph=False):
    values = [value if create_graph else value.clone().requires_grad_() for value in values]
    number = function(*values)
    if not number.requires_grad:
        return [torch.zeros_like(value) for value in values]
    return torch.autograd.grad(number, values, create_graph=create_graph, materialize_grads=True)


def directions(values):
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in values]


def dot(these, those):
    return sum((one * other).sum() for one, other in zip(these, those, strict=True))


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_forward_mode_is_that_of_reverse_mode_or_refused(name, c):
    function, values = in_one_number(name, c)
    along, gradients = directions(values), reverse_mode(function, values)
    whole = dot(gradients, along)
    slopes = []
    with contextlib.suppress(DerivativeError):
        slopes.append((whole, torch.func.jvp(function, tuple(values), tuple(along))[1]))
    with contextlib.suppress(DerivativeError), forward_ad.dual_level():
        number = function(*map(forward_ad.make_dual, values, along))
        slopes.append((whole, forward_ad.unpack_dual(number).tangent))
    for i, value in enumerate(values):
        of_one = partial_of(function, values, i)
        with contextlib.suppress(DerivativeError):
            slopes.append(
                (dot(gradients[i : i + 1], along[i : i + 1]), torch.func.jvp(of_one, (value,), (along[i],))[1])
            )
    for expected, slope in slopes:
        slope = torch.zeros(()).double() if slope is None else slope
        torch.testing.assert_close(slope, expected + 0 * slope, rtol=1e-6, atol=1e-9)


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_functional_gradients_are_those_of_autograd(name, c):
    function, values = in_one_number(name, c)
    found = torch.func.grad(function, tuple(range(len(values))))(*values) if values else ()
    for gradient, expected in zip(found, reverse_mode(function, values), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_gradients_of_several_numbers_are_those_of_each(name, c):
    function, values = in_one_number(name, c)

    def both(*values):
        number = function(*values)
        return torch.stack([number, number.square()])

    if not values:
        return
    of_each = [reverse_mode(lambda *values, i=i: both(*values)[i], values) for i in range(2)]
    expected = [torch.stack(gradients) for gradients in zip(*of_each, strict=True)]
    found = torch.func.jacrev(both, tuple(range(len(values))))(*values)
    torch.testing.assert_close(list(found), expected, rtol=1e-9, atol=1e-12)
    with contextlib.suppress(DerivativeError):
        found = torch.autograd.functional.jacobian(both, tuple(values), vectorize=True)
        torch.testing.assert_close(list(found), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_a_batch_of_batches_is_each_of_them_or_refused(name, c):
    function, values = in_one_number(name, c)
    if not values:
        return
    both = [torch.stack([value, value / 2]) for value in values]
    try:
        found = torch.func.vmap(function, randomness="same")(*both)
    except ParameterError as error:
        assert f"{name} does not run in torch.func.vmap" in str(error)
        return
    expected = torch.stack([function(*(value[i] for value in both)) for i in range(2)])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_second_derivatives_are_slopes_of_the_first_or_refused(name, c):
    function, values = in_one_number(name, c)
    along, step = directions(values), 1e-6
    inputs = [value.clone().requires_grad_() for value in values]
    if not function(*inputs).requires_grad:
        return
    first = dot(reverse_mode(function, inputs, create_graph=True), along)
    if not first.requires_grad:
        first = first + 0 * sum(value.sum() for value in inputs)
    gradients = torch.func.grad(function, tuple(range(len(values))))
    for i, value in enumerate(inputs):
        seconds = []
        try:
            (second,) = torch.autograd.grad(first, value, retain_graph=True, materialize_grads=True)
            seconds.append((second * along[i]).sum())
        except DerivativeError:
            with pytest.raises(DerivativeError):
                first.backward(retain_graph=True)
        with contextlib.suppress(DerivativeError):  # as torch.func.hessian takes it
            _, change = torch.func.jvp(partial_of(gradients, values, i), (values[i],), (along[i],))
            seconds.append(dot(change, along))
        if not seconds:
            continue
        low, high = (
            dot(reverse_mode(function, [v + (s * along[i] if j == i else 0) for j, v in enumerate(values)]), along)
            for s in (-step, step)
        )
        for second in seconds:
            torch.testing.assert_close(second, (high - low) / (2 * step), rtol=1e-4, atol=2e-5)


@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_no_step_reads_values_off_a_device(name, c):
    """Tensors without values stand for those on a device, where whoever asks for a value waits for all before."""
    inlets, parameters = arguments(make(name, c.options), 0.3, 2, max(c.channels), 300, torch.float32)

    def there(tree):
        if isinstance(tree, dict):
            return {name: there(part) for name, part in tree.items()}
        return tree.detach().to("meta").requires_grad_()

    processor = make(name, c.options).to("meta")
    signals, _ = call(processor, list(map(there, inlets)), there(parameters), 300)
    assert all(y.device.type == "meta" and y.shape[-1] == 300 for y in signals)
    number = sum(y.sum() for y in signals)
    if number.requires_grad:
        number.backward()


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_autocast_takes_no_precision(name, c):
    function, values = in_one_number(name, c, 200, torch.float32)

    def both():
        inputs = [value.clone().requires_grad_() for value in values]
        number = function(*inputs)
        gradients = torch.autograd.grad(number, inputs, materialize_grads=True) if number.requires_grad else ()
        return number.detach(), *gradients

    expected = both()
    with torch.autocast("cpu", torch.bfloat16):
        found = both()
        low = function(*(value.bfloat16() for value in values))  # as a network gives them there
        assert torch.is_autocast_enabled("cpu")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert low.isfinite() and low.dtype == expected[0].dtype


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_what_is_built_in_inference_mode_can_be_trained(name, c):
    _computed.cache_clear()
    with torch.inference_mode():
        function, values = in_one_number(name, c, 100, torch.float32)
        expected = function(*values)
    _, values = in_one_number(name, c, 100, torch.float32)
    inputs = [value.requires_grad_() for value in values]
    number = function(*inputs)
    torch.testing.assert_close(number.detach(), expected.clone())
    if number.requires_grad:
        number.backward()


@pytest.mark.each("name")
@pytest.mark.parametrize("name", [name for name in CLASSES if name in REGISTRY])
def test_other_types_of_numbers_are_refused(name):
    function, values = in_one_number(name, REGISTRY[name][0], 20, torch.float32)
    for i, dtype in itertools.product(
        range(len(values)), (torch.float16, torch.bfloat16, torch.int32, torch.complex64)
    ):
        wrong = [value.to(dtype) if j == i else value for j, value in enumerate(values)]
        with pytest.raises(ParameterError, match=rf"^{name} computes in float32 or float64, but .* is {dtype}: "):
            function(*wrong)


@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", [p for p in CASES if not p.values[1].draws])
def test_rows_do_not_hear_each_other(name, c):
    processor, length = make(name, c.options), 300
    for channels in c.channels:
        inlets, parameters = arguments(processor, 1.0, 3, channels, length, torch.float64)
        together, _ = call(processor, inlets, parameters, length)
        again, _ = call(processor, inlets, parameters, length)
        assert all(map(torch.equal, together, again))
        for row in range(3):
            alone, _ = call(processor, [x[row : row + 1] for x in inlets], take(parameters, row), length)
            for y, expected in zip(alone, together, strict=True):
                torch.testing.assert_close(y, expected[row : row + 1], rtol=1e-9, atol=1e-11)


def stream(processor, inlets, parameters, sizes):
    """Blocks in a row, some from a state that was saved and restored, and then silence until the last has come out."""
    latency = processor.latency_samples
    blocks = [torch.nn.functional.pad(x, (0, latency)).split(sizes, -1) for x in inlets]
    outputs, state = [], None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for i, size in enumerate(sizes):
            length = {} if inlets else {"num_samples": size}
            output, state = processor.stream(*(block[i] for block in blocks), state=state, **length, **parameters)
            outputs.append(output if isinstance(output, tuple) else (output,))
            if i % 3 == 1:
                file = io.BytesIO()
                torch.save(state, file)
                state = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    return [torch.cat(blocks, -1)[..., latency:] for blocks in zip(*outputs, strict=True)]


@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
@torch.no_grad()
def test_blocks_in_a_row_give_what_the_whole_signal_does(name, c, rng):
    processor, length = make(name, c.options), 1500
    for dtype, std, channels in pairs(DTYPES, (0.1, 1.0), c.channels):
        inlets, parameters = arguments(processor, std, 2, channels, length, dtype)
        if processor.latency_samples is None:
            with pytest.raises(ParameterError, match=f"{name} cannot run block by block"):
                processor.stream(*inlets, **parameters)
            continue
        whole, _ = call(processor, inlets, parameters, length)
        edges = np.sort(rng.integers(0, length + processor.latency_samples, size=5))
        sizes = [0, *np.diff([0, *edges, edges[-1] + 1, length + processor.latency_samples]).tolist(), 0]
        for y, expected in zip(stream(processor, inlets, parameters, sizes), whole, strict=True):
            assert y.dtype == dtype and y.shape == expected.shape
            assert (y - expected).norm() <= 1e-5 * expected.norm()
    assert processor.causal == (processor.latency_samples == 0)


@pytest.mark.each("name")
@pytest.mark.parametrize("name", PLAIN)
def test_impossible_sample_rates_are_refused(name):
    if "sample_rate" in inspect.signature(getattr(grafx.processors, name)).parameters:
        for sample_rate in (0, -44100.0, math.nan, math.inf):
            with pytest.raises(ParameterError, match="needs a positive number of samples per second"):
                make(name, {"sample_rate": sample_rate})


@pytest.mark.versions
@pytest.mark.slow
@pytest.mark.each("name")
@pytest.mark.parametrize("name", [name for name in CLASSES if name in REGISTRY])
@torch.no_grad()
def test_compiles_as_one_graph(name):
    c, length = REGISTRY[name][0], 300
    processor = make(name, c.options)
    torch.compiler.reset()
    compiled = torch.compile(processor, backend="eager", fullgraph=True)
    inlets, parameters = arguments(processor, 0.3, 2, max(c.channels), length, torch.float32)
    signals, _ = call(compiled, inlets, parameters, length)
    for y, expected in zip(signals, call(processor, inlets, parameters, length)[0], strict=True):
        torch.testing.assert_close(y, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name, c", CASES)
@torch.no_grad()
def test_sounds_have_died_away_after_the_tail(name, c):
    """Decay by 60 dB, except for the response to a constant offset."""
    processor = make(name, c.options)
    if processor.latency_samples is None or c.endless:
        return
    inlets, parameters = arguments(processor, 0.3, 2, max(c.channels), 500, torch.float64)
    tail = processor.tail_samples(**parameters)
    inlets = [torch.nn.functional.pad(x, (0, tail + 2000)) for x in inlets]
    resting, _ = call(processor, [torch.zeros_like(x) for x in inlets], parameters, tail + 2500)
    for y, rest in zip(call(processor, inlets, parameters, tail + 2500)[0], resting, strict=True):
        sound = (y - rest).abs()
        assert (sound[..., 500 + tail :].amax(-1) <= 1.01e-3 * sound.amax(-1)).all()


@pytest.mark.parametrize("name, c", CASES)
def test_controls_set_all_raw_parameters(name, c):
    processor = make(name, c.options)
    controls = [leaf.control for leaf in processor.leaves()]
    raw = [name for name, _ in leaves(processor.parameter_size())]
    assert {control.raw for control in controls} == {name.rpartition("/")[2] for name in raw}
    assert len({control.name for control in controls} | set(raw)) == len(controls) + len(raw), (
        "a control and a raw parameter have the same name"
    )
    inlets, _ = arguments(processor, 0.0, 2, max(c.channels), 200, torch.float32)
    call(processor, inlets, {"dsp_params": {}}, 200)


@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_views_convert_into_each_other_over_all_ranges(name, c):
    for dtype in DTYPES:
        check_views(name, c, dtype)


def check_views(name, c, dtype):
    processor = make(name, c.options)
    if not processor.controls:
        assert not processor.parameter_size()
        return
    norm = torch.linspace(0, 1, 21, dtype=dtype)[:, None].repeat(1, processor.count_num_parameters()).requires_grad_()
    raw = processor.norm_to_raw(norm)
    assert {n: tuple(v.shape[1:]) for n, v in leaves(raw)} == {
        n: (size,) if isinstance(size, int) else tuple(size) for n, size in leaves(processor.parameter_size())
    }
    torch.testing.assert_close(processor.raw_to_norm(raw), norm, atol=1e-5, rtol=0)
    physical = processor.norm_to_dsp(norm)
    for leaf in processor.leaves():
        value, low, high = physical[leaf.control.name], leaf.control.low, leaf.control.high
        for end, limit in ((0, low), (-1, high)):
            torch.testing.assert_close(value[end], torch.full_like(value[end], limit), rtol=1e-5, atol=1e-5)
        back = processor.raw_to_dsp(raw)[leaf.control.name]
        torch.testing.assert_close(back, value, rtol=1e-5, atol=1e-5 * (high - low))
    weights = torch.Generator().manual_seed(0)
    total = sum((value * torch.randn(value.shape, generator=weights).to(dtype)).sum() for _, value in leaves(raw))
    total.backward()
    assert norm.grad.isfinite().all() and (norm.grad != 0).float().mean() > 0.9

    inlets, _ = arguments(processor, 0.0, 21, max(c.channels), 300, dtype)
    signals, extra = call(processor, inlets, {"norm_params": norm}, 300)
    assert all(y.isfinite().all() for y in signals)
    number = weighted(signals, extra)
    (gradient,) = torch.autograd.grad(number, norm)
    assert gradient.isfinite().all() and gradient.any()


CONVERSIONS = {
    "half and back": lambda module: module.half().float(),
    "bfloat16 and back": lambda module: module.to(torch.bfloat16).to(torch.float32),
    "double": lambda module: module.double(),
}


@pytest.mark.parametrize("name, c", CASES)
@torch.no_grad()
def test_a_module_that_was_converted_gives_what_a_fresh_one_does(name, c):
    fresh = make(name, c.options)
    inlets, parameters = arguments(fresh, 0.3, 2, max(c.channels), 300, torch.float32)
    expected, _ = call(fresh, inlets, parameters, 300)
    for conversion, convert in CONVERSIONS.items():
        converted = convert(copy.deepcopy(fresh))
        for y, wanted in zip(call(converted, inlets, parameters, 300)[0], expected, strict=True):
            assert torch.equal(y, wanted), conversion
    state = fresh.state_dict()
    assert set(state) == ({"bands", "rates"} if name == "ConvolutionReverb" else set())
    fresh.load_state_dict(state)


@pytest.mark.parametrize("name", [name for name in CLASSES if name in REGISTRY])
def test_what_a_module_holds_goes_to_other_devices_with_it(name):
    module = make(name, REGISTRY[name][0].options)
    held = {name: (buffer.shape, buffer.dtype) for name, buffer in module.named_buffers()}
    moved = module.to("meta")
    assert {name: (buffer.shape, buffer.dtype) for name, buffer in moved.named_buffers()} == held
    assert all(buffer.is_meta for buffer in moved.buffers())


EXTREMES = [20.0, 100.0, 1e4]


@pytest.mark.parametrize("name, c", CASES)
def test_extreme_raw_values_give_finite_values_and_gradients(name, c):
    """Of one sign and of both, of all raw parameters and of each by itself."""
    for dtype in DTYPES:
        check_extremes(name, c, dtype)


def check_extremes(name, c, dtype):
    processor, length = make(name, c.options), 200
    inlets, parameters = arguments(processor, 1.0, 1, max(c.channels), length, dtype)
    names = [n for n, _ in leaves(parameters)]
    rows = 3 * len(EXTREMES) * (1 + len(names))

    def fill(value, path):
        signs = torch.ones(rows, *value.shape[1:], dtype=dtype)
        mixed = torch.randint(0, 2, value.shape[1:], generator=torch.Generator().manual_seed(0)) * 2 - 1
        size = torch.tensor([s * e for e in EXTREMES for s in (1, -1, 1)], dtype=dtype).repeat(1 + len(names))
        signs[2::3] = mixed.to(dtype)
        alone = torch.tensor([kind == 0 or names[kind - 1] == path for kind in range(1 + len(names))])
        scale = size * alone.repeat_interleave(3 * len(EXTREMES))
        return (signs * scale.reshape(-1, *[1] * (value.ndim - 1))).requires_grad_()

    def filled(tree, path=()):
        return {
            n: filled(v, (*path, n)) if isinstance(v, dict) else fill(v, "/".join((*path, n))) for n, v in tree.items()
        }

    inlets = [x.detach().expand(rows, -1, -1).clone().requires_grad_() for x in inlets]
    raw = filled(parameters)
    signals, extra = call(processor, inlets, raw, length)
    for y in signals:
        assert y.isfinite().all(), f"the output of rows {(~y.isfinite()).any(-1).any(-1).nonzero()[:, 0].tolist()}"
    tensors = {**{f"inlet {i}": x for i, x in enumerate(inlets)}, **dict(leaves(raw))}
    number = weighted(signals, extra)
    if not number.requires_grad:
        return
    gradients = torch.autograd.grad(number, list(tensors.values()), allow_unused=True)
    for n, gradient in zip(tensors, gradients, strict=True):
        assert gradient is None or gradient.isfinite().all(), f"the gradient of {n}"


@pytest.mark.parametrize("name, c", CASES)
@torch.no_grad()
def test_a_block_that_is_not_finite_is_refused_and_the_state_stays_usable(name, c):
    processor = make(name, c.options)
    inlets, parameters = arguments(processor, 0.3, 2, max(c.channels), 100, torch.float32)
    if processor.latency_samples is None:
        return
    length = {} if inlets else {"num_samples": 50}

    def run(state, part, **raw):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return processor.stream(*(x[..., part] for x in inlets), state=state, **length, **(raw or parameters))

    _, state = run(None, slice(50))
    expected, _ = run(state, slice(50, 100))
    for inlet, bad in zip(inlets, itertools.cycle([math.nan, math.inf, -math.inf])):
        spoilt = [x.clone() for x in inlets]
        spoilt[[x is inlet for x in inlets].index(True)][-1, -1, 7] = bad
        with pytest.raises(ParameterError, match=f"{name} cannot go on from NaN .* first in sample 7 of this block"):
            processor.stream(*spoilt, state=state, **parameters)
    for path, value in leaves(parameters):
        if not value.numel():
            continue
        value.view(-1)[-1], kept = math.nan, value.view(-1)[-1].clone()
        with pytest.raises(ParameterError, match=f"{path.rpartition('/')[2]} of {name} is NaN or infinite"):
            run(state, slice(50, 100))
        value.view(-1)[-1] = kept
    again, _ = run(state, slice(50, 100))
    for y, wanted in zip(*((r if isinstance(r, tuple) else (r,)) for r in (again, expected)), strict=True):
        assert torch.equal(y, wanted) and y.isfinite().all()


@pytest.mark.parametrize("kind", ["controls", "raw"])
@pytest.mark.parametrize("name, c", CASES)
@torch.no_grad()
def test_knobs_that_jump_are_never_much_louder_than_at_rest(name, c, kind):
    """Each 64 samples, of some settings another one, on noise of unit level."""
    processor, size, count, length = make(name, c.options), 64, 12, 1024
    generator = torch.Generator().manual_seed(0)
    if processor.latency_samples is None or not processor.controls:
        return
    if kind == "controls":
        norm = torch.rand(count, processor.count_num_parameters(), generator=generator, dtype=torch.float64)
        settings = processor.norm_to_raw(norm)
    else:
        _, settings = arguments(processor, 1.0, count, 1, 1, torch.float64)

    def noise(inlet):
        x = torch.randn(count, max(c.channels), length, generator=generator, dtype=torch.float64)
        return (x > 0).double() if inlet == "gate" else x

    def rows(tree, which):
        return {n: rows(v, which) if isinstance(v, dict) else v[which] for n, v in tree.items()}

    inlets = [noise(inlet) for inlet in getattr(processor, "inlets", ("main",))]
    at_rest, _ = call(processor, inlets, settings, length)
    limits = [4 * y.abs().amax() for y in at_rest]
    state = None
    for start in range(0, length, size):
        blocks = [x[:2, :, start : start + size] for x in inlets]
        which = torch.randint(count, (2,), generator=generator)
        number = {} if inlets else {"num_samples": size}
        y, state = processor.stream(*blocks, state=state, **number, **rows(settings, which))
        for signal, limit in zip(y if isinstance(y, tuple) else (y,), limits, strict=True):
            assert signal.abs().amax() <= limit


@pytest.mark.parametrize("name, c", CASES)
def test_defaults_lie_in_their_ranges_and_those_of_bands_apart(name, c):
    has_rate = "sample_rate" in inspect.signature(getattr(grafx.processors, name)).parameters
    rates = [{}, {"sample_rate": 32000}, {"sample_rate": 192000}] if has_rate else [{}]
    for processor in [make(name, {**c.options, **rate}) for rate in rates]:
        values = processor.raw_to_dsp(processor.dsp_to_raw({}, 1, torch.zeros(1, dtype=torch.float64)))
        for leaf in processor.leaves():
            value = values
            for key in leaf.path:
                value = value[key]
            default = torch.tensor(leaf.control.default, dtype=torch.float64).squeeze().expand(leaf.shape)
            assert leaf.control.low <= default.min() and default.max() <= leaf.control.high, leaf.name
            norm = leaf.control.to_norm(value[0])
            torch.testing.assert_close(norm, leaf.control.to_norm(default), atol=1e-4, rtol=0, msg=leaf.name)
            if leaf.control.unit == "Hz" and leaf.shape:
                apart = value[0].sort().values.diff(dim=-1)
                assert (apart > 0.1 * value[0].sort().values[..., :-1]).all(), (leaf.name, value)
