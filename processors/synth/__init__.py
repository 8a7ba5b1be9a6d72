"""Generators: oscillators, noise, envelopes, resonators, a kick drum."""

from .amplifier import Amplifier
from .envelope import ADSR, ExponentialEnvelope
from .kick import KICKS, KickSynth
from .modal import ModalResonators
from .noise import PinkNoise, WhiteNoise
from .oscillator import LFO, SawOscillator, SineOscillator, SquareOscillator, TriangleOscillator, WavetableOscillator

__all__ = [
    "ADSR",
    "KICKS",
    "LFO",
    "Amplifier",
    "ExponentialEnvelope",
    "KickSynth",
    "ModalResonators",
    "PinkNoise",
    "SawOscillator",
    "SineOscillator",
    "SquareOscillator",
    "TriangleOscillator",
    "WavetableOscillator",
    "WhiteNoise",
]
