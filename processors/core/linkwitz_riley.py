"""Former import path of :mod:`grafx.processors.core.crossover_sections`."""

from .crossover_sections import crossover_sections

__all__ = ["crossover_sections"]
