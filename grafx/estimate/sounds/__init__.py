"""Dry sounds, generated or of a folder."""

from .base import Sounds
from .generated import GeneratedSounds

__all__ = ["GeneratedSounds", "Sounds"]
