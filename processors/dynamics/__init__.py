"""Dynamics: compressors, limiters, expanders, gates, and related processors."""

from .approx import ApproxCompressor, ApproxNoiseGate
from .compressor import Compressor, NoiseGate
from .de_esser import DeEsser
from .desk import Expander
from .dynamic_eq import DynamicEqualizer
from .factorized import FactorizedCompressor, FactorizedNoiseGate

# Names of GRAFX that are not exported further.
from .followers import BallisticsEnvelopeFollower, BaseEnvelopeFollower, IIREnvelopeFollower  # noqa: F401
from .limiter import Limiter
from .multiband import MultiBandCompressor, MultiBandExpander, MultiBandLimiter, MultiBandNoiseGate
from .transient import TransientShaper

__all__ = [
    "ApproxCompressor",
    "ApproxNoiseGate",
    "Compressor",
    "DeEsser",
    "DynamicEqualizer",
    "Expander",
    "FactorizedCompressor",
    "FactorizedNoiseGate",
    "Limiter",
    "MultiBandCompressor",
    "MultiBandExpander",
    "MultiBandLimiter",
    "MultiBandNoiseGate",
    "NoiseGate",
    "TransientShaper",
]
