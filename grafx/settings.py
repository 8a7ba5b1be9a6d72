"""Documented import path of physical values of nodes."""

from .data.attributes import BYPASS, WEIGHT, Settings, held_settings
from .parameters.settings import LONGEST, raw_row, settings_of, with_defaults
from .parameters.spectra import OCTAVES
from .parameters.words import MOST_PLACES, UNITS, node_lines, node_text, settings_text

__all__ = [
    "BYPASS",
    "LONGEST",
    "MOST_PLACES",
    "OCTAVES",
    "UNITS",
    "WEIGHT",
    "Settings",
    "held_settings",
    "node_lines",
    "node_text",
    "raw_row",
    "settings_of",
    "settings_text",
    "with_defaults",
]
