"""Filter banks on spectra, under the name of the module that GRAFX has for them."""

from .filterbank import TriangularFilterBank

__all__ = ["TriangularFilterBank"]
