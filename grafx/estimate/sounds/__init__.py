"""Dry sounds, generated or of a folder."""

import os

from ...text import Notice
from .base import Sounds
from .folder import FolderSounds
from .generated import SCORES, GeneratedSounds

__all__ = ["FolderSounds", "GeneratedSounds", "Sounds", "sounds_named"]


def sounds_named(name: str | os.PathLike, sample_rate: int = 44100, notice: Notice | None = None) -> Sounds:
    """The sounds of a generator, ``"drums"``, ``"tones"`` or ``"mix"``, or else of a folder.

    Raises:
        EstimateError: There is neither, or the folder has no sound that can be used.
    """
    if isinstance(name, str) and name in SCORES:
        return GeneratedSounds(name, sample_rate)
    return FolderSounds(name, sample_rate, notice)
