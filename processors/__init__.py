"""Differentiable audio processors."""

from .delay import MultitapDelay
from .dynamics import Compressor, NoiseGate
from .eq import ZeroPhaseFIREqualizer
from .reverb import STFTMaskedNoiseReverb
from .stereo import SideGainImager, StereoGain

__all__ = [
    "Compressor",
    "MultitapDelay",
    "NoiseGate",
    "STFTMaskedNoiseReverb",
    "SideGainImager",
    "StereoGain",
    "ZeroPhaseFIREqualizer",
]
