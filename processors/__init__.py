"""Differentiable audio processors."""

from .container import DryWet, GainStagingRegularization, ParallelMix, SerialChain
from .delay import MultitapDelay
from .dynamics import Compressor, NoiseGate
from .dynamics_approx import ApproxCompressor, ApproxNoiseGate
from .eq import ZeroPhaseFIREqualizer
from .nonlinear import ChebyshevDistortion, PiecewiseTanhDistortion, PowerDistortion, TanhDistortion
from .reverb import FilteredNoiseShapingReverb, STFTMaskedNoiseReverb
from .stereo import MidSideToStereo, MonoToStereo, SideGainImager, StereoGain, StereoToMidSide

__all__ = [
    "ApproxCompressor",
    "ApproxNoiseGate",
    "ChebyshevDistortion",
    "Compressor",
    "DryWet",
    "FilteredNoiseShapingReverb",
    "GainStagingRegularization",
    "MidSideToStereo",
    "MonoToStereo",
    "MultitapDelay",
    "NoiseGate",
    "ParallelMix",
    "PiecewiseTanhDistortion",
    "PowerDistortion",
    "STFTMaskedNoiseReverb",
    "SerialChain",
    "SideGainImager",
    "StereoGain",
    "StereoToMidSide",
    "TanhDistortion",
    "ZeroPhaseFIREqualizer",
]
