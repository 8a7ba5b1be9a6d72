"""Gain, panning, width and sends."""

from .image import MidSideToStereo, MonoToStereo, SideGainImager, StereoGain, StereoToMidSide
from .panner import HaasEnhancer, Panner, StereoWidener
from .send import Send

__all__ = [
    "HaasEnhancer",
    "MidSideToStereo",
    "MonoToStereo",
    "Panner",
    "Send",
    "SideGainImager",
    "StereoGain",
    "StereoToMidSide",
    "StereoWidener",
]
