"""How data sets of multitracks lie on disk: one module a layout, the most specific first."""

from . import medleydb, mixing_secrets, musdb, plain
from .folder import FindSong, Folder

LAYOUTS: tuple[FindSong, ...] = (medleydb.find, mixing_secrets.find, musdb.find, plain.find)

__all__ = ["LAYOUTS", "Folder"]
