"""Loops to hear processors with, three seconds each, made by our own synthesizers."""

from collections.abc import Callable
from functools import cache

import torch
from grafx.processors import (
    ADSR,
    KICKS,
    LFO,
    Amplifier,
    BandPassFilter,
    ExponentialEnvelope,
    HighPassFilter,
    KickSynth,
    LadderFilter,
    LowPassFilter,
    PeakingFilter,
    PinkNoise,
    SawOscillator,
    SineOscillator,
    SquareOscillator,
    WhiteNoise,
)
from torch import Tensor

SAMPLE_RATE = 44100
LENGTH = 3 * SAMPLE_RATE
BEAT = SAMPLE_RATE // 2  # samples, at 120 beats per minute

A_MINOR, F_MAJOR = (220.0, 261.63, 329.63, 440.0), (174.61, 220.0, 261.63, 349.23)


def place(sound: Tensor, beats: tuple[float, ...]) -> Tensor:
    """Repeat a mono sound at several beats, ``(1, 1, LENGTH)``."""
    track = torch.zeros(LENGTH)
    for beat in beats:
        start = round(beat * BEAT)
        part = sound.flatten()[: LENGTH - start]
        track[start : start + len(part)] += part
    return track[None, None]


def enveloped(sound: Tensor, **times: float) -> Tensor:
    envelope = ADSR()(num_samples=sound.shape[-1], dsp_params=times)
    return Amplifier()(sound, envelope, dsp_params={})


def stereo(left: Tensor, right: Tensor) -> Tensor:
    return torch.cat((left, right), 1)


@cache
def kick() -> Tensor:
    """A kick drum on each beat."""
    hit = KickSynth()(num_samples=BEAT, dsp_params=KICKS["hard"])
    return 0.8 * place(hit, (0, 1, 2, 3)).expand(1, 2, -1)


@cache
def drums() -> Tensor:
    """A drum beat of kick, snare and hi-hats."""
    hit = KickSynth()(num_samples=BEAT, dsp_params=KICKS["classic"])
    noise = WhiteNoise()(num_samples=BEAT, dsp_params={"seed": 1})
    decays = {rate: ExponentialEnvelope()(num_samples=BEAT, dsp_params={"decay_rate": rate}) for rate in (18, 45)}
    body = SineOscillator()(num_samples=BEAT, dsp_params={"frequency_hz": 190})
    rattle = BandPassFilter()(noise, dsp_params={"frequency_hz": 2500, "q": 0.5})
    snare = (0.8 * rattle + 0.4 * body) * decays[18]
    hat = HighPassFilter()(noise, dsp_params={"frequency_hz": 8000}) * decays[45]
    low, middle = place(hit, (0, 1.5, 2)), place(snare, (1, 3))
    high = place(hat, (0.5, 1, 1.5, 2, 2.5, 3, 3.5))
    return 0.6 * stereo(low + middle + 0.12 * high, low + middle + 0.3 * high)


@cache
def bass() -> Tensor:
    """A synthesizer bass."""
    line = torch.zeros(1, 1, LENGTH)
    for beat, hertz in ((0, 55.0), (0.75, 55.0), (1.5, 110.0), (2, 43.65), (2.75, 43.65), (3.5, 87.3)):
        saw = SawOscillator()(num_samples=BEAT, dsp_params={"frequency_hz": hertz})
        note = LadderFilter()(saw, dsp_params={"frequency_hz": 600, "resonance": 0.5})
        line = line + place(
            enveloped(note, attack_ms=3, decay_ms=300, sustain=0.3, hold_ms=250, release_ms=80), (beat,)
        )
    return 0.5 * line.expand(1, 2, -1)


def chord(hertz: tuple[float, ...], length: int, cutoff: float) -> Tensor:
    """Saw oscillators, a little apart in pitch on the two sides."""
    sides = []
    for detune in (0.998, 1.002):
        voices = [SawOscillator()(num_samples=length, dsp_params={"frequency_hz": detune * f}) for f in hertz]
        sides.append(LowPassFilter()(sum(voices) / len(voices), dsp_params={"frequency_hz": cutoff}))
    return stereo(*sides)


