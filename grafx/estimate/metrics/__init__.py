"""How far an estimated graph, and its sound, are from the true ones."""

from .comparison import Comparison, Pair, compare_graphs, mean_comparison
from .equivalence import canonical
from .sounds import sound_distances

__all__ = ["Comparison", "Pair", "canonical", "compare_graphs", "mean_comparison", "sound_distances"]
