"""Search for the settings of a synthesizer or an effect that made a sound."""

from .invert import invert

__all__ = ["invert"]
