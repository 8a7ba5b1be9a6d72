"""Tones: plucked and bowed strings, alone, in chords and in short phrases."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ...processors import ADSR, LFO, LowPassFilter, PeakingFilter, SawOscillator, SquareOscillator, TriangleOscillator
from ..prior.randomness import Draws, rounded
from .parts import decay, filtered, made, possible, tone
from .score import Note, Voice, VoiceSettings, between, by_ratio

LOWEST_HERTZ = 65.4
STEPS = 0, 2, 4, 7, 9  # semitones of a scale whose notes go together
OCTAVES = 3
WAVES = TriangleOscillator, SquareOscillator, SawOscillator
STATES = "attack_ms", "decay_ms", "sustain", "hold_ms", "release_ms"


def _drawn_pluck(draws: Draws) -> VoiceSettings:
    dark = by_ratio(draws, 300, 1500)
    return {
        "triangle": between(draws, 0, 1),
        "square": between(draws, 0, 0.6),
        "saw": between(draws, 0, 1),
        "rate": by_ratio(draws, 2, 12),
        "dark_hertz": dark,
        "bright_hertz": dark * by_ratio(draws, 2, 12),
        "bright_rate": by_ratio(draws, 8, 60),
    }


def _pluck(settings: Mapping[str, Tensor], num_samples: int, sample_rate: int) -> Tensor:
    """A string whose upper partials fade before the lower ones."""
    string = _string(settings, num_samples, sample_rate)
    dark = filtered(LowPassFilter, string, settings["dark_hertz"], sample_rate)
    bright = filtered(LowPassFilter, string, settings["bright_hertz"], sample_rate)
    dark = dark * decay(settings["rate"], num_samples, sample_rate)
    return (dark + bright * decay(settings["rate"] + settings["bright_rate"], num_samples, sample_rate))[:, 0]


def _string(settings: Mapping[str, Tensor], num_samples: int, sample_rate: int) -> Tensor:
    waves = torch.cat([tone(wave, settings["hertz"], num_samples, sample_rate) for wave in WAVES], 1)
    levels = torch.stack([settings[name] for name in ("triangle", "square", "saw")], 1)
    return ((levels[..., None] + 0.05) * waves).sum(1, keepdim=True)  # never none at all


def _drawn_bow(draws: Draws) -> VoiceSettings:
    return {
        "attack_ms": by_ratio(draws, 30, 200),
        "decay_ms": by_ratio(draws, 50, 300),
        "sustain": between(draws, 0.4, 0.9),
        "hold_ms": by_ratio(draws, 100, 500),
        "release_ms": by_ratio(draws, 50, 300),
        "vibrato_hertz": between(draws, 4, 7),
        "vibrato": between(draws, 0, 0.012),
        "body_hertz": by_ratio(draws, 300, 1500),
        "cutoff": by_ratio(draws, 1500, 6000),
    }


def _bow(settings: Mapping[str, Tensor], num_samples: int, sample_rate: int) -> Tensor:
    """A saw with vibrato and a body."""
    hertz = possible(settings["hertz"], sample_rate)
    swing = made(LFO, sample_rate)(num_samples=num_samples, dsp_params={"rate_hz": settings["vibrato_hertz"]})
    swing = swing * (settings["vibrato"] * hertz)[:, None, None]
    string = made(SawOscillator, sample_rate, "frequency")(swing, dsp_params={"frequency_hz": hertz})
    body = {"frequency_hz": possible(settings["body_hertz"], sample_rate), "gain_db": 10.0}
    string = made(PeakingFilter, sample_rate)(string, dsp_params=body)
    string = filtered(LowPassFilter, string, settings["cutoff"], sample_rate)
    stroke = made(ADSR, sample_rate)(num_samples=num_samples, dsp_params={name: settings[name] for name in STATES})
    return (string * stroke)[:, 0]


TONES = {"pluck": Voice(1.2, _drawn_pluck, _pluck), "bow": Voice(1.5, _drawn_bow, _bow)}


def draw_tones(draws: Draws) -> list[Note]:
    """Draw a note, a chord, or a phrase that comes again."""
    voice = draws.one_of(tuple(TONES))
    settings = TONES[voice].draw(draws)
    root = LOWEST_HERTZ * 2 ** (draws.whole(0, 11) / 12)
    pitches = [_pitch(draws, root) for _ in range(draws.whole(1, 4))]
    if len(pitches) == 1:
        return [Note(voice, {**settings, "hertz": pitches[0]})]
    step = 0.0 if draws.chance(0.4) else 60 / between(draws, 70, 150) / draws.one_of((1, 2))
    period = max(step * len(pitches), 2.0)
    return [
        Note(voice, {**settings, "hertz": pitch}, (step * place,), (between(draws, 0.5, 1.0),), period)
        for place, pitch in enumerate(pitches)
    ]


def _pitch(draws: Draws, root: float) -> float:
    semitones = draws.one_of(STEPS) + 12 * draws.whole(0, OCTAVES - 1)
    return rounded(root * 2 ** (semitones / 12))
