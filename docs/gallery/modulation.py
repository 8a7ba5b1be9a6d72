"""Pictures of modulation effects."""

import numpy as np
import torch
from grafx.processors import (
    AutoPan,
    Chorus,
    Flanger,
    Phaser,
    RingModulator,
    RotarySpeaker,
    SineOscillator,
    Tremolo,
    Vibrato,
)
from grafx.processors.base import Processor
from plots import SAMPLE_RATE, Panel, Setting, lanes, lines, magnitude, noise_spectrogram, vary

from .panels import levels, tone


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
    """Measure the pitch of a sine, relative to the input."""
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
    """Measure gains of the channels for half a second."""
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


PICTURES: dict[str, list[Panel]] = {
    "Chorus": chorus(),
    "Flanger": flanger(),
    "Phaser": phaser(),
    "Vibrato": vibrato(),
    "Tremolo": tremolo(),
    "AutoPan": auto_pan(),
    "RingModulator": ring_modulator(),
    "RotarySpeaker": rotary(),
}
