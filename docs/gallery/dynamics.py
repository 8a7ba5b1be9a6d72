"""Pictures of dynamics."""

import numpy as np
import torch
from grafx.processors import (
    ApproxCompressor,
    ApproxNoiseGate,
    Compressor,
    DeEsser,
    DynamicEqualizer,
    Expander,
    FactorizedCompressor,
    FactorizedNoiseGate,
    HighPassFilter,
    Limiter,
    MultiBandCompressor,
    MultiBandExpander,
    MultiBandLimiter,
    MultiBandNoiseGate,
    NoiseGate,
    TransientShaper,
)
from grafx.processors.base import Processor
from plots import SAMPLE_RATE, Panel, Setting, gain_over_time, lanes, lines, named, run, sine_gain, static_curve, vary

from .panels import CROSSOVERS, three_bands

ATTACKS = [{"attack_ms": 1, "release_ms": 20}, {"attack_ms": 10, "release_ms": 100}]
SMOOTHINGS = [{"smoothing_ms": ms} for ms in (2, 10, 50)]
QUICK = {"smoothing_ms": 1}
THRESHOLD = {"threshold_db": -30}
RATIOS = [{"ratio": ratio} for ratio in (1.5, 3, 20)]
LOW_RATIOS = [{"ratio": ratio} for ratio in (2, 3, 7)]


def compressor() -> list[Panel]:
    moving = vary({**THRESHOLD, "ratio": 3}, *ATTACKS)
    return [
        static_curve(Compressor(energy_smoother=None), vary({**THRESHOLD, "knee_db": 6}, *RATIOS)),
        gain_over_time(Compressor(style="desk", sample_rate=SAMPLE_RATE), moving, -40, -10),
    ]


def approx_compressor() -> list[Panel]:
    return [
        static_curve(ApproxCompressor(), vary({**THRESHOLD, "knee_db": 6, **QUICK}, *RATIOS)),
        gain_over_time(ApproxCompressor(), vary({**THRESHOLD, "ratio": 3}, *SMOOTHINGS), -40, -10),
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
    processor = NoiseGate(style="desk", sample_rate=SAMPLE_RATE, knee_type="quadratic")
    ranges = vary({**THRESHOLD, "knee_db": 6, "attack_ms": 1}, *({"range_db": depth} for depth in (-10, -20, -40)))
    times = [{"attack_ms": 1, "release_ms": 5}, {"attack_ms": 20, "release_ms": 30}]
    return [
        static_curve(processor, ranges),
        gain_over_time(processor, vary({**THRESHOLD, "range_db": -20, "knee_db": 6}, *times), -40, -10),
    ]


def approx_gate() -> list[Panel]:
    return [
        static_curve(ApproxNoiseGate(), vary({**THRESHOLD, "knee_db": 6, **QUICK}, *LOW_RATIOS), -60),
        gain_over_time(ApproxNoiseGate(), vary({**THRESHOLD, "ratio": 3}, *SMOOTHINGS), -40, -10),
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


def bands(processor: Processor, node_type: str, title: str, **values: tuple[float, float, float]) -> list[Panel]:
    """Make a processor of three bands, with values of the controls of each."""
    each = {f"band{k}_{name}": value for name, three in values.items() for k, value in enumerate(three)}
    setting = Setting(f"crossovers at 200 Hz and 3 kHz; {title}", {"dsp_params": {**CROSSOVERS, **each}})
    return [sine_gain(processor, setting, (-50, -30, -10)), three_bands(node_type)]


PICTURES: dict[str, list[Panel]] = {
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
}
