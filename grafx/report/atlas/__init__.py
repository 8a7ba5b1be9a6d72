"""The atlas of many songs as one file: what survives, which settings it has, and each song with its losses."""

from .model import Atlas
from .page import atlas_html, write_atlas

__all__ = ["Atlas", "atlas_html", "write_atlas"]
