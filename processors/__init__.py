"""Differentiable audio processors."""

from .stereo import SideGainImager, StereoGain

__all__ = ["SideGainImager", "StereoGain"]
