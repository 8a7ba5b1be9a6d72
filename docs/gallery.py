"""A picture of every processor, made when the site is built."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from grafx.processors import (
    ADSR,
    KICKS,
    LFO,
    AllpassCascade,
    AllPassFilter,
    AllpassLattice,
    AllpassSmoother,
    Amplifier,
    ApproxCompressor,
    ApproxNoiseGate,
    ArctanDistortion,
    AutoPan,
    BandPassFilter,
    BandRejectFilter,
    BiquadFilter,
    BitCrusher,
    ButterworthFilter,
    ChebyshevDistortion,
    Chorus,
    Compressor,
    ConvolutionReverb,
    DCBlocker,
    DeEsser,
    DelayLine,
    DryWet,
    DynamicEqualizer,
    Expander,
    ExponentialEnvelope,
    FactorizedCompressor,
    FactorizedNoiseGate,
    FeedbackDelay,
    FeedbackDelayNetwork,
    FilteredNoiseShapingReverb,
    FIRFilter,
    Flanger,
    Freeverb,
    GainStagingRegularization,
    GraphicEqualizer,
    HaasEnhancer,
    HardClip,
    HighPassFilter,
    HighShelf,
    KickSynth,
    LadderFilter,
    Limiter,
    LinkwitzRileyCrossover,
    LowPassFilter,
    LowShelf,
    MidSideToStereo,
    ModalResonators,
    MonoToStereo,
    MultiBand,
    MultiBandCompressor,
    MultiBandExpander,
    MultiBandLimiter,
    MultiBandNoiseGate,
    MultitapDelay,
    NewZeroPhaseFIREqualizer,
    NoiseGate,
    OnePoleSmoother,
    Panner,
    ParallelMix,
    ParametricEqualizer,
    PeakingFilter,
    Phaser,
    PiecewiseTanhDistortion,
    PingPongDelay,
    PinkNoise,
    PoleZeroFilter,
    PowerDistortion,
    RampSmoother,
    RingModulator,
    RotarySpeaker,
    SawOscillator,
    SchroederAllpass,
    Send,
    SerialChain,
    SideGainImager,
    SineOscillator,
    SplineDistortion,
    SquareOscillator,
    StackedStateVariableFilter,
    StateVariableFilter,
    StereoGain,
    StereoToMidSide,
    StereoWidener,
    STFTMaskedNoiseReverb,
    TanhDistortion,
    ToneStack,
    TransientShaper,
    Tremolo,
    TriangleOscillator,
    VelvetNoiseReverb,
    Vibrato,
    Waveshaper,
    WavetableOscillator,
    WhiteNoise,
    ZeroPhaseFIREqualizer,
)
from grafx.processors.base import Processor
from grafx.processors.core.oscillator import triangle
from matplotlib.axes import Axes
from plots import (
    SAMPLE_RATE,
    Panel,
    Setting,
    Settings,
    describe,
    diagram,
    following,
    gain_over_time,
    goniometer,
    harmonics,
    lanes,
    lines,
    magnitude,
    named,
    noise_spectrogram,
    outlet_magnitudes,
    phase,
    run,
    sine_gain,
    small,
    spectrogram,
    static_curve,
    stereo_noise,
    transfer,
    vary,
    waveform,
    wide,
    z_plane,
)

from grafx import processors

NEPER = 20 / math.log(10)
AT_1K = {"frequency_hz": 1000}


def numbers(values: Iterable[float]) -> str:
    return ",".join(f" {value:g}".replace("-", "−") for value in values)


# --- Filters


def by_frequency_and_q(processor: Processor, show=magnitude) -> list[Panel]:
    hertz = vary({"q": 0.7}, *({"frequency_hz": hertz} for hertz in (200, 1000, 5000)))
    return [show(processor, hertz), show(processor, vary(AT_1K, *({"q": q} for q in (0.5, 2, 8))))]


def by_gain_and_q(processor: Processor) -> list[Panel]:
    gains = vary({**AT_1K, "q": 0.7}, *({"gain_db": gain} for gain in (12, 6, -6, -12)))
    qualities = vary({**AT_1K, "gain_db": 12}, *({"q": q} for q in (0.4, 0.7, 2)))
    return [magnitude(processor, gains, -18, 18), magnitude(processor, qualities, -18, 18)]


def pole_zero() -> list[Panel]:
    settings = vary(
        {"gain_db": -20},
        {"pole_radius": 0.97, "pole_hz": 2000, "zero_radius": 1, "zero_hz": 6000},
        {"pole_radius": 0.9, "pole_hz": 10000, "zero_radius": 0.9, "zero_hz": 800},
    )
    return [magnitude(PoleZeroFilter(), settings, -60, 20), z_plane(settings)]


def biquad() -> list[Panel]:
    settings = vary(
        {},
        {"b0": 1, "b1": 0, "b2": 0, "a1": -1.8, "a2_position": 0.6},
        {"b0": 0.5, "b1": 0.5, "b2": 0, "a1": -0.9, "a2_position": -0.8},
        {"b0": 1, "b1": -1.9, "b2": 0.95, "a1": -1, "a2_position": 0},
    )
    return [magnitude(BiquadFilter(), settings, -40, 40)]


def state_variable() -> list[Panel]:
    mixes = {"high-pass": (1, 0, 0), "band-pass": (0, 1, 0), "low-pass": (0, 0, 1), "high- and low-pass": (1, 0, 1)}
    names = ("highpass", "bandpass", "lowpass")
    kinds = {label: {**AT_1K, "q": 1, **dict(zip(names, mix, strict=True))} for label, mix in mixes.items()}
    qualities = vary({**AT_1K, "lowpass": 1}, *({"q": q} for q in (0.5, 2, 8)))
    return [
        magnitude(StateVariableFilter(), named(kinds, "frequency 1 kHz, Q 1")),
        magnitude(StateVariableFilter(), qualities),
    ]


def tone_stack() -> list[Panel]:
    hertz, impulse = torch.fft.rfftfreq(2**15, 1 / SAMPLE_RATE)[15:], torch.eye(1, 2**15, dtype=torch.double)[None]
    middle, settings = (
        {},
        vary(
            {},
            {"bass": 0.5, "mid": 0.5, "treble": 0.5},
            {"bass": 1, "mid": 0.5, "treble": 0},
            {"bass": 0.5, "mid": 1, "treble": 0.5},
            {"bass": 0, "mid": 0, "treble": 1},
        ),
    )
    for name in ("bassman", "twin_reverb", "jcm800", "top_boost"):
        gain = torch.fft.rfft(ToneStack(name)(impulse, dsp_params={})[0, 0]).abs()[15:]
        middle[name] = 20 * torch.log10(gain)
    return [magnitude(ToneStack(), settings, -25, 3), over_frequency(hertz, middle, "gain (dB)", "all knobs at 0.5")]


def dc_blocker() -> list[Panel]:
    settings = vary({}, *({"cutoff_hz": hertz} for hertz in (5, 20, 100)))
    return [
        following(DCBlocker(), settings, {0: 0.0, 5: 1.0, 40: 0.2}, 60),
        magnitude(DCBlocker(), vary({}, *({"cutoff_hz": hertz} for hertz in (20, 100, 400))), -30, 6),
    ]


def responses(curves: Mapping[str, torch.Tensor], title: str = "", low: float = -48, high: float = 12) -> Panel:
    """Gain over frequency of impulse responses from filters with different options."""
    length = len(next(iter(curves.values())))
    hertz = torch.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    seen = (hertz >= 20) & (hertz <= 20000)
    gains = {label: 20 * torch.log10(torch.fft.rfft(h).abs()[seen].clamp(1e-10)) for label, h in curves.items()}
    panel = over_frequency(hertz[seen], gains, "gain (dB)", title)

    def draw(ax: Axes) -> None:
        panel.draw(ax)
        ax.set(ylim=(low, high))

    return replace(panel, draw=draw)


def response_of(processor: Processor, **values) -> torch.Tensor:
    return processor(torch.eye(1, 2**15, dtype=torch.double)[None], dsp_params=values)[0, 0]


def late_by(processor: Processor, settings: Settings, high: float) -> Panel:
    """Group delay over frequency of an allpass filter."""
    x = torch.eye(1, 2**15, dtype=torch.double)[None]
    curves = {}
    for setting in settings.each:
        h = run(processor, x, setting)[0, 0]
        spectrum, moments = torch.fft.rfft(h), torch.fft.rfft(h * torch.arange(len(h)))
        curves[setting.label] = (moments / spectrum).real[15:14861] * 1000 / SAMPLE_RATE
    panel = over_frequency(
        torch.fft.rfftfreq(2**15, 1 / SAMPLE_RATE)[15:14861], curves, "group delay (ms)", settings.title
    )

    def draw(ax: Axes) -> None:
        panel.draw(ax)
        ax.set(ylim=(0, high))

    return replace(panel, draw=draw)


def clicks(processor: Processor, settings: Settings, ms: float) -> Panel:
    """What a click becomes."""
    x = torch.eye(1, round(ms / 1000 * SAMPLE_RATE), dtype=torch.double)[None]
    heard = {setting.label: run(processor, x, setting)[0, 0] for setting in settings.each}
    return lanes({"click": x[0, 0], **{label: h / h.abs().max() for label, h in heard.items()}}, 1, "at full height")


def butterworth() -> list[Panel]:
    orders = {f"order {order}": response_of(ButterworthFilter(order), **AT_1K) for order in (1, 2, 4, 8)}
    edges = vary({}, {"low_hz": 300, "high_hz": 3000}, {"low_hz": 900, "high_hz": 1100}, {"low_hz": 50, "high_hz": 500})
    return [
        responses(orders, "low-pass, frequency 1 kHz", -60),
        magnitude(ButterworthFilter(kind="band"), edges, -60, 12),
    ]


def ladder() -> list[Panel]:
    resonances = vary(AT_1K, *({"resonance": resonance} for resonance in (0, 0.5, 0.9, 0.99)))
    modes = ("low12", "band24", "high24", "high12")
    kinds = {mode: response_of(LadderFilter(mode), **AT_1K, resonance=0.5) for mode in modes}
    return [
        magnitude(LadderFilter(), resonances, -48, 36),
        responses(kinds, "frequency 1 kHz, resonance 0.5", -48, 24),
    ]


def stacked() -> list[Panel]:
    processor, values = StackedStateVariableFilter(), {**AT_1K, "resonance": 0.5}
    pairs = ((1, 1), (0.3, 0.3), (0.1, 1), (3, 3))
    dampings = vary(values, *({"damping": pair} for pair in pairs))
    numbers_of_filters = {
        f"{count} filters": response_of(StackedStateVariableFilter(count), **values, damping=(0.3,) * count)
        for count in (2, 3, 4)
    }
    return [
        magnitude(processor, dampings, -48, 24),
        responses(numbers_of_filters, "frequency 1 kHz, resonance 0.5, damping 0.3", -48, 36),
    ]


def schroeder() -> list[Panel]:
    processor = SchroederAllpass(4, (31.7, 19.3, 11.9, 7.1))
    settings = vary({}, *({"gain": gain} for gain in (0.7, 0.5, -0.3)))
    dull = SchroederAllpass(2, (13.7, 9.1), frequency_dependent=True)
    decays = named(
        {"gains 0.9 low and 0.3 high, crossover 2 kHz": {"gain_low": 0.9, "gain_high": 0.3, "crossover_hz": 2e3}}
    )
    return [clicks(processor, settings, 300), spectrogram(dull, decays, 0.4)]


def allpass_cascade() -> list[Panel]:
    processor = AllpassCascade(8)
    settings = vary({}, *({"q": q} for q in (0.5, 2, 8)))
    spread = np.geomspace(200, 8000, 8)
    settings = named({s.label: {**s.arguments["dsp_params"], "frequency_hz": spread} for s in settings.each})
    return [late_by(processor, settings, 12), clicks(processor, settings, 20)]


def allpass_lattice() -> list[Panel]:
    shapes = {
        "−0.9, 0.9, 0, 0": (-0.9, 0.9, 0, 0),
        "0, 0.8, 0, 0": (0, 0.8, 0, 0),
        "0.5, −0.3, 0.7, 0.5": (0.5, -0.3, 0.7, 0.5),
    }
    settings = named({label: {"reflection": each} for label, each in shapes.items()}, "reflection")
    return [late_by(AllpassLattice(), settings, 1.5), clicks(AllpassLattice(), settings, 2)]


def fir() -> list[Panel]:
    taps = np.arange(401)
    window = np.hanning(401)
    comb, sinc = np.zeros(401), window * 0.25 * np.sinc((taps - 200) * 2 * 2000 / SAMPLE_RATE)
    comb[[0, 44]] = 0.9
    settings = named({"echo after 1 ms": {"taps": comb}, "windowed sinc at 2 kHz": {"taps": 3 * sinc}})
    processor = FIRFilter(fir_len=401)
    return [magnitude(processor, settings, -60, 20), waveform(processor, settings, 0.0091)]


# --- Equalizers


def curve(num_bins: int, *points: tuple[float, float]) -> np.ndarray:
    """Decibels at ``num_bins`` frequencies up to Nyquist, straight between points (Hz, dB) on a logarithmic scale."""
    hertz = np.linspace(0, SAMPLE_RATE / 2, num_bins, endpoint=False)
    at, decibels = zip(*points, strict=True)
    return np.interp(np.log(hertz.clip(1)), np.log(at), decibels)


TILT = (100, 9), (10000, -9)
SMILE = (60, 9), (200, 0), (1000, -9), (4000, 0), (12000, 9)
PRESENCE = (800, 0), (3000, 12), (10000, 0)


def zero_phase() -> list[Panel]:
    shapes = {"a tilt of 9 dB per decade": TILT, "a smile": SMILE, "presence": PRESENCE}
    settings = named({name: {"magnitude_db": curve(1024, *points)} for name, points in shapes.items()})
    return [magnitude(ZeroPhaseFIREqualizer(), settings, -18, 18)]


def new_zero_phase() -> list[Panel]:
    bank = {"num_filters": 24, "scale": "bark_traunmuller"}
    processor = NewZeroPhaseFIREqualizer(use_filterbank=True, filterbank_kwargs=bank)
    steps = np.arange(24)
    shapes = {
        "bands 10 to 13 up by 12 dB": 12.0 * ((steps >= 9) & (steps < 13)),
        "every other band down by 12 dB": -12.0 * (steps % 2),
        "1 dB less in each band": 11.5 - steps,
    }
    settings = named({name: {"magnitude_db": gains} for name, gains in shapes.items()}, "24 Bark bands")
    return [magnitude(processor, settings, -18, 18)]


def parametric() -> list[Panel]:
    place = {"frequency_hz": (100, 500, 3000, 8000), "q": (0.7, 2, 1, 0.7)}
    gains = ((6, -9, 6, -6), (-12, 6, 0, 9), (0, 0, -12, 0))
    settings = named(
        {f"gains{numbers(each)} dB": {**place, "gain_db": each} for each in gains},
        "low shelf 100 Hz, peaks 500 Hz and 3 kHz, high shelf 8 kHz",
    )
    return [magnitude(ParametricEqualizer(num_filters=4), settings, -18, 18)]


def graphic() -> list[Panel]:
    processor, steps = GraphicEqualizer(scale="third_octave"), torch.arange(31)
    shapes = {
        "one band up by 12 dB": 12.0 * (steps == 17),
        "up and down by 6 dB in turns": 6.0 - 12.0 * (steps // 4 % 2),
        "a slope": 12 - 0.8 * steps,
    }
    settings = named(
        {name: {"gain_db": NEPER * processor.gains_for(gains / NEPER)} for name, gains in shapes.items()},
        "third octaves, with gains from gains_for",
    )
    return [magnitude(processor, settings, -18, 18)]


# --- Dynamics

ATTACKS = [{"attack_ms": 1, "release_ms": 20}, {"attack_ms": 10, "release_ms": 100}]
SMOOTHINGS = [{"smoothing_ms": ms} for ms in (2, 10, 50)]
QUICK = {"smoothing_ms": 1}
THRESHOLD = {"threshold_db": -30}
RATIOS = [{"ratio": ratio} for ratio in (1.2, 1.5, 2)]
LOW_RATIOS = [{"ratio": ratio} for ratio in (1.5, 2, 4)]


def compressor() -> list[Panel]:
    moving = vary({**THRESHOLD, "ratio": 1.5}, *ATTACKS)
    return [
        static_curve(Compressor(energy_smoother=None), vary({**THRESHOLD, "knee_db": 6}, *RATIOS)),
        gain_over_time(Compressor(sample_rate=SAMPLE_RATE), moving, -40, -10),
    ]


def approx_compressor() -> list[Panel]:
    return [
        static_curve(ApproxCompressor(), vary({**THRESHOLD, "knee_db": 6, **QUICK}, *RATIOS)),
        gain_over_time(ApproxCompressor(), vary({**THRESHOLD, "ratio": 1.5}, *SMOOTHINGS), -40, -10),
    ]


def factorized_compressor() -> list[Panel]:
    processor, slow = FactorizedCompressor(), {**THRESHOLD, "ratio": 2, "attack_ms": 30}
    limits = [{"transient_threshold_db": level} for level in (0, -15, -25)]
    return [static_curve(processor, vary(slow, *limits)), gain_over_time(processor, vary(slow, *limits), -40, -10)]


def factorized_gate() -> list[Panel]:
    processor, slow = FactorizedNoiseGate(), {**THRESHOLD, "range_db": -20, "attack_ms": 20, "release_ms": 30}
    opens = vary(slow, *({"transient_threshold_db": level} for level in (0, -20)))
    ms = (torch.arange(882, dtype=torch.double) - 220) / SAMPLE_RATE * 1000
    x = torch.where(ms < 0, 0.01, 0.3)[None, None]
    gains = {label: 20 * torch.log10(processor(x, **arguments) / x)[0, 0] for label, arguments in opens.each}
    time = lines(ms, gains, "time (ms); input −40 dB, then −10 dB", "gain (dB)", opens.title)
    return [time, static_curve(processor, opens)]


def gate() -> list[Panel]:
    processor = NoiseGate(sample_rate=SAMPLE_RATE, knee_type="quadratic")
    ranges = vary({**THRESHOLD, "knee_db": 6, "attack_ms": 1}, *({"range_db": depth} for depth in (-10, -20, -40)))
    times = [{"attack_ms": 1, "release_ms": 5}, {"attack_ms": 20, "release_ms": 30}]
    return [
        static_curve(processor, ranges),
        gain_over_time(processor, vary({**THRESHOLD, "range_db": -20, "knee_db": 6}, *times), -40, -10),
    ]


def approx_gate() -> list[Panel]:
    return [
        static_curve(ApproxNoiseGate(), vary({**THRESHOLD, "knee_db": 6, **QUICK}, *LOW_RATIOS), -60),
        gain_over_time(ApproxNoiseGate(), vary({**THRESHOLD, "ratio": 2}, *SMOOTHINGS), -40, -10),
    ]


def expander() -> list[Panel]:
    return [
        static_curve(Expander(), vary({**THRESHOLD, "knee_db": 6, "attack_ms": 1}, *LOW_RATIOS)),
        gain_over_time(Expander(), vary({**THRESHOLD, "ratio": 4}, *ATTACKS), -40, -20),
    ]


def limiter() -> list[Panel]:
    thresholds = vary({"ratio": 100, "knee_db": 0.5}, *({"threshold_db": level} for level in (-30, -20, -10)))
    releases = vary({"threshold_db": -20}, *({"release_ms": ms} for ms in (10, 50, 200)))
    return [
        static_curve(Limiter(), thresholds, -60),
        gain_over_time(Limiter(lookahead_ms=5), releases, -30, -5),
    ]


def dynamic_equalizer() -> list[Panel]:
    processor = DynamicEqualizer(3)
    place = {"frequency_hz": (150, 1500, 6000), "q": 2, "attack_ms": 5, "release_ms": 50}
    setting = Setting(
        "low shelf 150 Hz, peak 1.5 kHz, high shelf 6 kHz; threshold −40 dB, ratio 4, ranges 6, −12, −9 dB",
        {"dsp_params": {**place, "threshold_db": -40, "range_db": (6, -12, -9)}},
    )
    curves = {f"range {most} dB".replace("-", "−"): [] for most in (-12, -6, 6)}
    levels = np.linspace(-60, -3, 20)
    time = torch.arange(8820, dtype=torch.double) / SAMPLE_RATE
    sines = 2**0.5 * 10 ** (torch.tensor(levels).reshape(-1, 1, 1) / 20) * torch.sin(2 * torch.pi * 1000 * time)
    for label, most in zip(curves, (-12, -6, 6), strict=True):
        values = {"frequency_hz": 1000, "q": 2, "threshold_db": -40, "range_db": most, "release_ms": 50}
        y = DynamicEqualizer(1, False)(sines, dsp_params=values)
        gain = y[:, 0, -2000:].norm(dim=-1) / sines[:, 0, -2000:].norm(dim=-1)
        curves[label] = 20 * torch.log10(gain)
    return [
        sine_gain(processor, setting, (-60, -40, -30, -20)),
        lines(levels, curves, "level at the centre (dB)", "gain (dB)", "threshold −40 dB, ratio 4"),
    ]


def de_esser() -> list[Panel]:
    time = torch.arange(22050, dtype=torch.double) / SAMPLE_RATE
    noise = torch.randn(22050, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    hiss = HighPassFilter()(noise[None, None], dsp_params={"frequency_hz": 7000})[0, 0]
    vowel = 0.8 * torch.sin(2 * torch.pi * 30 * time) * (1 - 0.5 * torch.cos(2 * torch.pi * 4 * time))
    sung = 0.6 * vowel + 0.2 * hiss * ((time % 0.25 > 0.15) & (time % 0.25 < 0.22))
    values = {"threshold_db": -30, "range_db": -18, "ratio": 8}
    out = DeEsser()(sung[None, None], dsp_params=values)[0, 0]
    [setting] = named(
        {"frequency 6 kHz, threshold −30 dB, ratio 4, range −12 dB": {"threshold_db": -30, "range_db": -12}}
    ).each
    return [
        sine_gain(DeEsser(), setting, (-40, -25, -15, -5)),
        lanes({"in": sung, "out": out, "taken out": sung - out}, 1, "a low tone and hiss"),
    ]


def transient_shaper() -> list[Panel]:
    settings = vary({}, {"attack_db": 12}, {"attack_db": -12}, {"sustain_db": 12}, {"sustain_db": -12})
    time = torch.arange(8820, dtype=torch.double) / SAMPLE_RATE
    hit = 0.4 * torch.sin(2 * torch.pi * 150 * time) * torch.exp(-25 * time) * (1 - torch.exp(-2000 * time))
    shaped = {
        setting.label: run(TransientShaper(), hit[None, None], setting)[0, 0]
        for setting in (settings.each[0], settings.each[2])
    }
    return [gain_over_time(TransientShaper(), settings, -40, -10), lanes({"in": hit, **shaped}, 1)]


CROSSOVERS = {"crossover0_freq": 200, "crossover1_freq": 3000}


def bands(processor: Processor, node_type: str, title: str, **values: tuple[float, float, float]) -> list[Panel]:
    """A processor of three bands, with values of its controls in each."""
    each = {f"band{k}_{name}": value for name, three in values.items() for k, value in enumerate(three)}
    setting = Setting(f"crossovers at 200 Hz and 3 kHz; {title}", {"dsp_params": {**CROSSOVERS, **each}})
    return [sine_gain(processor, setting, (-50, -30, -10)), three_bands(node_type)]


def three_bands(node_type: str) -> Panel:
    rows = {f"band{k}": (2.1, 0.8 * (1 - k), node_type) for k in range(3)}
    nodes = {"in": (0, 0, "in"), "split": (0.9, 0, "crossover"), **rows, "+": (3.2, 0, "mix"), "out": (3.9, 0, "out")}
    edges = [("in", "split", ""), *(("split", row, "") for row in rows), *((row, "+", "") for row in rows)]
    return diagram(nodes, [*edges, ("+", "out", "")])


# --- Distortion


def distortion(processor: Processor, settings, amplitude: float = 1.0) -> list[Panel]:
    return [transfer(processor, settings), harmonics(processor, settings, amplitude)]


def piecewise() -> list[Panel]:
    soft, hard = {"positive_hardness": 0.5, "negative_hardness": 0.5}, {"positive_hardness": 5, "negative_hardness": 5}
    low, uneven = {"positive_threshold": 0.2, "negative_threshold": 0.2}, {"negative_threshold": 0.8}
    settings = named(
        {
            "hardness 0.5, threshold 0.2": {**soft, **low},
            "hardness 5, threshold 0.2": {**hard, **low},
            "hardness 5, threshold 0.2 up, 0.8 down": {**hard, **low, **uneven},
        }
    )
    return distortion(PiecewiseTanhDistortion(), settings)


def series(processor: Processor, weights: Mapping[str, tuple[float, ...]]) -> list[Panel]:
    return distortion(processor, named({label: {"weights": each} for label, each in weights.items()}))


POWERS = {"0.9 u − 0.3 u³": (0, 0.9, 0, -0.3), "0.9 u + 0.5 u²": (0, 0.9, 0.5, 0), "0.9 u³": (0, 0, 0, 0.9)}
POLYNOMIALS = {
    "0.9 T₁ + 0.3 T₂": (0, 0.9, 0.3, 0, 0, 0),
    "0.9 T₁ + 0.3 T₃": (0, 0.9, 0, 0.3, 0, 0),
    "0.9 T₅": (0, 0, 0, 0, 0, 0.9),
}


def waveshaper() -> list[Panel]:
    x = torch.linspace(-3, 3, 601, dtype=torch.double)
    shapes = ("hard", "tanh", "tube", "sine_fold")
    curves = {shape: Waveshaper(shape)(x[None, None], dsp_params={})[0, 0] for shape in shapes}
    sine = torch.sin(2 * math.pi * 5000 / SAMPLE_RATE * torch.arange(SAMPLE_RATE, dtype=torch.double))[None, None]
    window = torch.signal.windows.kaiser(SAMPLE_RATE, beta=16, dtype=torch.double)
    spectra = {}
    for label, options in {"plain": (), "adaa2": ("adaa2",), "adaa2, 4 times oversampled": ("adaa2", 4)}.items():
        y = Waveshaper("hard", *options)(sine, dsp_params={"drive_db": 20.0})[0, 0]
        level = 20 * torch.log10(torch.fft.rfft(y * window).abs().clamp(min=1e-9))
        spectra[label] = level[:20000].unflatten(0, (-1, 50)).amax(1) - level.max()
    panel = lines(torch.arange(400) * 0.05, spectra, "frequency (kHz)", "level (dB)", "hard, 5 kHz, drive 20 dB")

    def draw(ax: Axes) -> None:
        panel.draw(ax)
        ax.set(ylim=(-120, 5))
        for line in ax.lines:
            line.set_linewidth(0.9)

    return [lines(x, curves, "input", "output"), replace(panel, draw=draw, width=1.3)]


def spline_distortion() -> list[Panel]:
    even = {
        "bin_gain_db": (-30, -18, -6, 0, 0, -6, -18, -30),
        "knot_gain_db": (-36, -24, -12, -3, 0, -3, -12, -24, -36),
    }
    dead = {"bin_gain_db": (0, 0, 0, -30, -30, 0, 0, 0), "knot_gain_db": (0, 0, 0, -3, -36, -3, 0, 0, 0)}
    uneven = {**even, "bin_gain_db": (0, 0, 0, 0, *even["bin_gain_db"][4:])}
    uneven["knot_gain_db"] = (0, 0, 0, 0, *even["knot_gain_db"][4:])
    settings = named({"soft clipping": even, "a dead zone": dead, "clipping of one half": uneven})
    return distortion(SplineDistortion(), settings)


def bit_crusher() -> list[Panel]:
    sine = 0.9 * torch.sin(2 * math.pi * 120 / SAMPLE_RATE * torch.arange(500, dtype=torch.double))
    settings = {"3 bits": {"bits": 3}, "held for 24.5": {"bits": 16, "downsampling": 24.5}}
    crushed = {label: BitCrusher()(sine[None, None], dsp_params=values)[0, 0] for label, values in settings.items()}
    return [lanes({"in": sine, **crushed}, 1), transfer(BitCrusher(), vary({}, {"bits": 2}, {"bits": 4}))]


# --- Delay and reverb


def delay_line() -> list[Panel]:
    time = torch.arange(7056, dtype=torch.double) / SAMPLE_RATE
    pulses = torch.cos(2 * torch.pi * 62.5 * time).clamp(min=0) ** 100
    swing = torch.sin(2 * torch.pi * 12.5 * time)
    heard = DelayLine()(pulses[None, None], 8 * swing[None, None], dsp_params={"delay_ms": 8})[0, 0]
    impulse, gains = torch.eye(1, 1024, dtype=torch.double)[None], {}
    for kind in ("linear", "cubic", "allpass"):
        y = DelayLine(interpolation=kind)(impulse, dsp_params={"delay_ms": 10.5e3 / SAMPLE_RATE})
        gains[kind] = 20 * torch.log10(torch.fft.rfft(y[0, 0]).abs()[:-20])
    hertz = torch.arange(493) * SAMPLE_RATE / 1024
    return [
        lanes({"in": pulses, "time": swing, "out": heard}, 2, "delay 8 ms, and ±8 ms at the inlet time"),
        lines(hertz / 1000, gains, "frequency (kHz)", "gain (dB)", "10½ samples late"),
    ]


def echo() -> list[Panel]:
    settings = vary({"time_ms": 150, "high_cut_hz": 3000}, {"feedback": 0.7}, {"feedback": -0.7, "low_cut_hz": 500})
    return [waveform(FeedbackDelay(), settings, 1), spectrogram(FeedbackDelay(), settings, 1)]


def ping_pong() -> list[Panel]:
    time = torch.arange(35280, dtype=torch.double) / SAMPLE_RATE
    hit = torch.sin(2 * torch.pi * 100 * time) * torch.exp(-60 * time)
    panels = []
    for entrance, x in (("mono", hit[None, None]), ("stereo", torch.stack((hit, 0.5 * hit))[None])):
        processor = PingPongDelay(entrance=entrance)
        left, right = processor(x, dsp_params={"time_ms": 150, "feedback": 0.75, "high_cut_hz": 3000})[0]
        names = ("in",) if entrance == "mono" else ("left in", "right in")
        signals = {**dict(zip(names, x[0], strict=True)), "left": left, "right": right}
        panels.append(lanes(signals, len(names), f"entrance {entrance}, time 150 ms, feedback 0.75"))
    return panels


def multitap() -> list[Panel]:
    taps, treble = np.arange(20)[:, None], np.linspace(0, 1, 20)
    color = np.tile((-2 * taps - 4 * taps * treble).clip(-60), (2, 1))  # softer and duller
    times = {"delays 50, 10, 35 and 60 ms in turns": (50.0, 10.0, 35.0, 60.0), "delays 30 ms": (30.0,)}
    settings = named(
        {label: {"delay_ms": np.resize(each, 40), "color_db": color} for label, each in times.items()},
        "20 segments of 68 ms",
    )
    return [waveform(MultitapDelay(), settings, 1.36), spectrogram(MultitapDelay(), settings, 1.36)]


def convolution_reverb() -> list[Panel]:
    """A response as a hall might have it: a direct sound, reflections, and noise that is duller the later it is."""
    noise = torch.randn(2, SAMPLE_RATE, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    hall = LowPassFilter()(noise[None], dsp_params={"frequency_hz": 3000})[0] * 10 ** (-3 * time / 1.2)
    hall = 0.12 * (hall + 0.3 * noise * 10 ** (-3 * time / 0.5)) * (time > 0.03)
    hall[:, [0, 500, 900]] += torch.tensor([[1.0, 0.5, 0.2], [1.0, 0.2, 0.5]], dtype=torch.double)
    processor = ConvolutionReverb(hall)
    settings = named(
        {
            "as it is": {},
            "decay 0.5, of treble 0.2": {"low_decay": 0.5, "mid_decay": 0.5, "high_decay": 0.2},
            "pre-delay 150 ms, decay 0.3": {"pre_delay_ms": 150, "low_decay": 0.3, "mid_decay": 0.3, "high_decay": 0.3},
        }
    )
    return [waveform(processor, settings, 0.8), spectrogram(processor, settings, 0.8, index=1)]


def decaying(processor: Processor, num_bands: int, times: list[tuple[float, float]], sample_rate: float) -> list[Panel]:
    """A reverb whose decay times fall from the lowest to the highest band."""
    settings = named(
        {
            f"{low:g} ms, at the highest {high:g} ms": {"decay_ms": np.tile(np.geomspace(low, high, num_bands), (2, 1))}
            for low, high in times
        },
        "decay by 60 dB at the lowest frequency in",
    )
    return [waveform(processor, settings, 0.8, sample_rate), spectrogram(processor, settings, 0.8, sample_rate)]


def reverb(processor: Processor, settings: Settings, seconds: float, index: int = 0) -> list[Panel]:
    return [
        waveform(processor, settings, seconds, SAMPLE_RATE),
        spectrogram(processor, settings, seconds, SAMPLE_RATE, index),
    ]


def delay_network() -> list[Panel]:
    times = {
        "2.5 s at low frequencies, 0.4 s at high ones": np.geomspace(2.5, 0.4, 9),
        "0.6 s everywhere": 0.6,
        "0.2 s, and 1.2 s at 1 kHz": [0.2, 0.2, 0.2, 0.4, 1.2, 0.4, 0.2, 0.2, 0.2],
    }
    settings = named({name: {"t60_s": seconds} for name, seconds in times.items()}, "decay by 60 dB in")
    return reverb(FeedbackDelayNetwork(), settings, 1.0)


def freeverb() -> list[Panel]:
    settings = vary(
        {},
        {"room_size": 0.9, "damping": 0.2},
        {"room_size": 0.5, "damping": 0.5},
        {"room_size": 0.2, "damping": 0.9},
    )
    return reverb(Freeverb(), settings, 1.0)


def velvet() -> list[Panel]:
    bands = VelvetNoiseReverb()
    times = {
        "1.5 s at low frequencies, 0.3 s at high ones": np.tile(np.geomspace(1.5, 0.3, 9), (2, 1)),
        "0.5 s everywhere": 0.5,
        "0.1 s everywhere": 0.1,
    }
    settings = named({name: {"t60_s": seconds} for name, seconds in times.items()}, "decay by 60 dB in")
    dark = named({"dark velvet noise, from pulses of 1 to 16 samples": {}})
    return [
        waveform(bands, settings, 0.8),
        spectrogram(VelvetNoiseReverb(color="dark"), dark, 0.8),
    ]


# --- Modulation


def one(label: str, **values: float) -> Setting:
    return Setting(label, {"dsp_params": values})


def chorus() -> list[Panel]:
    setting = one("delay 8 ms ± 6 ms, rate 0.5 Hz", rate_hz=0.5, delay_ms=8, depth_ms=6, mix=0.5)
    values = {"rate_hz": 0.5, "delay_ms": 15, "depth_ms": 5, "spread_cycles": 0.25, "mix": 1}
    ramp = torch.arange(4 * SAMPLE_RATE, dtype=torch.double)  # which tells how late it is
    late = (ramp - Chorus()(ramp.expand(1, 2, -1), dsp_params=values)[0])[:, SAMPLE_RATE // 10 :: 500]
    delays = {side: 1000 / SAMPLE_RATE * each for side, each in zip(("left", "right"), late, strict=True)}
    seconds = ramp[SAMPLE_RATE // 10 :: 500] / SAMPLE_RATE
    return [
        noise_spectrogram(Chorus(), setting, 4, 1000, 4096, 48),
        lines(seconds, delays, "time (s)", "delay (ms)", "15 ms ± 5 ms, spread a quarter of a cycle"),
    ]


def flanger() -> list[Panel]:
    swing = {"rate_hz": 0.5, "delay_ms": 1.5, "depth_ms": 1.2, "mix": 0.5}
    still = {"depth_ms": 0.0, "delay_ms": 1.0, "mix": 0.5}
    return [
        noise_spectrogram(Flanger(), one("1.5 ms ± 1.2 ms, feedback 0.5", feedback=0.5, **swing), 4, 8000),
        magnitude(Flanger(), vary(still, *({"feedback": gain} for gain in (0, 0.8, -0.8))), -30, 18),
    ]


def phaser() -> list[Panel]:
    swing = {"rate_hz": 0.5, "frequency_hz": 1000, "depth_octaves": 1.5, "mix": 0.5}
    still = {"frequency_hz": 1000, "depth_octaves": 0.0, "mix": 0.5}
    title = "6 stages, 1 kHz ± 1.5 octaves, feedback 0.5"
    return [
        noise_spectrogram(Phaser(6), one(title, feedback=0.5, **swing), 4, 8000, 2048),
        magnitude(Phaser(4), vary(still, *({"feedback": gain} for gain in (0, 0.7, -0.7))), -30, 18),
    ]


def cents(y: torch.Tensor, hertz: float) -> torch.Tensor:
    """The pitch of a sine, relative to what it was."""
    spectrum = torch.fft.fft(y.double())
    spectrum[len(y) // 2 :] = 0
    turns = np.unwrap(torch.fft.ifft(spectrum).angle().numpy()) / (2 * np.pi)
    return torch.from_numpy(1200 * np.log2(np.gradient(turns).clip(1e-9) * SAMPLE_RATE / hertz))


def vibrato() -> list[Panel]:
    sine = tone(SineOscillator(), 3000, 2 * SAMPLE_RATE)[None, None]
    pitches = {}
    for kind, depth in (("sine", 50), ("sine", 20), ("triangle", 50)):
        y = Vibrato(kind)(sine, dsp_params={"rate_hz": 5, "depth_cents": depth})[0, 0]
        pitches[f"{kind}, {depth} cents"] = cents(y, 3000)[SAMPLE_RATE : SAMPLE_RATE + 17640 : 20]
    return [lines(torch.arange(0, 17640, 20) / SAMPLE_RATE * 1000, pitches, "time (ms)", "pitch (cents)")]


def gain_curves(processor: Processor, **values: float) -> torch.Tensor:
    """Gains of the channels for half a second."""
    return processor(torch.ones(1, 2, SAMPLE_RATE // 2), dsp_params=values)[0, :, ::20]


HALF_SECOND = torch.arange(0, SAMPLE_RATE // 2, 20) / SAMPLE_RATE * 1000


def tremolo() -> list[Panel]:
    curves = {kind: gain_curves(Tremolo(kind), rate_hz=5, depth_db=12)[0] for kind in ("sine", "triangle", "square")}
    apart = gain_curves(Tremolo(), rate_hz=5, depth_db=12, spread_cycles=0.5)
    sides = dict(zip(("left", "right"), apart, strict=True))
    return [
        lines(HALF_SECOND, curves, "time (ms)", "gain", "rate 5 Hz, depth 12 dB"),
        lines(HALF_SECOND, sides, "time (ms)", "gain", "spread half a cycle"),
    ]


def auto_pan() -> list[Panel]:
    panels = []
    for depth in (1.0, 0.5):
        left, right = gain_curves(AutoPan(), rate_hz=4, depth=depth)
        curves = {"left": left, "right": right, "power": (left.square() + right.square()) / 2}
        panels.append(lines(HALF_SECOND, curves, "time (ms)", "gain", f"rate 4 Hz, depth {depth:g}"))
    return panels


def ring_modulator() -> list[Panel]:
    length, steps = 4096, SAMPLE_RATE / 4096
    x = tone(SineOscillator(), 100 * steps, length)[None, None]
    spectra, waves = {}, {"in": x[0, 0, :882]}
    for kind in ("square", "sine"):
        y = RingModulator(kind)(x, dsp_params={"frequency_hz": 24 * steps, "mix": 1.0})[0, 0]
        spectra[kind], waves[kind] = levels(y)[:300].clamp(min=-80), y[:882]
    title = f"{100 * steps:.0f} Hz times {24 * steps:.0f} Hz"
    return [
        lanes(waves, 1, title),
        lines(torch.arange(300) * steps / 1000, spectra, "frequency (kHz)", "level (dB)", title),
    ]


def rotary() -> list[Panel]:
    sine = tone(SineOscillator(), 4000, 2 * SAMPLE_RATE)[None, None]
    y = RotarySpeaker()(sine, dsp_params={"horn_rate_hz": 6.7, "horn_depth_db": 10, "mic_angle_deg": 90})[0]
    seen = slice(SAMPLE_RATE, SAMPLE_RATE + 17640)
    spectrum = torch.fft.fft(y.double())
    spectrum[:, y.shape[1] // 2 :] = 0
    envelopes = 20 * torch.log10(2 * torch.fft.ifft(spectrum).abs()[:, seen][:, ::20])
    pitches = torch.stack([cents(side, 4000)[seen][::20] for side in y])
    ms = torch.arange(0, 17640, 20) / SAMPLE_RATE * 1000
    named_sides = [dict(zip(("left", "right"), each, strict=True)) for each in (envelopes, pitches)]
    return [
        lines(ms, named_sides[0], "time (ms)", "level (dB)", "4 kHz, which the horn plays"),
        lines(ms, named_sides[1], "time (ms)", "pitch (cents)"),
    ]


# --- Synthesis


def over_time(curves: Mapping[str, torch.Tensor], title: str = "") -> Panel:
    """Signals that a generator makes."""
    (length,) = {len(curve) for curve in curves.values()}
    ms = torch.arange(length) / SAMPLE_RATE * 1000
    return lines(ms[::20], {label: curve[::20] for label, curve in curves.items()}, "time (ms)", "level", title)


def gated(processor: Processor, values: Mapping[str, float], title: str) -> Panel:
    gate = torch.zeros(30000)
    for start, stop in ((1000, 9000), (13000, 14000), (15000, 21000)):
        gate[start:stop] = 1
    return lanes({"gate": gate, "out": processor(gate[None, None], dsp_params=values)[0, 0]}, 1, title)


def levels(signal: torch.Tensor) -> torch.Tensor:
    """Spectrum in dB of a signal that repeats, relative to a sine."""
    return 20 * torch.log10((torch.fft.rfft(signal.double()).abs() / len(signal) * 2).clamp(1e-8))


def over_frequency(hertz: torch.Tensor, curves: Mapping[str, torch.Tensor], ylabel: str, title: str = "") -> Panel:
    """Curves over frequency on a logarithmic scale."""
    panel = lines(hertz, curves, "frequency (Hz)", ylabel, title)

    def draw(ax: Axes) -> None:
        panel.draw(ax)
        ax.set_xscale("log")
        ax.set_xticks([100, 1000, 10000], ["100", "1k", "10k"])

    return replace(panel, draw=draw)


def tone(oscillator: Processor, hertz: float, num_samples: int, **values: float) -> torch.Tensor:
    pitch = torch.tensor([hertz], dtype=torch.double)
    return oscillator(num_samples=num_samples, dsp_params={"frequency_hz": pitch, **values})[0, 0]


def aliases(signal: torch.Tensor, hertz: int) -> float:
    """Power of all that is no harmonic, relative to that of all that is, in dB, in one second of a signal."""
    power = torch.fft.rfft(signal).abs().square()
    harmonic = torch.arange(len(power)) % hertz == 0
    return 10 * math.log10(power[~harmonic].sum() / power[harmonic].sum())


def band_limited(oscillator: Processor, plain: Callable[[torch.Tensor], torch.Tensor]) -> list[Panel]:
    """An oscillator beside the waveform that is merely sampled."""
    name, seconds = type(oscillator).__name__, torch.arange(SAMPLE_RATE, dtype=torch.double) / SAMPLE_RATE
    primes = (53, 113, 223, 439, 881, 1759, 3527, 7043, 10007)  # so that no alias meets a harmonic
    left = {
        "sampled": [aliases(plain(hertz * seconds), hertz) for hertz in primes],
        name: [aliases(tone(oscillator, hertz, SAMPLE_RATE), hertz) for hertz in primes],
    }
    one, length = 40 * SAMPLE_RATE / 1024, 1024  # Hz, and samples that it takes for 40 cycles
    spectra = {
        "sampled": levels(plain(one * seconds[:length])),
        name: levels(tone(oscillator, one, length)),
    }
    return [
        lines(torch.arange(length // 2 + 1) * SAMPLE_RATE / length / 1000, spectra, "frequency (kHz)", "level (dB)"),
        over_frequency(torch.tensor(primes), left, "aliases (dB)"),
    ]


def saw(cycles: torch.Tensor) -> torch.Tensor:
    return 2 * cycles.remainder(1) - 1


def square(cycles: torch.Tensor) -> torch.Tensor:
    return torch.where(cycles.remainder(1) < 0.5, 1.0, -1.0).double()


def sine_oscillator() -> list[Panel]:
    swing = tone(SineOscillator(), 100, 1323)
    heard = SineOscillator(("frequency",))(1000 * swing[None, None], dsp_params={"frequency_hz": 1000})[0, 0]
    turns, length = (0.4, 0.1, 0), 4096
    steps = SAMPLE_RATE / length
    swing = tone(SineOscillator(), 20 * steps, length)[None, None]
    modulated = SineOscillator(("phase",))
    spectra = {
        f"phase ±{turn:g}": levels(modulated(turn * swing, dsp_params={"frequency_hz": 100 * steps})[0, 0])[:300]
        for turn in turns
    }
    title = f"{100 * steps:.0f} Hz, modulated by {20 * steps:.0f} Hz"
    return [
        lanes({"1000 Hz": swing[0, 0, :1323], "out": heard}, 1, "frequency 1000 Hz, modulated by ±1000 Hz"),
        lines(torch.arange(300) * steps / 1000, spectra, "frequency (kHz)", "level (dB)", title),
    ]


def wavetable() -> list[Panel]:
    oscillator, positions = WavetableOscillator(), (0, 1 / 3, 0.5, 2 / 3, 1)
    waves = {f"{position:.2g}": tone(oscillator, 220, 600, position=position) for position in positions}
    spectra = {
        label: levels(tone(oscillator, 16 * SAMPLE_RATE / 1024, 1024, position=position))[:257]
        for label, position in (("saw", 2 / 3), ("halfway", 5 / 6), ("square", 1))
    }
    return [
        lanes(waves, 0, "position, from sine over triangle and saw to square"),
        lines(torch.arange(257) * SAMPLE_RATE / 1024 / 1000, spectra, "frequency (kHz)", "level (dB)"),
    ]


def lfo() -> list[Panel]:
    kinds = ("sine", "triangle", "saw", "square")
    waves = {kind: LFO(kind)(num_samples=17640, dsp_params={"rate_hz": 5})[0, 0] for kind in kinds}
    vibrato = SineOscillator(("frequency",))(100 * waves["sine"][:8820][None, None], dsp_params={"frequency_hz": 150})[
        0, 0
    ]
    return [
        lanes(waves, 0, "rate 5 Hz"),
        lanes({"sine": waves["sine"][:8820], "vibrato": vibrato}, 1, "150 Hz, modulated by ±100 Hz"),
    ]


def noise(processor: Processor) -> list[Panel]:
    seeds = {f"seed {seed}": processor(num_samples=1323, dsp_params={"seed": seed})[0, 0] / 2 for seed in range(3)}
    edges = np.unique(np.geomspace(20, 20000, 61).astype(int))
    means = {}
    for kind in (WhiteNoise(), PinkNoise()):
        power = torch.fft.rfft(kind(num_samples=8 * SAMPLE_RATE, dsp_params={})[0, 0].double()).abs().square()
        bands = [power[8 * low : 8 * high].mean() for low, high in pairwise(edges)]
        means[type(kind).__name__] = 10 * torch.log10(torch.stack(bands) / power.mean())
    middles = torch.tensor(np.sqrt(edges[1:] * edges[:-1]))
    return [lanes(seeds, 0), over_frequency(middles, means, "power density (dB)")]


def adsr() -> list[Panel]:
    times = {"attack_ms": 20, "decay_ms": 80, "sustain": 0.4, "release_ms": 100}
    curves = {
        f"{curve}, hold {hold} ms": ADSR(curve)(num_samples=17640, dsp_params={**times, "hold_ms": hold})[0, 0]
        for curve, hold in (("exponential", 250), ("linear", 250), ("linear", 50))
    }
    common = "attack 20 ms, decay 80 ms, sustain 0.4, release 100 ms"
    return [over_time(curves, common), gated(ADSR("linear", gated=True), times, "linear")]


def exponential() -> list[Panel]:
    rates = (5, 20, 100)
    curves = {
        f"{rate} per second": ExponentialEnvelope()(num_samples=13230, dsp_params={"decay_rate": rate})[0, 0]
        for rate in rates
    }
    return [over_time(curves), gated(ExponentialEnvelope(gated=True), {"decay_rate": 10}, "10 per second")]


def modal() -> list[Panel]:
    membrane = {"frequency_hz": (100, 159.4, 213.6, 265.3), "gain_db": (0, -6, -9, -12)}
    string = {"frequency_hz": (100, 200, 300, 400), "gain_db": (0, -6, -9.5, -12)}
    settings = named(
        {
            "modes of a string, 600 ms": {**string, "decay_ms": (600, 500, 450, 400)},
            "modes of a membrane, 300 ms": {**membrane, "decay_ms": (300, 200, 150, 100)},
        }
    )
    processor = ModalResonators(4)
    return [waveform(processor, settings, 0.3), magnitude(processor, settings, 0, 80)]


def amplifier() -> list[Panel]:
    plucked = {"attack_ms": 3, "decay_ms": 30, "sustain": 0.3, "hold_ms": 20, "release_ms": 20}
    control = {
        "an envelope at control": ADSR()(num_samples=1764, dsp_params=plucked),
        "a tone at control": tone(SineOscillator(), 60, 1764)[None, None].float(),
    }
    saw = tone(SawOscillator(), 500, 1764).float()
    return [
        lanes({"in": saw, "control": c[0, 0], "out": Amplifier()(saw[None, None], c, dsp_params={})[0, 0]}, 2, title)
        for title, c in control.items()
    ]


def kick() -> list[Panel]:
    kicks = {
        name: KickSynth(use_modal="modal_freq" in values)(num_samples=SAMPLE_RATE, dsp_params=values)[0, 0]
        for name, values in KICKS.items()
    }
    edges = np.unique(np.geomspace(20, 20000, 61).astype(int))
    spectra = {}
    for name, signal in kicks.items():
        power = torch.fft.rfft(signal.double()).abs().square()
        spectra[name] = 10 * torch.log10(torch.stack([power[low:high].sum() for low, high in pairwise(edges)]))
    loudest = max(levels.max() for levels in spectra.values())
    spectra = {name: levels - loudest for name, levels in spectra.items()}
    middles = torch.tensor(np.sqrt(edges[1:] * edges[:-1]))
    return [
        lanes({name: signal[:11025] for name, signal in kicks.items()}, 0, "KICKS"),
        over_frequency(middles, spectra, "energy of bands (dB)"),
    ]


# --- Stereo


def burst() -> tuple[torch.Tensor, torch.Tensor]:
    """A left and a right signal that look different."""
    time = torch.arange(882, dtype=torch.double) / SAMPLE_RATE
    left = torch.sin(2 * torch.pi * 250 * time) * torch.exp(-150 * time)
    right = 0.7 * torch.sin(2 * torch.pi * 600 * time) * torch.sin(torch.pi * time / 0.02) ** 2
    return left, right


def stereo(processor: Processor, settings: Settings) -> list[Panel]:
    return [goniometer(processor, settings), before_and_after(processor, settings.each[-1])]


def before_and_after(processor: Processor, setting: Setting) -> Panel:
    signals = torch.stack(burst())
    left, right = run(processor, signals[None], setting)[0]
    names = ("left in", "right in", "left out", "right out")
    return lanes(dict(zip(names, (*signals, left, right), strict=True)), 2, setting.label)


def panner() -> list[Panel]:
    places = torch.linspace(-1, 1, 101, dtype=torch.double)
    x = torch.ones(101, 1, 1, dtype=torch.double)
    left, power = {}, {}
    for law in ("linear", "-4.5dB", "constant_power", "balance"):
        gains = Panner(law)(x, dsp_params={"pan": places})[..., 0]
        left[law] = 20 * torch.log10(gains[:, 0].clamp(min=1e-3))
        power[law] = 10 * torch.log10(gains.square().sum(1))
    return [lines(places, left, "pan", "gain of the left (dB)"), lines(places, power, "pan", "power of both (dB)")]


def widener() -> list[Panel]:
    hertz, impulse = torch.fft.rfftfreq(2**15, 1 / SAMPLE_RATE)[15:], torch.zeros(1, 2, 2**15, dtype=torch.double)
    impulse[..., 0] = torch.tensor([1.0, -1.0])
    widths, sides = vary({}, *({"width": width} for width in (1, 2, 0.5, 0))), {}
    for below in (60, 120, 250):
        values = {"width": 1.5, "mono_below_hz": below}
        left, right = StereoWidener(mono_bass=True)(impulse, dsp_params=values)[0]
        side = torch.fft.rfft(left - right).abs()[15:] / 2
        sides[f"mono below {below} Hz"] = 20 * torch.log10(side.clamp(min=1e-3))
    return [goniometer(StereoWidener(), widths), over_frequency(hertz, sides, "gain of the side (dB)", "width 1.5")]


def haas() -> list[Panel]:
    [late] = vary({}, {"delay_ms": 8, "gain_db": -3}).each
    hertz, impulse = torch.fft.rfftfreq(2**13, 1 / SAMPLE_RATE)[4:], torch.eye(1, 2**13, dtype=torch.double)[None]
    sums = {}
    for gain in (0, -6, -12):
        heard = HaasEnhancer()(impulse, dsp_params={"delay_ms": 1, "gain_db": gain})[0].sum(0)
        sums[f"gain {gain} dB".replace("-", "−")] = 20 * torch.log10(torch.fft.rfft(heard).abs()[4:].clamp(min=1e-2))
    return [before_and_after(HaasEnhancer(), late), over_frequency(hertz, sums, "mono sum (dB)", "delay 1 ms")]


def mono_to_stereo() -> list[Panel]:
    signal, _ = burst()
    left, right = MonoToStereo()(signal[None, None])[0]
    nodes = {"in": (0, 0, "in"), "mono to\nstereo": (1.3, 0, "gain"), "out": (2.6, 0, "out")}
    edges = [("in", "mono to\nstereo", "1"), ("mono to\nstereo", "out", "2")]
    return [lanes({"in": signal, "left out": left, "right out": right}, 1), diagram(nodes, edges)]


def stereo_to_mid_side() -> list[Panel]:
    left, right = burst()
    mid, side = (signal[0, 0] for signal in StereoToMidSide()(torch.stack((left, right))[None]))
    nodes = {"in": (0, 0, "in"), "to\nm/s": (1.3, 0, "imager"), "m": (2.8, 0.5, "out"), "s": (2.8, -0.5, "out")}
    edges = [("in", "to\nm/s", ""), ("to\nm/s", "m", "mid"), ("to\nm/s", "s", "side")]
    return [lanes({"left in": left, "right in": right, "mid out": mid, "side out": side}, 2), diagram(nodes, edges)]


def mid_side_to_stereo() -> list[Panel]:
    mid, side = burst()
    left, right = MidSideToStereo()(mid[None, None], side[None, None])[0]
    nodes = {"m": (0, 0.5, "in"), "s": (0, -0.5, "in"), "from\nm/s": (1.5, 0, "imager"), "out": (2.8, 0, "out")}
    edges = [("m", "from\nm/s", "mid"), ("s", "from\nm/s", "side"), ("from\nm/s", "out", "")]
    return [lanes({"mid in": mid, "side in": side, "left out": left, "right out": right}, 2), diagram(nodes, edges)]


def send() -> list[Panel]:
    signal, _ = burst()
    main, sent = (y[0, 0] for y in Send()(signal[None, None], dsp_params={"send_db": -9}))
    nodes = {
        "in": (0, 0, "in"),
        "send": (1, 0, "gain"),
        "fader": (2.5, 0.6, "gain"),
        "reverb": (2.5, -0.6, "reverb"),
        "+": (3.8, 0, "mix"),
        "out": (4.6, 0, "out"),
    }
    edges = [("in", "send", ""), ("send", "fader", "main"), ("send", "reverb", "send"), ("fader", "+", "")]
    edges += [("reverb", "+", ""), ("+", "out", "")]
    return [lanes({"in": signal, "main": main, "send": sent}, 1, "send −9 dB"), diagram(nodes, edges, 1.2)]


def crossover() -> list[Panel]:
    setting = {"crossover0_freq": 200, "crossover1_freq": 3000}
    labels = ("band0", "band1", "band2")
    nodes = {
        "in": (0, 0, "in"),
        "split": (1.2, 0, "crossover"),
        **{f"out{k}": (2.8, 0.8 * (1 - k), "out") for k in range(3)},
    }
    edges = [("in", "split", ""), *(("split", f"out{k}", label) for k, label in enumerate(labels))]
    [both] = named({"crossovers at 200 Hz and 3 kHz": setting}).each
    return [outlet_magnitudes(LinkwitzRileyCrossover(), both, labels), diagram(nodes, edges, 0.6)]


# --- Smoothers

LEVELS = {0: 0.0, 5: 1.0, 50: 0.6, 60: 0.4, 65: 0.8}  # by milliseconds


def onepole_smoother() -> list[Panel]:
    settings = vary({}, *({"smoothing_ms": ms} for ms in (2, 5, 20)))
    return [following(OnePoleSmoother(), settings, LEVELS, 110), magnitude(OnePoleSmoother(), settings, -48, 6)]


def ramp_smoother() -> list[Panel]:
    settings = vary({}, *({"duration_ms": ms} for ms in (5, 20, 40)))
    return [following(RampSmoother(), settings, LEVELS, 110)]


def allpass_smoother() -> list[Panel]:
    settings = vary({}, *({"coefficient": a} for a in (0.5, -0.5, -0.9)))
    levels = {0: 0.0, 0.1: 1.0}
    return [following(AllpassSmoother(), settings, levels, 1.2), phase(AllpassSmoother(), settings)]


# --- Containers


def dry_wet() -> list[Panel]:
    processor = DryWet(Compressor(energy_smoother=None), external_param=False)
    settings = vary({"threshold_db": -40, "ratio": 2}, *({"drywet": weight} for weight in (0, 0.5, 0.9, 1)))
    nodes = {"in": (0, 0, "in"), "cmp": (1.1, 0.5, "compressor"), "+": (2.3, 0, "mix"), "out": (3.1, 0, "out")}
    edges = [("in", "cmp", ""), ("cmp", "+", "w"), ("in", "+", "1 − w"), ("+", "out", "")]
    return [diagram(nodes, edges), static_curve(processor, settings)]


def serial_chain() -> list[Panel]:
    chain = SerialChain({"low": HighPassFilter(), "peak": PeakingFilter(), "high": LowPassFilter()})
    off = {"low": {"frequency_hz": 20}, "peak": {"gain_db": 0}, "high": {"frequency_hz": 20000}}
    on = {
        "low": {"frequency_hz": 150},
        "peak": {"frequency_hz": 1500, "q": 2, "gain_db": 9},
        "high": {"frequency_hz": 6000},
    }
    settings = named(
        {
            "only the first in use": {**off, "low": on["low"]},
            "the first two": {**on, "high": off["high"]},
            "all three": on,
        },
        "high-pass 150 Hz, peak 1.5 kHz, low-pass 6 kHz",
    )
    nodes = {
        "in": (0, 0, "in"),
        **{name: (0.9 * k + 1, 0, "filter") for k, name in enumerate(chain.processors)},
        "out": (3.8, 0, "out"),
    }
    return [diagram(nodes, [(a, b, "") for a, b in pairwise(nodes)]), magnitude(chain, settings)]


def parallel_mix() -> list[Panel]:
    mix = ParallelMix({"low": LowPassFilter(), "high": HighPassFilter()})
    members = {"low": {"frequency_hz": 300}, "high": {"frequency_hz": 3000}}
    settings = named(
        {f"gains{numbers(gains)} dB": {**members, "gains_db": gains} for gains in ((0, -60), (0, 0), (-12, 0))},
        "low-pass 300 Hz, high-pass 3 kHz",
    )
    nodes = {
        "in": (0, 0, "in"),
        "low": (1.1, 0.5, "filter"),
        "high": (1.1, -0.5, "filter"),
        "+": (2.3, 0, "mix"),
        "out": (3.1, 0, "out"),
    }
    edges = [("in", "low", ""), ("in", "high", ""), ("low", "+", "g₁"), ("high", "+", "g₂"), ("+", "out", "")]
    return [diagram(nodes, edges), magnitude(mix, settings)]


def gain_staging() -> list[Panel]:
    gains, x = np.linspace(-24, 24, 97), stereo_noise(4000)
    watched = GainStagingRegularization(StereoGain())
    each = [{"left_gain_db": gain, "right_gain_db": gain} for gain in gains]
    one = [{"left_gain_db": gain} for gain in gains]
    penalties = {
        label: [watched(x, dsp_params=gain)[1]["gain_reg"].item() for gain in given]
        for label, given in (("StereoGain, both channels", each), ("StereoGain, left channel", one))
    }
    nodes = {"in": (0, 0, "in"), "gn": (1, 0.5, "gain"), "out": (2.6, 0.5, "out"), "rms": (2.2, -0.5, "mix")}
    edges = [("in", "gn", ""), ("gn", "out", ""), ("in", "rms", ""), ("gn", "rms", "")]
    return [diagram(nodes, edges), lines(gains, penalties, "gain (dB)", "gain_reg")]


def multi_band() -> list[Panel]:
    gains = [(-12, 0, 6), (0, -60, 0), (0, 0, 0)]
    settings = named(
        {
            f"gains{numbers(each)} dB": {
                **CROSSOVERS,
                **{f"band{k}_left_gain_db": gain for k, gain in enumerate(each)},
            }
            for each in gains
        },
        "a StereoGain in each band; crossovers at 200 Hz and 3 kHz",
    )
    return [three_bands("gain"), magnitude(MultiBand(StereoGain()), settings, -48, 12)]


PICTURES: dict[str, dict[str, list[Panel]]] = {
    "Stereo": {
        "StereoGain": stereo(
            StereoGain(),
            vary(
                {},
                {"left_gain_db": 0, "right_gain_db": 0},
                {"left_gain_db": -60, "right_gain_db": 0},
                {"left_gain_db": 3, "right_gain_db": -12},
            ),
        ),
        "SideGainImager": stereo(SideGainImager(), vary({}, *({"side_gain_db": gain} for gain in (0, 6, -12, -60)))),
        "Panner": panner(),
        "StereoWidener": widener(),
        "HaasEnhancer": haas(),
        "Send": send(),
        "MonoToStereo": mono_to_stereo(),
        "StereoToMidSide": stereo_to_mid_side(),
        "MidSideToStereo": mid_side_to_stereo(),
    },
    "Equalizers": {
        "ZeroPhaseFIREqualizer": zero_phase(),
        "NewZeroPhaseFIREqualizer": new_zero_phase(),
        "ParametricEqualizer": parametric(),
        "GraphicEqualizer": graphic(),
    },
    "Filters": {
        "LowPassFilter": by_frequency_and_q(LowPassFilter()),
        "HighPassFilter": by_frequency_and_q(HighPassFilter()),
        "BandPassFilter": by_frequency_and_q(BandPassFilter()),
        "BandRejectFilter": by_frequency_and_q(BandRejectFilter()),
        "AllPassFilter": by_frequency_and_q(AllPassFilter(), phase),
        "PeakingFilter": by_gain_and_q(PeakingFilter()),
        "LowShelf": by_gain_and_q(LowShelf()),
        "HighShelf": by_gain_and_q(HighShelf()),
        "BiquadFilter": biquad(),
        "PoleZeroFilter": pole_zero(),
        "StateVariableFilter": state_variable(),
        "ButterworthFilter": butterworth(),
        "LadderFilter": ladder(),
        "StackedStateVariableFilter": stacked(),
        "AllpassCascade": allpass_cascade(),
        "AllpassLattice": allpass_lattice(),
        "ToneStack": tone_stack(),
        "DCBlocker": dc_blocker(),
        "FIRFilter": fir(),
        "LinkwitzRileyCrossover": crossover(),
    },
    "Dynamics": {
        "Compressor": compressor(),
        "NoiseGate": gate(),
        "Expander": expander(),
        "Limiter": limiter(),
        "DynamicEqualizer": dynamic_equalizer(),
        "DeEsser": de_esser(),
        "TransientShaper": transient_shaper(),
        "MultiBandCompressor": bands(
            MultiBandCompressor(),
            "compressor",
            "thresholds −40, −30, −20 dB, ratio 1.5",
            threshold_db=(-40, -30, -20),
            ratio=(1.5, 1.5, 1.5),
        ),
        "MultiBandLimiter": bands(
            MultiBandLimiter(), "compressor", "thresholds −40, −30, −20 dB", threshold_db=(-40, -30, -20)
        ),
        "MultiBandExpander": bands(
            MultiBandExpander(),
            "noisegate",
            "thresholds −40, −30, −20 dB, ratio 2",
            threshold_db=(-40, -30, -20),
            ratio=(2, 2, 2),
        ),
        "MultiBandNoiseGate": bands(
            MultiBandNoiseGate(),
            "noisegate",
            "thresholds −40, −30, −20 dB, range −20 dB",
            threshold_db=(-40, -30, -20),
            range_db=(-20, -20, -20),
        ),
        "FactorizedCompressor": factorized_compressor(),
        "FactorizedNoiseGate": factorized_gate(),
        "ApproxCompressor": approx_compressor(),
        "ApproxNoiseGate": approx_gate(),
    },
    "Distortion": {
        "Waveshaper": waveshaper(),
        "TanhDistortion": distortion(
            TanhDistortion(use_bias=True),
            vary({}, {"pre_gain_db": 0}, {"pre_gain_db": 12}, {"pre_gain_db": 12, "offset": 0.5}),
        ),
        "ArctanDistortion": distortion(ArctanDistortion(), vary({}, *({"drive": drive} for drive in (0.5, 2, 10)))),
        "HardClip": distortion(HardClip(-0.4, 0.7), named({"low −0.4, high 0.7": {}})),
        "PiecewiseTanhDistortion": piecewise(),
        "PowerDistortion": series(PowerDistortion(max_order=4), POWERS),
        "ChebyshevDistortion": series(ChebyshevDistortion(max_order=6), POLYNOMIALS),
        "SplineDistortion": spline_distortion(),
        "BitCrusher": bit_crusher(),
    },
    "Delay and reverb": {
        "DelayLine": delay_line(),
        "FeedbackDelay": echo(),
        "PingPongDelay": ping_pong(),
        "MultitapDelay": multitap(),
        "SchroederAllpass": schroeder(),
        "ConvolutionReverb": convolution_reverb(),
        "STFTMaskedNoiseReverb": decaying(
            STFTMaskedNoiseReverb(), 193, [(2000, 500), (500, 200), (100, 100)], SAMPLE_RATE
        ),
        "FilteredNoiseShapingReverb": decaying(
            FilteredNoiseShapingReverb(noise_randomness="fixed"), 12, [(1500, 400), (500, 200), (100, 100)], 30000
        ),
        "FeedbackDelayNetwork": delay_network(),
        "Freeverb": freeverb(),
        "VelvetNoiseReverb": velvet(),
    },
    "Modulation": {
        "Chorus": chorus(),
        "Flanger": flanger(),
        "Phaser": phaser(),
        "Vibrato": vibrato(),
        "Tremolo": tremolo(),
        "AutoPan": auto_pan(),
        "RingModulator": ring_modulator(),
        "RotarySpeaker": rotary(),
    },
    "Smoothers": {
        "OnePoleSmoother": onepole_smoother(),
        "RampSmoother": ramp_smoother(),
        "AllpassSmoother": allpass_smoother(),
    },
    "Synthesis": {
        "SineOscillator": sine_oscillator(),
        "SawOscillator": band_limited(SawOscillator(), saw),
        "SquareOscillator": band_limited(SquareOscillator(), square),
        "TriangleOscillator": band_limited(TriangleOscillator(), triangle),
        "WavetableOscillator": wavetable(),
        "LFO": lfo(),
        "WhiteNoise": noise(WhiteNoise()),
        "PinkNoise": noise(PinkNoise()),
        "ADSR": adsr(),
        "ExponentialEnvelope": exponential(),
        "ModalResonators": modal(),
        "Amplifier": amplifier(),
        "KickSynth": kick(),
    },
    "Containers": {
        "DryWet": dry_wet(),
        "SerialChain": serial_chain(),
        "ParallelMix": parallel_mix(),
        "GainStagingRegularization": gain_staging(),
        "MultiBand": multi_band(),
    },
}


def draw(folder: Path) -> dict[str, dict[str, str]]:
    """Draw every public processor, wide for its documentation and small for the overview.

    Returns:
        Family to name to a description for those who cannot see the picture.

    Raises:
        LookupError: A processor has no picture here, or one is of a processor that there is not.
    """
    public = {name for name in processors.__all__ if is_processor(getattr(processors, name))}
    drawn = {name for family in PICTURES.values() for name in family}
    if public != drawn:
        raise LookupError(
            f"PICTURES of docs/gallery.py lacks {sorted(public - drawn)} and has {sorted(drawn - public)}, which "
            "grafx.processors does not."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for family in PICTURES.values():
        for name, panels in family.items():
            write(folder / f"{name}.svg", wide(panels))
            write(folder / f"{name}_small.svg", small(panels[0]))
    return {
        family: {name: describe(name, panels) for name, panels in pictures.items()}
        for family, pictures in PICTURES.items()
    }


def is_processor(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Processor)


def write(path: Path, text: str) -> None:
    """Write a file unless it is the same already, so that pages that show it are made again only if it changed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
