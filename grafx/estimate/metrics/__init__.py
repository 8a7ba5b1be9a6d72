"""How far an estimated graph, and its sound, are from the true ones."""

from .comparison import Comparison, Pair, compare_graphs
from .equivalence import canonical

__all__ = ["Comparison", "Pair", "canonical", "compare_graphs"]
