"""Differentiable audio processors."""

from .container import DryWet, GainStagingRegularization, ParallelMix, SerialChain
from .delay import MultitapDelay
from .dynamics import Compressor, NoiseGate
from .dynamics_approx import ApproxCompressor, ApproxNoiseGate
from .eq import ZeroPhaseFIREqualizer
from .nonlinear import TanhDistortion
from .reverb import STFTMaskedNoiseReverb
from .stereo import MidSideToStereo, MonoToStereo, SideGainImager, StereoGain, StereoToMidSide

__all__ = [
    "ApproxCompressor",
    "ApproxNoiseGate",
    "Compressor",
    "DryWet",
    "GainStagingRegularization",
    "MidSideToStereo",
    "MonoToStereo",
    "MultitapDelay",
    "NoiseGate",
    "ParallelMix",
    "STFTMaskedNoiseReverb",
    "SerialChain",
    "SideGainImager",
    "StereoGain",
    "StereoToMidSide",
    "TanhDistortion",
    "ZeroPhaseFIREqualizer",
]
