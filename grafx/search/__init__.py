"""Finding the graph that explains how stems became a mix, and the settings that make a sound."""

from ..errors import SearchError
from .checkpoint import load_checkpoint, remove_checkpoint, save_checkpoint
from .console import build_console, console_processors
from .diagnosis import Diagnosis, StemDiagnosis, diagnose
from .effect import COARSE_TO_FINE, EffectInversion, Level, invert_effect
from .invert import Effort, Inversion, Step, invert
from .loss import MatchLoss
from .mixer import Mixer, MixStream, render_mix
from .search import Found, Options, Progress, Search
from .spectral import SpectralLoss

__all__ = [
    "COARSE_TO_FINE",
    "Diagnosis",
    "EffectInversion",
    "Effort",
    "Found",
    "Inversion",
    "Level",
    "MatchLoss",
    "MixStream",
    "Mixer",
    "Options",
    "Progress",
    "Search",
    "SearchError",
    "SpectralLoss",
    "StemDiagnosis",
    "Step",
    "build_console",
    "console_processors",
    "diagnose",
    "invert",
    "invert_effect",
    "load_checkpoint",
    "remove_checkpoint",
    "render_mix",
    "save_checkpoint",
]
