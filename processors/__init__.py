"""Differentiable audio processors."""

from .container import DryWet, GainStagingRegularization, ParallelMix, SerialChain
from .delay import MultitapDelay
from .dynamics import Compressor, NoiseGate
from .eq import ZeroPhaseFIREqualizer
from .nonlinear import TanhDistortion
from .reverb import STFTMaskedNoiseReverb
from .stereo import SideGainImager, StereoGain

__all__ = [
    "Compressor",
    "DryWet",
    "GainStagingRegularization",
    "MultitapDelay",
    "NoiseGate",
    "ParallelMix",
    "STFTMaskedNoiseReverb",
    "SerialChain",
    "SideGainImager",
    "StereoGain",
    "TanhDistortion",
    "ZeroPhaseFIREqualizer",
]
