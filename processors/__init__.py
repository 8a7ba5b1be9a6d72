"""Differentiable audio processors."""

from .container import DryWet, GainStagingRegularization, ParallelMix, SerialChain
from .crossover import LinkwitzRileyCrossover
from .delay import MultitapDelay
from .dynamics import Compressor, Expander, NoiseGate
from .dynamics_approx import ApproxCompressor, ApproxNoiseGate
from .eq import GraphicEqualizer, NewZeroPhaseFIREqualizer, ParametricEqualizer, ZeroPhaseFIREqualizer
from .filter import (
    AllPassFilter,
    BandPassFilter,
    BandRejectFilter,
    BiquadFilter,
    FIRFilter,
    HighPassFilter,
    HighShelf,
    LowPassFilter,
    LowShelf,
    PeakingFilter,
    PoleZeroFilter,
    StateVariableFilter,
)
from .limiter import Limiter
from .multiband import MultiBand
from .multiband_dynamics import MultiBandCompressor, MultiBandExpander, MultiBandLimiter, MultiBandNoiseGate
from .nonlinear import ChebyshevDistortion, PiecewiseTanhDistortion, PowerDistortion, TanhDistortion
from .reverb import FilteredNoiseShapingReverb, STFTMaskedNoiseReverb
from .stereo import MidSideToStereo, MonoToStereo, SideGainImager, StereoGain, StereoToMidSide
from .transient import TransientShaper

__all__ = [
    "AllPassFilter",
    "ApproxCompressor",
    "ApproxNoiseGate",
    "BandPassFilter",
    "BandRejectFilter",
    "BiquadFilter",
    "ChebyshevDistortion",
    "Compressor",
    "DryWet",
    "Expander",
    "FIRFilter",
    "FilteredNoiseShapingReverb",
    "GainStagingRegularization",
    "GraphicEqualizer",
    "HighPassFilter",
    "HighShelf",
    "Limiter",
    "LinkwitzRileyCrossover",
    "LowPassFilter",
    "LowShelf",
    "MidSideToStereo",
    "MonoToStereo",
    "MultiBand",
    "MultiBandCompressor",
    "MultiBandExpander",
    "MultiBandLimiter",
    "MultiBandNoiseGate",
    "MultitapDelay",
    "NewZeroPhaseFIREqualizer",
    "NoiseGate",
    "ParallelMix",
    "ParametricEqualizer",
    "PeakingFilter",
    "PiecewiseTanhDistortion",
    "PoleZeroFilter",
    "PowerDistortion",
    "STFTMaskedNoiseReverb",
    "SerialChain",
    "SideGainImager",
    "StateVariableFilter",
    "StereoGain",
    "StereoToMidSide",
    "TanhDistortion",
    "TransientShaper",
    "ZeroPhaseFIREqualizer",
]
