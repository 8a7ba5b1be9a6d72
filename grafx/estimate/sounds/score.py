"""Scores of generated sounds, and their performance: all notes of a voice at once, for many sounds."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..prior.randomness import Draws, rounded

FADE_SECONDS = 0.01

VoiceSettings = dict[str, float]


class Voice(NamedTuple):
    """What makes notes.

    Attributes:
        seconds: How long a note is.
        draw: Draws the settings of a note.
        play: Takes settings, name to a tensor ``(B,)``, a number of samples L and a sample rate; returns ``(B, L)``.
    """

    seconds: float
    draw: Callable[[Draws], VoiceSettings]
    play: Callable[[Mapping[str, Tensor], int, int], Tensor]


class Note(NamedTuple):
    """A note, and where it is heard.

    Attributes:
        voice: Name of its voice.
        settings: What the voice is set to.
        starts: In seconds.
        gains: Its amplitude at each start.
        period: Seconds after which the starts come again; infinite for what is heard once.
    """

    voice: str
    settings: VoiceSettings
    starts: tuple[float, ...] = (0.0,)
    gains: tuple[float, ...] = (1.0,)
    period: float = math.inf


def between(draws: Draws, low: float, high: float) -> float:
    """Draw a number, all alike."""
    return rounded(low + (high - low) * draws.unit())


def by_ratio(draws: Draws, low: float, high: float) -> float:
    """Draw a positive number, all ratios alike, as of frequencies and times."""
    return rounded(low * (high / low) ** draws.unit())


def perform(
    scores: Sequence[Sequence[Note]], voices: Mapping[str, Voice], num_samples: int, sample_rate: int
) -> Tensor:
    """Play scores.

    Args:
        scores: The notes of each sound.
        voices: Those that the notes name.
        num_samples: L.
        sample_rate: In Hz.

    Returns:
        ``(len(scores), L)``.
    """
    sounds = torch.zeros(len(scores), num_samples)
    for name, voice in voices.items():
        mine = [(row, note) for row, notes in enumerate(scores) for note in notes if note.voice == name]
        if not mine:
            continue
        settings = {key: torch.tensor([note.settings[key] for _, note in mine]) for key in mine[0][1].settings}
        played = voice.play(settings, round(voice.seconds * sample_rate), sample_rate)
        played = played * _fade(played.shape[-1], sample_rate)
        for (row, note), sound in zip(mine, played, strict=True):
            for start, gain in _heard(note, num_samples / sample_rate):
                first = round(start * sample_rate)
                target = sounds[row, first : first + len(sound)]
                target.add_(sound[: len(target)], alpha=gain)
    return sounds


def _heard(note: Note, seconds: float) -> list[tuple[float, float]]:
    """When, and how loud."""
    rounds = 1 if math.isinf(note.period) else math.ceil(seconds / note.period)
    offsets = [0.0, *(note.period * i for i in range(1, rounds))]
    all_ = [(offset + start, gain) for offset in offsets for start, gain in zip(note.starts, note.gains, strict=True)]
    return [(start, gain) for start, gain in all_ if start < seconds]


def _fade(length: int, sample_rate: int) -> Tensor:
    """Ones that end in a ramp to 0."""
    fade = min(length, max(1, round(FADE_SECONDS * sample_rate)))
    return torch.cat([torch.ones(length - fade), torch.linspace(1, 0, fade)])
