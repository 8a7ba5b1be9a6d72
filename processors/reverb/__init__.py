"""Reverberation."""

from .convolution import ConvolutionReverb
from .fdn import FeedbackDelayNetwork
from .freeverb import Freeverb
from .noise import FilteredNoiseShapingReverb, STFTMaskedNoiseReverb
from .velvet import VelvetNoiseReverb

__all__ = [
    "ConvolutionReverb",
    "FeedbackDelayNetwork",
    "FilteredNoiseShapingReverb",
    "Freeverb",
    "STFTMaskedNoiseReverb",
    "VelvetNoiseReverb",
]
