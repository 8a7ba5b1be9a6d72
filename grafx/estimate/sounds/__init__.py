"""Dry sounds, generated or of a folder."""

import os

from ...text import Notice
from .base import DrySounds
from .folder import FolderSounds
from .generated import SCORES, GeneratedSounds

__all__ = ["DrySounds", "FolderSounds", "GeneratedSounds", "sounds_named"]


def sounds_named(name: str | os.PathLike, sample_rate: int = 44100, notice: Notice | None = None) -> DrySounds:
    """The sounds of a generator, ``"drums"``, ``"tones"`` or ``"mix"``, or else of a folder.

    Raises:
        EstimateError: There is neither, or the folder has no sound that can be used.
    """
    if isinstance(name, str) and name in SCORES:
        return GeneratedSounds(name, sample_rate)
    return FolderSounds(name, sample_rate, notice)
