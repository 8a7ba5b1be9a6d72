"""Dry sounds of other colours, widths and rooms, so that what learns from few kinds of sounds knows others."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from ..prior.randomness import Draws
from .base import DrySounds, leveled
from .drums import SEEDS
from .parts import decay, noise
from .score import between, by_ratio

DULL = 100.0, 8000.0  # Hz, from which on it is softer
THIN = 30.0, 300.0  # Hz, below which it is
APART = 0.5, 15.0  # ms between two microphones
FADING = 8.0, 120.0  # 1/s, of a room
ROOM = 0.02, 0.5  # energy of a room, relative to the sound's own


class VariedSounds(DrySounds):
    r"""Sounds of which a share is dulled, thinned, heard from two places or in a room, each drawn anew for each seed.

    With :math:`P_f(z) = (1 - a) / (1 - a z^{-1})` and :math:`a = e^{-2\pi f / f_s}`, a sound of spectrum :math:`X`
    becomes :math:`HX`, where :math:`H` is the product of what is drawn of up to four low-pass filters :math:`P_f`, a
    high-pass filter :math:`1 - P_f`, a second arrival :math:`1 - w + w z^{-n}` on the right, and a room of decaying
    noise on each side.

    Args:
        sounds: The sounds.
        share: From 0 to 1.
    """

    def __init__(self, sounds: DrySounds, share: float) -> None:
        self.sounds, self.share = sounds, share
        self.sample_rate, self.names = sounds.sample_rate, sounds.names

    def draw_all(self, seeds: Sequence[int], seconds: float, channels: int = 2) -> list[tuple[str, Tensor]]:
        drawn = self.sounds.draw_all(seeds, seconds, channels)
        return [(name, self._varied(signal, seed)) for (name, signal), seed in zip(drawn, seeds, strict=True)]

    @property
    def description(self) -> dict[str, Any]:
        return {"varied": self.share, **self.sounds.description}

    def only(self, names: Iterable[str]) -> Self:
        return type(self)(self.sounds.only(names), self.share)

    def _varied(self, signal: Tensor, seed: int) -> Tensor:
        draws = Draws("varied", seed)
        if not draws.chance(self.share):
            return signal
        channels, length = signal.shape
        response = _drawn_response(draws, length, self.sample_rate)[:channels]
        varied = torch.fft.irfft(torch.fft.rfft(signal, 2 * length) * response)[:, :length]
        return leveled(varied.to(signal.dtype))


def _drawn_response(draws: Draws, length: int, sample_rate: int) -> Tensor:
    """Draw what varies a sound: ``(2, frequencies)`` of twice its length."""
    delay = torch.exp(-2j * torch.pi * torch.fft.rfftfreq(2 * length, dtype=torch.double))  # by a sample
    response = torch.ones(2, length + 1, dtype=torch.cdouble)
    if draws.chance(0.6):
        response *= _smoothing(delay, by_ratio(draws, *DULL) / sample_rate) ** draws.whole(1, 4)
    if draws.chance(0.3):
        response *= 1 - _smoothing(delay, by_ratio(draws, *THIN) / sample_rate)
    if draws.chance(0.3):
        samples, width = round(by_ratio(draws, *APART) / 1000 * sample_rate), between(draws, 0.1, 0.9)
        response[1] *= 1 - width + width * delay**samples
    if draws.chance(0.3):
        response *= 1 + torch.fft.rfft(_drawn_room(draws, length // 2, sample_rate), 2 * length)
    return response


def _smoothing(delay: Tensor, cycles: float) -> Tensor:
    """The response of one pole, of a cutoff in cycles per sample."""
    pole = math.exp(-2 * math.pi * cycles)
    return (1 - pole) / (1 - pole * delay)


def _drawn_room(draws: Draws, length: int, sample_rate: int) -> Tensor:
    """Draw the impulse response of a room, ``(2, L)``."""
    seeds = torch.tensor([draws.whole(0, SEEDS), draws.whole(0, SEEDS)])
    room = noise({"seed": seeds}, length, sample_rate)[:, 0]
    room = room * decay(torch.tensor([by_ratio(draws, *FADING)]), length, sample_rate)[:, 0]
    energy = room.square().sum(-1, keepdim=True)
    return room * (by_ratio(draws, *ROOM) / energy.clamp(min=1e-9)).sqrt()
