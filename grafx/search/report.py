"""Documented import path of :mod:`grafx.search.mixing.report`."""

from .mixing.report import RESULT_FILES, describe_chains, plot_losses, summarize, write_results

__all__ = ["RESULT_FILES", "describe_chains", "plot_losses", "summarize", "write_results"]
