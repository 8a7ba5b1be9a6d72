"""Modulation effects."""

from .effects import AutoPan, Chorus, Flanger, Tremolo, Vibrato
from .phaser import Phaser
from .ring import RingModulator
from .rotary import RotarySpeaker

__all__ = [
    "AutoPan",
    "Chorus",
    "Flanger",
    "Phaser",
    "RingModulator",
    "RotarySpeaker",
    "Tremolo",
    "Vibrato",
]
