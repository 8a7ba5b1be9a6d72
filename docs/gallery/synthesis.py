"""Pictures of oscillators, noise, envelopes and related processors."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import torch
from grafx.processors import (
    ADSR,
    KICKS,
    LFO,
    Amplifier,
    ExponentialEnvelope,
    KickSynth,
    ModalResonators,
    PinkNoise,
    SawOscillator,
    SineOscillator,
    SquareOscillator,
    TriangleOscillator,
    WavetableOscillator,
    WhiteNoise,
)
from grafx.processors.base import Processor
from grafx.processors.core.oscillator import triangle
from plots import SAMPLE_RATE, Panel, lanes, lines, magnitude, named, waveform

from .panels import levels, over_frequency, tone


def over_time(curves: Mapping[str, torch.Tensor], title: str = "") -> Panel:
    """Plot signals of a generator."""
    (length,) = {len(curve) for curve in curves.values()}
    ms = torch.arange(length) / SAMPLE_RATE * 1000
    return lines(ms[::20], {label: curve[::20] for label, curve in curves.items()}, "time (ms)", "level", title)


def gated(processor: Processor, values: Mapping[str, float], title: str) -> Panel:
    gate = torch.zeros(30000)
    for start, stop in ((1000, 9000), (13000, 14000), (15000, 21000)):
        gate[start:stop] = 1
    return lanes({"gate": gate, "out": processor(gate[None, None], dsp_params=values)[0, 0]}, 1, title)


def aliases(signal: torch.Tensor, hertz: int) -> float:
    """Compute the power outside the harmonics, relative to that of the harmonics, in dB, in one second of a signal."""
    power = torch.fft.rfft(signal).abs().square()
    harmonic = torch.arange(len(power)) % hertz == 0
    return 10 * math.log10(power[~harmonic].sum() / power[harmonic].sum())


def band_limited(oscillator: Processor, plain: Callable[[torch.Tensor], torch.Tensor]) -> list[Panel]:
    """Plot an oscillator next to the naively sampled waveform."""
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


PICTURES: dict[str, list[Panel]] = {
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
}
