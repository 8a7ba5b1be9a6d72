"""Former import path of :mod:`grafx.processors.core.crossover_responses`."""

from .crossover_responses import SCALES, crossover_frequencies, linkwitz_riley, split_bands

__all__ = ["SCALES", "crossover_frequencies", "linkwitz_riley", "split_bands"]
