"""Finding the graph that explains how stems became a mix."""

from ..errors import SearchError
from .checkpoint import load_checkpoint, remove_checkpoint, save_checkpoint
from .console import build_console, console_processors
from .loss import MatchLoss
from .mixer import Mixer, MixStream, render_mix
from .search import Found, Options, Progress, Search

__all__ = [
    "Found",
    "MatchLoss",
    "MixStream",
    "Mixer",
    "Options",
    "Progress",
    "Search",
    "SearchError",
    "build_console",
    "console_processors",
    "load_checkpoint",
    "remove_checkpoint",
    "render_mix",
    "save_checkpoint",
]
