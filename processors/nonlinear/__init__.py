"""Distortion and waveshaping."""

from .memoryless import (
    ArctanDistortion,
    ChebyshevDistortion,
    HardClip,
    PiecewiseTanhDistortion,
    PowerDistortion,
    TanhDistortion,
)
from .waveshaper import BitCrusher, SplineDistortion, Waveshaper

__all__ = [
    "ArctanDistortion",
    "BitCrusher",
    "ChebyshevDistortion",
    "HardClip",
    "PiecewiseTanhDistortion",
    "PowerDistortion",
    "SplineDistortion",
    "TanhDistortion",
    "Waveshaper",
]
