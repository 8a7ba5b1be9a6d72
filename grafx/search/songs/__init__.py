"""Many songs: what there is to search, and what searches have found, as a data set."""

from .manifest import Song, read_manifest, write_manifest
from .names import song_folder

__all__ = ["Song", "read_manifest", "song_folder", "write_manifest"]