@cache
def pad() -> Tensor:
    """Two chords of a synthesizer, held."""
    parts = [chord(hertz, LENGTH // 2, 4000) for hertz in (A_MINOR, F_MAJOR)]
    times = {"attack_ms": 30, "decay_ms": 1000, "sustain": 0.9, "hold_ms": 1300, "release_ms": 400}
    return 0.45 * torch.cat([enveloped(part, **times) for part in parts], -1)


@cache
def stabs() -> Tensor:
    """Short chords of a synthesizer, with silence between them."""
    note = enveloped(chord(A_MINOR, BEAT, 3000), attack_ms=2, decay_ms=180, sustain=0.0, hold_ms=180, release_ms=60)
    return 0.6 * stereo(*(place(note[:, i : i + 1], (0, 1.5)) for i in range(2)))


@cache
def guitar() -> Tensor:
    """A plucked tone, in mono."""
    melody = torch.zeros(1, 1, LENGTH)
    for beat, hertz in enumerate((110.0, 164.81, 220.0, 261.63, 329.63, 261.63, 220.0, 164.81)):
        saw = SawOscillator()(num_samples=2 * BEAT, dsp_params={"frequency_hz": hertz})
        string = LowPassFilter()(saw, dsp_params={"frequency_hz": 2500})
        pluck = enveloped(string, attack_ms=2, decay_ms=900, sustain=0.0, hold_ms=900, release_ms=60)
        melody = melody + place(pluck, (beat / 2,))
    return 0.45 * melody.expand(1, 2, -1)


@cache
def voice() -> Tensor:
    """A synthetic voice that sings "sa", with loud sibilants."""
    sung = torch.zeros(1, 1, LENGTH)
    for beat, hertz in ((0, 196.0), (1, 220.0), (2, 246.94), (3, 220.0)):
        buzz = SawOscillator()(num_samples=BEAT, dsp_params={"frequency_hz": hertz})
        vowel = sum(
            gain * BandPassFilter()(buzz, dsp_params={"frequency_hz": f, "q": 8})
            for f, gain in ((730, 1.0), (1090, 0.6), (2440, 0.25))
        )
        vowel = enveloped(vowel, attack_ms=30, decay_ms=300, sustain=0.7, hold_ms=250, release_ms=150)
        noise = WhiteNoise()(num_samples=BEAT // 4, dsp_params={"seed": 2})
        hiss = PeakingFilter()(
            HighPassFilter()(noise, dsp_params={"frequency_hz": 5000}),
            dsp_params={"frequency_hz": 7000, "q": 1, "gain_db": 6},
        )
        hiss = enveloped(hiss, attack_ms=20, decay_ms=50, sustain=0.8, hold_ms=70, release_ms=40)
        sung = sung + 1.2 * place(vowel, (beat + 0.22,)) + 0.16 * place(hiss, (beat,))
    return 0.5 * sung.expand(1, 2, -1)


@cache
def noisy() -> Tensor:
    """A drum beat in a noisy room."""
    return drums() + 0.035 * PinkNoise(num_channels=2)(num_samples=LENGTH, dsp_params={})


@cache
def noise() -> Tensor:
    """Pink noise."""
    return 0.35 * PinkNoise(num_channels=2)(num_samples=LENGTH, dsp_params={})


@cache
def song() -> Tensor:
    """Drums, a bass and chords."""
    return 0.8 * (drums() + 0.8 * bass() + 0.5 * pad())


@cache
def sine() -> Tensor:
    """A sine of 220 Hz, fading in."""
    tone = SineOscillator()(num_samples=LENGTH, dsp_params={"frequency_hz": 220})
    return (tone * torch.linspace(0.02, 0.9, LENGTH)).expand(1, 2, -1)


@cache
def clicks() -> Tensor:
    """Clicks, as from a metronome."""
    track = torch.zeros(1, 2, LENGTH)
    track[..., :: 2 * BEAT] = 0.9
    return track


@cache
def steps() -> Tensor:
    """A control that jumps between levels."""
    return torch.tensor([0.0, 0.6, 0.2, 0.9, 0.4, 0.0]).repeat_interleave(LENGTH // 6)[None, None]


@cache
def wobble() -> Tensor:
    """A slow wave for a control."""
    return LFO()(num_samples=LENGTH, dsp_params={"rate_hz": 1})


SOURCES: dict[str, Callable[[], Tensor]] = {
    source.__name__: source
    for source in (kick, drums, bass, pad, stabs, guitar, voice, noisy, noise, song, sine, clicks, steps, wobble)
}


def titled(name: str) -> str:
    """What a source is, in words."""
    return (SOURCES[name].__doc__ or "").rstrip(".")


# What makes a control signal audible.


def as_pitch(control: Tensor) -> Tensor:
    """The pitch of a tone."""
    tone = SquareOscillator(("frequency",))(200 * control, dsp_params={"frequency_hz": 220})
    return 0.25 * LowPassFilter()(tone, dsp_params={"frequency_hz": 2000})


def as_level(control: Tensor) -> Tensor:
    """The level of a chord."""
    tone = chord(A_MINOR, control.shape[-1], 3000)
    return 0.5 * Amplifier()(tone, control, dsp_params={})
