"""Graphs as boards of plug-ins of `pedalboard <https://spotify.github.io/pedalboard>`_, and boards as graphs.

The package is under the GPL; it is imported only here, when something needs it, and comes with the extra ``exchange``.
"""

from .boards import from_pedalboard, read_pedalboard
from .counterparts import counterparts
from .mixdown import Mixdown, to_pedalboard
from .script import write_pedalboard

__all__ = ["Mixdown", "counterparts", "from_pedalboard", "read_pedalboard", "to_pedalboard", "write_pedalboard"]
