"""Documented import path of :mod:`grafx.search.inversion.report`."""

from .inversion.report import INVERSION_FILES, plot_inversion, spectrogram, write_inversion

__all__ = ["INVERSION_FILES", "plot_inversion", "spectrogram", "write_inversion"]
