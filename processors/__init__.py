"""Differentiable audio processors."""

from .allpass import AllpassCascade, AllpassLattice, SchroederAllpass
from .amplifier import Amplifier
from .butterworth import ButterworthFilter
from .container import DryWet, GainStagingRegularization, ParallelMix, SerialChain
from .convolution_reverb import ConvolutionReverb
from .crossover import LinkwitzRileyCrossover
from .dc_blocker import DCBlocker
from .de_esser import DeEsser
from .delay import DelayLine, MultitapDelay
from .dynamic_eq import DynamicEqualizer
from .dynamics import Compressor, Expander, NoiseGate
from .dynamics_approx import ApproxCompressor, ApproxNoiseGate
from .dynamics_factorized import FactorizedCompressor, FactorizedNoiseGate
from .echo import FeedbackDelay, PingPongDelay
from .envelope import ADSR, ExponentialEnvelope
from .eq import GraphicEqualizer, NewZeroPhaseFIREqualizer, ParametricEqualizer, ZeroPhaseFIREqualizer
from .fdn import FeedbackDelayNetwork
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
from .freeverb import Freeverb
from .ladder import LadderFilter
from .limiter import Limiter
from .modal import ModalResonators
from .modulation import AutoPan, Chorus, Flanger, RingModulator, Tremolo, Vibrato
from .multiband import MultiBand
from .multiband_dynamics import MultiBandCompressor, MultiBandExpander, MultiBandLimiter, MultiBandNoiseGate
from .noise import PinkNoise, WhiteNoise
from .nonlinear import (
    ArctanDistortion,
    ChebyshevDistortion,
    HardClip,
    PiecewiseTanhDistortion,
    PowerDistortion,
    TanhDistortion,
)
from .oscillator import LFO, SawOscillator, SineOscillator, SquareOscillator, TriangleOscillator, WavetableOscillator
from .panner import HaasEnhancer, Panner, StereoWidener
from .phaser import Phaser
from .reverb import FilteredNoiseShapingReverb, STFTMaskedNoiseReverb
from .rotary import RotarySpeaker
from .send import Send
from .smoothing import (
    AllpassSmoother,
    OnePoleSmoother,
    RampSmoother,
    allpass_smoother_init,
    allpass_smoother_process,
    allpass_smoother_tick,
    allpass_smoother_update_state,
    onepole_smoother_init,
    onepole_smoother_process,
    onepole_smoother_tick,
    onepole_smoother_update_state,
    ramp_smoother_init,
    ramp_smoother_process,
    ramp_smoother_tick,
    ramp_smoother_update_state,
)
from .stacked_svf import StackedStateVariableFilter
from .stereo import MidSideToStereo, MonoToStereo, SideGainImager, StereoGain, StereoToMidSide
from .synth import KICKS, KickSynth
from .tone_stack import ToneStack
from .transient import TransientShaper
from .velvet import VelvetNoiseReverb
from .waveshaper import BitCrusher, SplineDistortion, Waveshaper

__all__ = [
    "ADSR",
    "KICKS",
    "LFO",
    "AllPassFilter",
    "AllpassCascade",
    "AllpassLattice",
    "AllpassSmoother",
    "Amplifier",
    "ApproxCompressor",
    "ApproxNoiseGate",
    "ArctanDistortion",
    "AutoPan",
    "BandPassFilter",
    "BandRejectFilter",
    "BiquadFilter",
    "BitCrusher",
    "ButterworthFilter",
    "ChebyshevDistortion",
    "Chorus",
    "Compressor",
    "ConvolutionReverb",
    "DCBlocker",
    "DeEsser",
    "DelayLine",
    "DryWet",
    "DynamicEqualizer",
    "Expander",
    "ExponentialEnvelope",
    "FIRFilter",
    "FactorizedCompressor",
    "FactorizedNoiseGate",
    "FeedbackDelay",
    "FeedbackDelayNetwork",
    "FilteredNoiseShapingReverb",
    "Flanger",
    "Freeverb",
    "GainStagingRegularization",
    "GraphicEqualizer",
    "HaasEnhancer",
    "HardClip",
    "HighPassFilter",
    "HighShelf",
    "KickSynth",
    "LadderFilter",
    "Limiter",
    "LinkwitzRileyCrossover",
    "LowPassFilter",
    "LowShelf",
    "MidSideToStereo",
    "ModalResonators",
    "MonoToStereo",
    "MultiBand",
    "MultiBandCompressor",
    "MultiBandExpander",
    "MultiBandLimiter",
    "MultiBandNoiseGate",
    "MultitapDelay",
    "NewZeroPhaseFIREqualizer",
    "NoiseGate",
    "OnePoleSmoother",
    "Panner",
    "ParallelMix",
    "ParametricEqualizer",
    "PeakingFilter",
    "Phaser",
    "PiecewiseTanhDistortion",
    "PingPongDelay",
    "PinkNoise",
    "PoleZeroFilter",
    "PowerDistortion",
    "RampSmoother",
    "RingModulator",
    "RotarySpeaker",
    "STFTMaskedNoiseReverb",
    "SawOscillator",
    "SchroederAllpass",
    "Send",
    "SerialChain",
    "SideGainImager",
    "SineOscillator",
    "SplineDistortion",
    "SquareOscillator",
    "StackedStateVariableFilter",
    "StateVariableFilter",
    "StereoGain",
    "StereoToMidSide",
    "StereoWidener",
    "TanhDistortion",
    "ToneStack",
    "TransientShaper",
    "Tremolo",
    "TriangleOscillator",
    "VelvetNoiseReverb",
    "Vibrato",
    "Waveshaper",
    "WavetableOscillator",
    "WhiteNoise",
    "ZeroPhaseFIREqualizer",
    "allpass_smoother_init",
    "allpass_smoother_process",
    "allpass_smoother_tick",
    "allpass_smoother_update_state",
    "onepole_smoother_init",
    "onepole_smoother_process",
    "onepole_smoother_tick",
    "onepole_smoother_update_state",
    "ramp_smoother_init",
    "ramp_smoother_process",
    "ramp_smoother_tick",
    "ramp_smoother_update_state",
]
