"""Containers: processors made of other processors."""

from .mixing import DryWet, GainStagingRegularization, ParallelMix, SerialChain
from .multiband import MultiBand

__all__ = [
    "DryWet",
    "GainStagingRegularization",
    "MultiBand",
    "ParallelMix",
    "SerialChain",
]
