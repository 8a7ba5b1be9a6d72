"""Pictures of filters."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from grafx.processors import (
    AllpassCascade,
    AllPassFilter,
    AllpassLattice,
    BandPassFilter,
    BandRejectFilter,
    BiquadFilter,
    ButterworthFilter,
    DCBlocker,
    FIRFilter,
    HighPassFilter,
    HighShelf,
    LadderFilter,
    LinkwitzRileyCrossover,
    LowPassFilter,
    LowShelf,
    PeakingFilter,
    PoleZeroFilter,
    StackedStateVariableFilter,
    StateVariableFilter,
    ToneStack,
)
from grafx.processors.base import Processor
from matplotlib.axes import Axes
from plots import (
    SAMPLE_RATE,
    Panel,
    Settings,
    diagram,
    following,
    magnitude,
    named,
    outlet_magnitudes,
    phase,
    run,
    vary,
    waveform,
    z_plane,
)

from .panels import clicks, over_frequency

AT_1K = {"frequency_hz": 1000}


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
    """Plot gain over frequency of impulse responses from filters with different options."""
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
    """Plot the group delay over frequency of an allpass filter."""
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


PICTURES: dict[str, list[Panel]] = {
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
}
