"""Small functions on signals, under the name of the module that GRAFX has for them."""

from .fir import normalize_impulse
from .loudness import rms_difference

__all__ = ["normalize_impulse", "rms_difference"]
