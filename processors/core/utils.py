"""Signal utilities, under GRAFX's module name."""

from .fir import normalize_impulse
from .loudness import rms_difference

__all__ = ["normalize_impulse", "rms_difference"]
