"""How far an estimated graph, and its sound, are from the true ones."""

from .comparison import Comparison, Pair, compare_graphs

__all__ = ["Comparison", "Pair", "compare_graphs"]
