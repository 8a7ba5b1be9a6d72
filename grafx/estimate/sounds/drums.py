"""Drums: kicks, toms, snares, claps and hats, once or in the patterns of a bar."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ...processors import (
    BandPassFilter,
    HighPassFilter,
    KickSynth,
    SineOscillator,
    SquareOscillator,
)
from ..prior.randomness import Draws
from .parts import decay, filtered, made, noise, possible, tone
from .score import Note, Voice, VoiceSettings, between, by_ratio

SEEDS = 65535
ONCE = 0.4  # of the sounds are heard once
METAL = 2.0, 3.0, 4.16, 5.43, 6.79, 8.21  # partials of a hat, which fit to no tone
BURSTS = 0.0, 0.011, 0.023  # s, of the hands of a clap


def _drawn_kick(draws: Draws) -> VoiceSettings:
    return {
        "f_start": by_ratio(draws, 70, 500),
        "pitch_decay": by_ratio(draws, 8, 60),
        "detune_amount": between(draws, 0, 0.3),
        "sub_osc_mix": between(draws, 0, 0.4),
        "decay_time": by_ratio(draws, 0.03, 0.3),
        "release_time": by_ratio(draws, 0.02, 0.2),
        "distortion_drive": by_ratio(draws, 0.8, 4),
        "shell_decay": by_ratio(draws, 0.1, 0.6),
        "shell_mix": between(draws, 0.1, 0.8),
        "transient_decay": by_ratio(draws, 200, 2000),
        "transient_level": between(draws, 0.2, 2.5),
        "transient_hp_cutoff": by_ratio(draws, 800, 6000),
    }


def _drawn_tom(draws: Draws) -> VoiceSettings:
    return {
        **_drawn_kick(draws),
        "f_start": by_ratio(draws, 120, 420),
        "pitch_decay": by_ratio(draws, 1, 5),
        "shell_filter_cutoff": by_ratio(draws, 200, 800),
        "transient_level": between(draws, 0, 0.8),
    }


def _kick(settings: Mapping[str, Tensor], num_samples: int, sample_rate: int) -> Tensor:
    cutoffs = {name: possible(value, sample_rate) for name, value in settings.items() if name.endswith("cutoff")}
    return made(KickSynth, sample_rate)(num_samples=num_samples, dsp_params={**settings, **cutoffs})[:, 0]


def _drawn_snare(draws: Draws) -> VoiceSettings:
    return {
        "seed": draws.whole(0, SEEDS),
        "hertz": by_ratio(draws, 140, 280),
        "tone_rate": by_ratio(draws, 12, 40),
        "wire_hertz": by_ratio(draws, 1500, 5000),
        "wire_rate": by_ratio(draws, 8, 40),
        "wires": between(draws, 0.4, 1.5),
    }


def _snare(settings: Mapping[str, Tensor], num_samples: int, sample_rate: int) -> Tensor:
    """Two tones of a skin, and the noise of the wires below it."""
    envelope = decay(settings["tone_rate"], num_samples, sample_rate)
    low, high = (tone(SineOscillator, ratio * settings["hertz"], num_samples, sample_rate) for ratio in (1.0, 1.59))
    wires = filtered(HighPassFilter, noise(settings, num_samples, sample_rate), settings["wire_hertz"], sample_rate)
    wires = wires * decay(settings["wire_rate"], num_samples, sample_rate)
    return ((low + 0.6 * high) * envelope + settings["wires"][:, None, None] * wires)[:, 0]


def _drawn_clap(draws: Draws) -> VoiceSettings:
    return {
        "seed": draws.whole(0, SEEDS),
        "hertz": by_ratio(draws, 800, 2500),
        "rate": by_ratio(draws, 12, 40),
        "spread": between(draws, 0.7, 1.5),
    }


def _clap(settings: Mapping[str, Tensor], num_samples: int, sample_rate: int) -> Tensor:
    """Noise in a band, in a few bursts."""
    band = filtered(BandPassFilter, noise(settings, num_samples, sample_rate), settings["hertz"], sample_rate)
    time = torch.arange(num_samples) / sample_rate
    since = time - torch.tensor(BURSTS)[:, None] * settings["spread"][:, None, None]
    rates = torch.stack([torch.full_like(settings["rate"], 200.0)] * (len(BURSTS) - 1) + [settings["rate"]], -1)
    bursts = torch.where(since >= 0, torch.exp(-rates[..., None] * since.clamp(min=0)), 0.0)
    return band[:, 0] * bursts.amax(1)


def _drawn_hat(draws: Draws) -> VoiceSettings:
    return {
        "seed": draws.whole(0, SEEDS),
        "hertz": by_ratio(draws, 200, 400),
        "cutoff": by_ratio(draws, 5000, 10000),
        "rate": by_ratio(draws, 8, 100),
        "metal": between(draws, 0, 0.5),
    }


def _hat(settings: Mapping[str, Tensor], num_samples: int, sample_rate: int) -> Tensor:
    """Noise and six squares, above some frequency."""
    metal = sum(tone(SquareOscillator, ratio * settings["hertz"], num_samples, sample_rate) for ratio in METAL)
    mixed = noise(settings, num_samples, sample_rate) + settings["metal"][:, None, None] * metal
    high = filtered(HighPassFilter, mixed, settings["cutoff"], sample_rate)
    return (high * decay(settings["rate"], num_samples, sample_rate))[:, 0]


DRUMS = {
    "kick": Voice(0.7, _drawn_kick, _kick),
    "tom": Voice(0.7, _drawn_tom, _kick),
    "snare": Voice(0.4, _drawn_snare, _snare),
    "clap": Voice(0.4, _drawn_clap, _clap),
    "hat": Voice(0.3, _drawn_hat, _hat),
}


def draw_drums(draws: Draws) -> list[Note]:
    """Draw a drum that is heard once, or a bar of some that comes again."""
    if draws.chance(ONCE):
        voice = draws.one_of(tuple(DRUMS))
        return [Note(voice, DRUMS[voice].draw(draws))]
    step = 60 / between(draws, 80, 160) / 4
    chosen = [voice for voice in DRUMS if draws.chance(0.5)] or ["kick"]
    parts = [_drawn_part(draws, voice, step) for voice in chosen]
    first = min(start for part in parts for start in part.starts)
    return [part._replace(starts=tuple(start - first for start in part.starts)) for part in parts]


def _drawn_part(draws: Draws, voice: str, step: float) -> Note:
    """Draw the sixteenths of a bar on which a drum is heard: fast ones on many, all more often on beats."""
    density = {"hat": 0.6, "kick": 0.3}.get(voice, 0.15)
    places = [place for place in range(16) if draws.chance(density * (2 if place % 4 == 0 else 0.7))]
    places = places or [draws.whole(0, 3) * 4]
    gains = tuple(between(draws, 0.5, 1.0) for _ in places)
    return Note(voice, DRUMS[voice].draw(draws), tuple(step * place for place in places), gains, 16 * step)
