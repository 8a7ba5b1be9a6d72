"""Differentiable audio processors."""

from .delay import MultitapDelay
from .dynamics import Compressor, NoiseGate
from .eq import ZeroPhaseFIREqualizer
from .stereo import SideGainImager, StereoGain

__all__ = [
    "Compressor",
    "MultitapDelay",
    "NoiseGate",
    "SideGainImager",
    "StereoGain",
    "ZeroPhaseFIREqualizer",
]
