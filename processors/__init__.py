"""Differentiable audio processors."""

from .delay import MultitapDelay
from .eq import ZeroPhaseFIREqualizer
from .stereo import SideGainImager, StereoGain

__all__ = [
    "MultitapDelay",
    "SideGainImager",
    "StereoGain",
    "ZeroPhaseFIREqualizer",
]
