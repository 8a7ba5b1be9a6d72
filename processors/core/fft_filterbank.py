"""Filter banks on spectra, under GRAFX's module name."""

from .filterbank import TriangularFilterBank

__all__ = ["TriangularFilterBank"]
