"""The public names of :mod:`grafx.search`."""

from ..errors import SearchError
from .inversion.effect import COARSE_TO_FINE, EffectInversion, Level, invert_effect
from .inversion.invert import Effort, Inversion, Step, invert
from .inversion.spectral import SpectralLoss
from .mixing.align import Alignment, align
from .mixing.checkpoint import load_checkpoint, remove_checkpoint, save_checkpoint
from .mixing.console import build_console, console_processors
from .mixing.diagnosis import Diagnosis, StemDiagnosis, diagnose
from .mixing.loss import MatchLoss
from .mixing.mixer import Mixer, MixStream, render_mix
from .mixing.options import Options, Progress
from .mixing.placement import Placement
from .mixing.search import Search
from .mixing.seeds import SeedResult, Spread, Sureness, best_result, search_seeds, sureness
from .mixing.simplify import simplify
from .mixing.state import Found, SearchState
from .mixing.tensorboard import tensorboard_writer

__all__ = [
    "COARSE_TO_FINE",
    "Alignment",
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
    "Placement",
    "Progress",
    "Search",
    "SearchError",
    "SearchState",
    "SeedResult",
    "SpectralLoss",
    "Spread",
    "StemDiagnosis",
    "Step",
    "Sureness",
    "align",
    "best_result",
    "build_console",
    "console_processors",
    "diagnose",
    "invert",
    "invert_effect",
    "load_checkpoint",
    "remove_checkpoint",
    "render_mix",
    "save_checkpoint",
    "search_seeds",
    "simplify",
    "sureness",
    "tensorboard_writer",
]
